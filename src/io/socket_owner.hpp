// Who listens on an address: asked before a backend is started there, and to name the stranger that
// is in the way.
//
// Of TCP it reads the kernel's tables and connects nowhere. Only this network namespace is seen,
// and of other users' processes only what we may look into. A socket in the file system tells it to
// whoever connects.
#pragma once

#include "io/proc.hpp"
#include "io/socket.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace tcplock::io {

struct ListeningSocket {
    tcp::endpoint address;
    uid_t uid = 0;
    std::uint64_t inode = 0;
};

enum class AddressFamily { v4, v6 };

// One line of /proc/net/tcp or tcp6; nothing if it is the heading, or not a listening socket.
std::optional<ListeningSocket> parse_listening_socket(std::string_view line, AddressFamily family);

// Whether a socket listening on `listening` takes what is sent to `wanted`: the same port, and the
// same address or a wildcard. An IPv6 wildcard is taken to cover IPv4 too, which is the usual
// setting.
bool covers(const tcp::endpoint& listening, const tcp::endpoint& wanted);

struct SocketOwner {
    std::optional<pid_t> pid;  // Absent if it is not ours to see; then `uid` is all there is.
    std::string command_line;
    uid_t uid = 0;
};

std::string in_words(const SocketOwner& owner);

// Found is an owner, or that nobody listens there. A socket shared by several processes is said to
// be the eldest's, or ours only if no other has it.
Looked<std::optional<SocketOwner>> socket_owner(const Endpoint& endpoint);
// The same, but no process is looked into beyond these, in their order: somebody else's may have a
// descriptor for each of thousands of clients.
Looked<std::optional<SocketOwner>> socket_owner_among(const std::vector<ProcessStat>& processes,
                                                      const Endpoint& endpoint);

enum class Listens { yes, no, could_not_look };

// Whether anybody does.
Listens listens(const Endpoint& endpoint);

}  // namespace tcplock::io
