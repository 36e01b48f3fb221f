// What a run costs the contender, by the operating system's accounts.
//
// Processor time is that of all threads of its processes, in nanoseconds. The kernel's work for a
// segment that goes over loopback, up to the receiver's queue, is charged to whoever sends it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <netinet/in.h>
#include <sys/types.h>
#include <vector>

namespace tcplock::bench {

class Meter {
public:
    struct Reading {
        std::chrono::steady_clock::time_point at;
        std::chrono::nanoseconds contender;
        std::chrono::nanoseconds driver;
    };
    struct Memory {
        std::uint64_t resident = 0;      // bytes
        std::uint64_t proportional = 0;  // what is shared is divided
    };

    // A contender without processes costs nothing.
    explicit Meter(std::vector<pid_t> contender);

    bool has_contender() const { return !contender_.empty(); }
    Reading now() const;
    Memory memory() const;
    std::size_t open_descriptors() const;

private:
    std::vector<pid_t> contender_;
    std::vector<clockid_t> clocks_;
};

// How many have connected there and have not been accepted yet.
std::size_t accept_queue(const sockaddr_in& listener);

}  // namespace tcplock::bench
