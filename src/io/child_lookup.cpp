#include "io/child_lookup.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

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

}  // namespace tcplock::io
