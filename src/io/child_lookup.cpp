#include "io/child_lookup.hpp"

#include <algorithm>
#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace tcplock::io {
namespace {

constexpr const char* usual_path = "/usr/local/bin:/usr/bin:/bin";

}  // namespace

SpawnFailure failure(const std::string& what, int error) {
    const std::error_code code(error, std::generic_category());
    return {what + ": " + code.message(), code};
}

Or<std::string> find_program(const ChildSpec& spec) {
    if (spec.command.empty() || spec.command.front().empty()) {
        return failure("cannot run a backend: the command is empty", EINVAL);
    }
    const std::string& name = spec.command.front();
    if (name.find('/') != std::string::npos) {
        return name;
    }
    const auto entry = spec.environment.find("PATH");
    const std::string path = entry == spec.environment.end() ? usual_path : entry->second;
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        const std::string candidate = path.substr(begin, end - begin) + "/" + name;
        struct stat found {};
        if (::stat(candidate.c_str(), &found) == 0 && S_ISREG(found.st_mode) &&
            ::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
        begin = end + 1;
    }
    const std::error_code code(ENOENT, std::generic_category());
    return SpawnFailure{"cannot run " + name + ": there is no such program in " + path, code};
}

Or<std::optional<Identity>> find_user(const std::string& user) {
    if (user.empty()) {
        return std::optional<Identity>();
    }
    errno = 0;
    const passwd* found = ::getpwnam(user.c_str());
    if (found == nullptr) {
        const std::string what = "cannot become user '" + user + "'";
        if (errno != 0) {
            return failure(what, errno);
        }
        const std::error_code code(ENOENT, std::generic_category());
        return SpawnFailure{what + ": there is no such user", code};
    }
    if (found->pw_uid == ::geteuid() && found->pw_uid == ::getuid()) {
        return std::optional<Identity>();
    }
    Identity identity{found->pw_uid, found->pw_gid, std::vector<gid_t>(64)};
    int count = static_cast<int>(identity.groups.size());
    if (::getgrouplist(user.c_str(), identity.gid, identity.groups.data(), &count) < 0) {
        identity.groups.resize(static_cast<std::size_t>(count));
        ::getgrouplist(user.c_str(), identity.gid, identity.groups.data(), &count);
    }
    identity.groups.resize(static_cast<std::size_t>(count));
    return std::optional<Identity>(std::move(identity));
}

}  // namespace tcplock::io
