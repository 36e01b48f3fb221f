#include "io/user.hpp"

#include <cerrno>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace tcplock::io {

std::variant<Identity, std::error_code> find_user(const std::string& name) {
    errno = 0;
    const passwd* const found = ::getpwnam(name.c_str());
    if (found == nullptr) {
        return std::error_code(errno != 0 ? errno : ENOENT, std::generic_category());
    }
    Identity user{name, found->pw_uid, found->pw_gid, std::vector<gid_t>(64)};
    int count = static_cast<int>(user.groups.size());
    if (::getgrouplist(name.c_str(), user.gid, user.groups.data(), &count) < 0) {
        user.groups.resize(static_cast<std::size_t>(count));
        ::getgrouplist(name.c_str(), user.gid, user.groups.data(), &count);
    }
    user.groups.resize(static_cast<std::size_t>(count));
    return user;
}

std::optional<gid_t> find_group(const std::string& name) {
    const group* const found = ::getgrnam(name.c_str());
    return found == nullptr ? std::nullopt : std::optional(found->gr_gid);
}

bool has_name(uid_t user) {
    return ::getpwuid(user) != nullptr;
}

bool is_us(const Identity& user) {
    return user.uid == ::geteuid() && user.uid == ::getuid();
}

}  // namespace tcplock::io
