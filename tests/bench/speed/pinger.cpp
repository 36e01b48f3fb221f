#include "pinger.hpp"

#include "failure.hpp"
#include "sockets.hpp"

#include <cerrno>
#include <cstdint>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace tcplock::bench {

using std::chrono::steady_clock;

namespace {

constexpr std::size_t size_of_ping = 64;

}  // namespace

Pinger::Pinger(Loop& loop, const sockaddr_in& front, std::optional<Milliseconds> pause)
    : loop_{loop}, fd_{connect_to(front)}, said_(size_of_ping, 'x') {
    loop_.watch(fd_, EPOLLIN, [this](std::uint32_t) { hear(); });
    if (pause) {
        timer_ = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd");
        const timespec every{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds{*pause}.count()};
        const itimerspec times{.it_interval = every, .it_value = every};
        checked(::timerfd_settime(timer_, 0, &times, nullptr), "timerfd_settime");
        loop_.watch(timer_, EPOLLIN, [this](std::uint32_t) {
            std::uint64_t count = 0;
            if (::read(timer_, &count, sizeof count) == sizeof count && !is_awaited_)
                say();
        });
    }
    say();
}

Pinger::~Pinger() {
    for (const int fd : {fd_, timer_}) {
        if (fd >= 0) {
            loop_.forget(fd);
            ::close(fd);
        }
    }
}

void Pinger::say() {
    is_awaited_ = true;
    heard_ = 0;
    since_ = steady_clock::now();
    if (::send(fd_, said_.data(), said_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(said_.size()))
        throw Broken{"who was inside was cut"};
}

void Pinger::hear() {
    char bytes[size_of_ping];
    const auto size = ::recv(fd_, bytes, sizeof bytes - heard_, MSG_DONTWAIT);
    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0)
        throw Broken{"who was inside was cut"};
    const auto count = static_cast<std::size_t>(size);
    if (std::string_view{bytes, count} != std::string_view{said_}.substr(heard_, count))
        throw Broken{"what came back is not what was said"};
    heard_ += count;
    if (heard_ < size_of_ping)
        return;
    times_.push_back(
        std::chrono::duration<double, std::micro>{steady_clock::now() - since_}.count());
    is_awaited_ = false;
    if (timer_ < 0)
        say();
}

}  // namespace tcplock::bench
