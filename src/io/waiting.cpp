#include "io/waiting.hpp"

#include <array>
#include <cassert>
#include <cerrno>
#include <poll.h>
#include <span>
#include <sys/epoll.h>
#include <system_error>
#include <utility>

namespace tcplock::io {
namespace {

constexpr int departures_per_wake_up = 64;

Descriptor new_set() {
    Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
    if (!set) {
        throw std::system_error(errno, std::generic_category(), "cannot watch waiting clients");
    }
    return set;
}

}  // namespace

Waiting::Waiting(boost::asio::any_io_executor executor, Left left)
    : set_(executor, new_set().release()), left_(std::move(left)) {}

boost::asio::awaitable<void> Waiting::run() {
    while (set_.is_open()) {
        const auto [wait_error] =
            co_await set_.async_wait(boost::asio::posix::stream_descriptor::wait_read, use_result);
        if (wait_error) {
            break;
        }
        tell_departures();
    }
}

void Waiting::close() {
    boost::system::error_code ignored;  // Closing twice is fine.
    set_.close(ignored);
    clients_.clear();
}

void Waiting::add(std::uint64_t key, Descriptor client, HalfClose half_close) {
    epoll_event event{};
    // EPOLLERR and EPOLLHUP are always told. EPOLLIN is not asked for: bytes are none of our news.
    event.events = half_close == HalfClose::leave ? std::uint32_t{EPOLLRDHUP} : 0U;
    event.data.u64 = key;
    // Out of memory or of watches: the client keeps its place, and its departure is noticed when
    // its turn comes (has_left) instead of at once.
    (void)::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, client.get(), &event);
    const bool added = clients_.try_emplace(key, Client{std::move(client), half_close}).second;
    assert(added);
    (void)added;
}

Descriptor Waiting::take(std::uint64_t key) {
    const auto found = clients_.find(key);
    if (found == clients_.end()) {
        return Descriptor();
    }
    Descriptor client = std::move(found->second.fd);
    clients_.erase(found);
    // It may never have been in the set; then there is nothing to remove.
    (void)::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, client.get(), nullptr);
    return client;
}

bool Waiting::has_left(std::uint64_t key) const {
    const auto found = clients_.find(key);
    if (found == clients_.end()) {
        return true;
    }
    const bool leaves = found->second.half_close == HalfClose::leave;
    const short half_closed = leaves ? POLLRDHUP : 0;
    pollfd state{found->second.fd.get(), half_closed, 0};
    return ::poll(&state, 1, 0) == 1 && (state.revents & (half_closed | POLLERR | POLLHUP)) != 0;
}

void Waiting::tell_departures() {
    std::array<epoll_event, departures_per_wake_up> events;
    const int count =
        ::epoll_wait(set_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
    // Interrupted or nothing: the wait that follows finds what is there.
    const auto found = static_cast<std::size_t>(count > 0 ? count : 0);
    for (const epoll_event& event : std::span(events).first(found)) {
        const std::uint64_t key = event.data.u64;
        // A callback before this one may have taken it.
        if (const Descriptor client = take(key)) {
            left_(key);
        }
    }
}

}  // namespace tcplock::io
