// Whom a child is to run as: looked up once, since the user database may be slow to answer.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <system_error>
#include <variant>
#include <vector>

namespace tcplock::io {

struct Identity {
    std::string name;
    uid_t uid;
    gid_t gid;
    std::vector<gid_t> groups;
};

// Or why there is none: ENOENT if nobody has that name. May block as long as the database does.
std::variant<Identity, std::error_code> find_user(const std::string& name);

// The number of a group; none if nobody has that name.
std::optional<gid_t> find_group(const std::string& name);

// Whether the user database knows this number.
bool has_name(uid_t user);

// Who we are already needs no privilege to become.
bool is_us(const Identity& user);

}  // namespace tcplock::io
