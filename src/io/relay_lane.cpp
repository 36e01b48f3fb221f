#include "io/relay_lane.hpp"

#include "io/socket.hpp"

#include <algorithm>
#include <utility>

namespace tcplock::io {

using boost::asio::steady_timer;

RelayLane::RelayLane(boost::asio::any_io_executor executor)
    : ring_(capacity),
      space_(executor, steady_timer::time_point::max()),
      bytes_(executor, steady_timer::time_point::max()) {}

std::array<boost::asio::mutable_buffer, 2> RelayLane::free() {
    const std::size_t tail = (begin_ + size_) % capacity;
    const std::size_t room = capacity - size_;
    const std::size_t first = std::min(room, capacity - tail);
    return {boost::asio::buffer(ring_.data() + tail, first),
            boost::asio::buffer(ring_.data(), room - first)};
}

void RelayLane::put(std::size_t size) {
    if (!discarding_ && size > 0) {
        size_ += size;
        bytes_.cancel();
    }
}

void RelayLane::end() {
    ended_ = true;
    bytes_.cancel();
}

boost::asio::awaitable<bool> RelayLane::wait_for_space(std::chrono::nanoseconds limit) {
    if (is_full() && !discarding_) {
        space_.expires_after(limit);
        (void)co_await space_.async_wait(use_result);
    }
    co_return !is_full() || discarding_;
}

std::array<boost::asio::const_buffer, 2> RelayLane::filled() const {
    const std::size_t first = std::min(size_, capacity - begin_);
    return {boost::asio::buffer(ring_.data() + begin_, first),
            boost::asio::buffer(ring_.data(), size_ - first)};
}

void RelayLane::take(std::size_t size) {
    begin_ = (begin_ + size) % capacity;
    size_ -= size;
    delivered_ += size;
    space_.cancel();
}

boost::asio::awaitable<bool> RelayLane::wait_for_bytes(std::chrono::nanoseconds limit) {
    if (is_empty() && !ended_ && !discarding_) {
        co_await pause(limit);
    }
    co_return !is_empty() || ended_ || discarding_;
}

void RelayLane::wake_drainer() {
    bytes_.cancel();
}

boost::asio::awaitable<void> RelayLane::pause(std::chrono::nanoseconds limit) {
    bytes_.expires_after(limit);
    (void)co_await bytes_.async_wait(use_result);
}

void RelayLane::discard() {
    discarding_ = true;
    size_ = 0;
    space_.cancel();
    bytes_.cancel();
}

}  // namespace tcplock::io
