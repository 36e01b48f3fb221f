// One who is inside and says 64 bytes, again and again, and times each until it has come back.
#pragma once

#include "loop.hpp"

#include <chrono>
#include <cstddef>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <vector>

namespace tcplock::bench {

class Pinger {
public:
    using Milliseconds = std::chrono::milliseconds;

    // Says it again as soon as it has come back, or after each pause if it has.
    Pinger(Loop& loop, const sockaddr_in& front, std::optional<Milliseconds> pause = {});
    ~Pinger();
    Pinger(const Pinger&) = delete;
    Pinger& operator=(const Pinger&) = delete;

    // In microseconds.
    const std::vector<double>& times() const { return times_; }
    void forget_the_past() { times_.clear(); }

private:
    void say();
    void hear();

    Loop& loop_;
    int fd_;
    int timer_ = -1;
    std::string said_;
    std::size_t heard_ = 0;
    bool is_awaited_ = false;
    std::chrono::steady_clock::time_point since_;
    std::vector<double> times_;
};

}  // namespace tcplock::bench
