#include "sockets.hpp"

#include "failure.hpp"

#include <arpa/inet.h>
#include <cstdint>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace tcplock::bench {

namespace {

const sockaddr* plain(const sockaddr_in& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

sockaddr_in to_address(const std::string& text) {
    const auto colon = text.find(':');
    sockaddr_in address{};
    address.sin_family = AF_INET;
    if (colon == std::string::npos ||
        ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &address.sin_addr) != 1)
        throw Failure{"no address and port: " + text};
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1))));
    return address;
}

void send_at_once(int fd) {
    const int on = 1;
    checked(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
}

int listen_at(const sockaddr_in& address) {
    const int fd =
        checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    checked(::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    checked(::bind(fd, plain(address), sizeof address), "bind");
    checked(::listen(fd, SOMAXCONN), "listen");
    return fd;
}

int connect_to(const sockaddr_in& address) {
    const int fd = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    checked(::connect(fd, plain(address), sizeof address), "connect");
    send_at_once(fd);
    return fd;
}

}  // namespace tcplock::bench
