#include "reader.hpp"

#include "failure.hpp"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace tcplock::bench {

namespace {

constexpr std::string_view request = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr std::string_view length_name = "Content-Length: ";

}  // namespace

Reader::Reader(Loop& loop, std::string socket) : loop_{loop}, socket_{std::move(socket)} {
    connect();
}

void Reader::connect() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (socket_.size() >= sizeof address.sun_path)
        throw Failure{"too long for a socket's path: " + socket_};
    std::memcpy(address.sun_path, socket_.data(), socket_.size());
    fd_ = checked(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    checked(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address),
            "connect to the admin socket");
    heard_.clear();
    loop_.watch(fd_, EPOLLIN, [this](std::uint32_t) { hear(); });
    ask();
}

// If it is closed already, after so many answers, the end is heard next.
void Reader::ask() {
    const auto sent = ::send(fd_, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request.size()) && answers_ == 0)
        throw Failure{"cannot ask for the status"};
}

void Reader::hear() {
    char bytes[65536];
    const auto size = ::recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {  // It has been answered often enough over this connection.
        if (answers_ == 0)
            throw Failure{"the status is not told"};
        loop_.forget(fd_);
        ::close(fd_);
        connect();
        return;
    }
    heard_.append(bytes, static_cast<std::size_t>(size));
    const auto end = heard_.find("\r\n\r\n");
    const auto length = heard_.find(length_name);
    if (end == std::string::npos)
        return;
    if (!heard_.starts_with("HTTP/1.1 200") || length >= end)
        throw Failure{"not the status: " + heard_.substr(0, end)};
    if (heard_.size() < end + 4 + std::stoul(heard_.substr(length + length_name.size())))
        return;
    heard_.clear();
    ++answers_;
    ask();
}

}  // namespace tcplock::bench
