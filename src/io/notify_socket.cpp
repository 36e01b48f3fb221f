#include "io/notify_socket.hpp"

#include <cerrno>
#include <cstddef>

namespace tcplock::io {

std::optional<NotifySocket> NotifySocket::open(std::string_view name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const bool is_abstract = name.starts_with('@');
    if ((!is_abstract && !name.starts_with('/')) || name.size() < 2 ||
        name.size() >= sizeof address.sun_path) {
        return std::nullopt;
    }
    name.copy(address.sun_path, name.size());
    if (is_abstract) {
        address.sun_path[0] = '\0';
    }
    Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return std::nullopt;
    }
    const std::size_t size = offsetof(sockaddr_un, sun_path) + name.size();
    return NotifySocket(std::move(socket), address, static_cast<socklen_t>(size));
}

// Not connected: whoever makes a new socket of that name is heard of.
bool NotifySocket::send(std::string_view message) const {
    ssize_t sent = 0;
    do {
        sent = ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                        reinterpret_cast<const sockaddr*>(&address_), size_);
    } while (sent < 0 && errno == EINTR);
    return sent >= 0;
}

}  // namespace tcplock::io
