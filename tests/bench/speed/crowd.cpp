#include "crowd.hpp"

#include "failure.hpp"
#include "meter.hpp"
#include "office_words.hpp"
#include "sockets.hpp"

#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tcplock::bench {

using std::chrono::milliseconds;

namespace {

constexpr std::size_t request_size = 20;
constexpr std::size_t between_turns = 16;

std::string request_of(Number number) {
    std::string request(request_size, '.');
    std::memcpy(request.data(), &number, sizeof number);
    return request;
}

}  // namespace

const Crowd::Client& Crowd::come(Says says) {
    const int fd = connect_to(front_);
    Client& client = clients_[fd];
    client = Client{.fd = fd, .number = next_++, .heard = {}};
    loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { hear(fd); });
    if (says == Says::its_number)
        say(client, request_of(client.number));
    if (says == Says::an_opening)
        say(client, opening());
    return client;
}

void Crowd::come(std::size_t count, Says says) {
    constexpr std::size_t look_after = 256;
    constexpr std::size_t most_unaccepted = 2048;  // of 4096, the system's usual limit
    for (std::size_t i = 1; i <= count; ++i) {
        come(says);
        if (i % between_turns == 0)
            loop_.turn(milliseconds{0});
        if (i % look_after == 0)
            loop_.turn_until(
                "the accept queue is emptied",
                [this] { return accept_queue(front_) < most_unaccepted; }, milliseconds{1});
    }
}

void Crowd::say(const Client& client, const std::string& what) {
    const auto sent = ::send(client.fd, what.data(), what.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(what.size()))
        throw Broken{"a client was turned away before it could say what it wants"};
}

void Crowd::hear(int fd) {
    Client& client = clients_.at(fd);
    char bytes[4096];
    const auto size = ::recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        throw Broken{"a client was turned away"};
    client.heard.append(bytes, static_cast<std::size_t>(size));
    if (says_ == Says::an_opening ? is_whole(client.heard) : client.heard.size() >= request_size) {
        if (says_ != Says::an_opening && client.heard != request_of(client.number))
            throw Broken{"a client was answered something else"};
        client.heard.clear();
        answered(client);
    }
}

void Crowd::leave(int fd) {
    loop_.forget(fd);
    ::close(fd);
    clients_.erase(fd);
}

void Crowd::leave_all() {
    for (std::size_t i = 1; !clients_.empty(); ++i) {
        leave(clients_.begin()->first);
        if (i % between_turns == 0)
            loop_.turn(milliseconds{0});
    }
}

}  // namespace tcplock::bench
