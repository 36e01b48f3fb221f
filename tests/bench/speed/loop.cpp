#include "loop.hpp"

#include "failure.hpp"

#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <unistd.h>
#include <utility>

namespace tcplock::bench {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr std::chrono::minutes patience{2};
constexpr int number_bits = 32;

}  // namespace

Loop::Loop() : epoll_{checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")} {}

Loop::~Loop() {
    ::close(epoll_);
}

Loop::Watched& Loop::watched(int fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= watched_.size())
        watched_.resize(index + 1);
    return watched_[index];
}

void Loop::control(int operation, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 =
        std::uint64_t{watched(fd).incarnation} << number_bits | static_cast<unsigned>(fd);
    checked(::epoll_ctl(epoll_, operation, fd, &event), "epoll_ctl");
}

void Loop::watch(int fd, std::uint32_t events, Ready ready) {
    watched(fd).ready = std::move(ready);
    control(EPOLL_CTL_ADD, fd, events);
}

void Loop::watch_for(int fd, std::uint32_t events) {
    control(EPOLL_CTL_MOD, fd, events);
}

// Closing takes it out of the set, since nobody else has it.
void Loop::forget(int fd) {
    ++watched(fd).incarnation;
}

void Loop::turn(milliseconds longest) {
    std::array<epoll_event, 256> events{};
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(longest.count()));
    if (count < 0 && errno == EINTR)
        return;
    checked(count, "epoll_wait");
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        const auto index = static_cast<std::size_t>(events[i].data.u64 & 0xffffffff);
        const auto incarnation = static_cast<std::uint32_t>(events[i].data.u64 >> number_bits);
        if (watched_[index].incarnation != incarnation)
            continue;
        // Taken out while it runs: it may close this descriptor, and get the number again.
        Ready ready = std::move(watched_[index].ready);
        ready(events[i].events);
        if (watched_[index].incarnation == incarnation)
            watched_[index].ready = std::move(ready);
    }
}

void Loop::turn_until(std::string_view what, const std::function<bool()>& is_met,
                      milliseconds longest_turn) {
    const auto deadline = steady_clock::now() + patience;
    while (!is_met()) {
        if (steady_clock::now() > deadline)
            throw Failure{std::string{what} + ": not within two minutes"};
        turn(longest_turn);
    }
}

}  // namespace tcplock::bench
