// One direction of a relay: a ring of bytes between the coroutine that fills it and the one that
// drains it.
//
// It does not know sockets. The two run apart so that the end of one side is seen while the other
// side is not taking bytes. Each side may have one operation under way on the bytes it was given:
// discard() must not be called while something is being written from the ring, unless that write
// cannot succeed any more: what is read meanwhile may land where the write takes from.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tcplock::io {

class RelayLane {
public:
    explicit RelayLane(boost::asio::any_io_executor executor);

    bool is_full() const { return size_ == ring_.size(); }
    bool is_empty() const { return size_ == 0; }
    bool has_ended() const { return ended_; }
    bool is_discarding() const { return discarding_; }
    std::uint64_t delivered() const { return delivered_; }

    // The filler's part.
    std::array<boost::asio::mutable_buffer, 2> free();
    void put(std::size_t size);
    void end();  // nothing more will come
    // Whether there is some now: false after `limit`, to look round and come back.
    boost::asio::awaitable<bool> wait_for_space(std::chrono::nanoseconds limit);

    // The drainer's part.
    std::array<boost::asio::const_buffer, 2> filled() const;
    void take(std::size_t size);
    // Whether there is something to do now: bytes, the end, or nothing ever more. False after
    // `limit`, or when woken, to look round and come back.
    boost::asio::awaitable<bool> wait_for_bytes(std::chrono::nanoseconds limit);
    void wake_drainer();
    boost::asio::awaitable<void> pause(std::chrono::nanoseconds limit);

    // Drops what is in the ring and what will be put; wakes both.
    void discard();

private:
    static constexpr std::size_t capacity = 65536;  // bigger gains little, smaller costs much

    std::vector<std::uint8_t> ring_;
    std::size_t begin_ = 0;
    std::size_t size_ = 0;
    std::uint64_t delivered_ = 0;
    bool ended_ = false;
    bool discarding_ = false;
    // Each has one waiter, who looks again at what it waits for when the timer is cancelled.
    boost::asio::steady_timer space_;
    boost::asio::steady_timer bytes_;
};

}  // namespace tcplock::io
