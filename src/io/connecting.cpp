#include "io/connecting.hpp"

#include "io/address.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cerrno>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace tcplock::io {
namespace {

std::error_code last_error() {
    return {errno, std::generic_category()};
}

// Without them it is slower, or shows urgent bytes elsewhere than among the others, where they
// stood; and it still is a socket.
void set_options(int socket) {
    constexpr int on = 1;
    (void)::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)::setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

std::error_code connect(int socket, const Endpoint& endpoint) {
    const auto size = static_cast<socklen_t>(endpoint.size());
    return ::connect(socket, endpoint.data(), size) == 0 ? std::error_code() : last_error();
}

}  // namespace

Attempt begin_connect(const Endpoint& endpoint) {
    const int family = endpoint.protocol().family();
    Attempt attempt;
    attempt.socket = Descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!attempt.socket) {
        attempt.error = last_error();
        return attempt;
    }
    const int socket = attempt.socket.get();
    if (is_in_file_system(endpoint)) {
        attempt.error = connect(socket, endpoint);
        return attempt;
    }
    set_options(socket);
    attempt.error = connect(socket, endpoint);
    if (attempt.error == std::errc::operation_in_progress) {
        // On this machine it is made within the call, which says otherwise. To ask again is cheaper
        // than to be told.
        const std::error_code now = connect(socket, endpoint);
        attempt.error = now == std::errc::connection_already_in_progress ? attempt.error : now;
    }
    if (!attempt.error && is_connected_to_itself(socket, endpoint)) {
        attempt.error = std::make_error_code(std::errc::connection_refused);
    }
    return attempt;
}

bool is_connected_to_itself(int socket, const Endpoint& endpoint) {
    tcp::endpoint local;
    tcp::endpoint peer;
    auto size = static_cast<socklen_t>(local.capacity());
    if (::getsockname(socket, local.data(), &size) != 0 ||
        local.port() != as_tcp(endpoint).port()) {
        return false;
    }
    return ::getpeername(socket, peer.data(), &size) == 0 && local == peer;
}

}  // namespace tcplock::io
