// The service behind the gate: it says back what it hears, or takes and sends so many bytes.
//
// It counts who is inside, from accept to close. Who never says a number is a probe, and does not
// count. Before it closes anything it looks for newcomers, so that one who came while another was
// still inside is always found.
#pragma once

#include "loop.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <vector>

namespace tcplock::bench {

// Each client's first bytes are its number, in the machine's own order.
using Number = std::uint64_t;

// One end of a transfer of many bytes; what comes is thrown away unread.
class Stream {
public:
    Stream(std::uint64_t to_send, std::uint64_t to_receive)
        : to_send_{to_send}, to_receive_{to_receive} {}

    // As far as it goes now; throws Broken if it ends too early.
    void move(int fd, std::uint32_t events);
    std::uint32_t events() const;
    bool is_done() const { return to_send_ == 0 && to_receive_ == 0; }

private:
    std::uint64_t to_send_;
    std::uint64_t to_receive_;
};

class Backend {
public:
    Backend(Loop& loop, const sockaddr_in& address);

    // Of all who come from now on, instead of saying back what they say.
    void stream(Stream stream) { stream_ = stream; }
    // Of what has been seen so far nothing is told any more.
    void forget_the_past();

    std::size_t most_inside() const { return most_inside_; }
    std::size_t inside() const { return inside_; }
    // Transfers that have reached their end here.
    std::size_t transferred() const { return transferred_; }
    // Numbers in the order of coming in.
    const std::vector<Number>& came_in() const { return came_in_; }
    // From the end of one session to the first bytes of the next, in microseconds.
    const std::vector<double>& gaps() const { return gaps_; }

    // Called when one with a number has been let go, and his place is free.
    std::function<void()> somebody_left;

private:
    struct Guest {
        int fd;
        std::size_t beside = 0;  // inside already when it came
        bool has_number = false;
        std::optional<Stream> stream;
    };

    void accept_newcomers();
    void serve(Guest& guest, std::uint32_t events);
    // False: it has left.
    bool hear(Guest& guest);
    void count_in(Guest& guest, Number number);
    void let_go(Guest& guest);

    Loop& loop_;
    int listener_;
    std::optional<Stream> stream_;
    std::size_t inside_ = 0;
    std::size_t most_inside_ = 0;
    std::size_t transferred_ = 0;
    std::vector<Number> came_in_;
    std::vector<double> gaps_;
    std::optional<std::chrono::steady_clock::time_point> emptied_;
};

}  // namespace tcplock::bench
