// Sockets in the file system: what is special about connecting to one, and who listens there.
#pragma once

#include "io/proc.hpp"
#include "io/socket.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <system_error>
#include <variant>
#include <vector>

namespace tcplock::io {

// Nothing if the path is no absolute one, or longer than the kernel takes.
std::optional<Endpoint> unix_endpoint(std::string_view path);

// Without waiting: `resource_unavailable_try_again` while the listener's queue is full.
std::error_code connect_at_once(int socket, const Endpoint& endpoint);

// Who called listen() there, as the kernel remembers it, wherever the socket has been handed since.
struct Listening {
    pid_t pid = 0;  // 0: of a namespace that is not ours to see
    uid_t uid = 0;
};

std::variant<Listening, std::error_code> listener_of(int connected_socket);

// Or why that cannot be asked: to ask is to connect, and to leave at once.
std::variant<Listening, std::error_code> ask_who_listens(const Endpoint& endpoint);

// The paths on which one of these processes listens. Those that could not be looked at are missing.
std::vector<std::string> sockets_of(const std::vector<ProcessStat>& processes);

// The path and the inode in a line of /proc/net/unix, if it is of one that listens in the file
// system (proc(5)).
struct ListeningPath {
    std::string path;
    std::uint64_t inode = 0;
};
std::optional<ListeningPath> parse_listening_path(std::string_view line);

}  // namespace tcplock::io
