#include "io/waiting.hpp"

#include <cassert>
#include <poll.h>
#include <sys/epoll.h>
#include <utility>

namespace tcplock::io {

Waiting::Waiting(Watcher& watcher, Left left) : watcher_(watcher), left_(std::move(left)) {}

void Waiting::add(std::uint64_t key, WatchedDescriptor client, HalfClose half_close) {
    const auto [position, is_new] =
        clients_.try_emplace(key, *this, key, std::move(client), half_close);
    assert(is_new);
    (void)is_new;
    Client& added = position->second;
    // EPOLLERR and EPOLLHUP are always told. EPOLLIN is not asked for: bytes are none of our news.
    const std::uint32_t events = half_close == HalfClose::leave ? std::uint32_t{EPOLLRDHUP} : 0U;
    // Out of memory or of watches: the client keeps its place, and its departure is noticed when
    // its turn comes (has_left) instead of at once.
    (void)added.socket.watch(events, added);
}

WatchedDescriptor Waiting::take(std::uint64_t key) {
    const auto found = clients_.find(key);
    if (found == clients_.end()) {
        return WatchedDescriptor(watcher_);
    }
    WatchedDescriptor client = std::move(found->second.socket);
    client.forget();
    clients_.erase(found);
    return client;
}

bool Waiting::has_left(std::uint64_t key) const {
    const auto found = clients_.find(key);
    if (found == clients_.end()) {
        return true;
    }
    const bool leaves = found->second.half_close == HalfClose::leave;
    const short half_closed = leaves ? POLLRDHUP : 0;
    pollfd state{found->second.socket.get(), half_closed, 0};
    return ::poll(&state, 1, 0) == 1 && (state.revents & (half_closed | POLLERR | POLLHUP)) != 0;
}

// Whatever it is that it is told of, the client has left.
void Waiting::Client::has_news(std::uint32_t) {
    Waiting& room = waiting;
    const std::uint64_t who = key;
    const WatchedDescriptor client = room.take(who);  // and so ends
    room.left_(who);
}

}  // namespace tcplock::io
