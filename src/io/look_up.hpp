// The addresses that a host's name stands for, and a port.
//
// The system's look-up blocks and cannot be broken off, so each has a thread of its own, which is
// left to itself at the limit, and at our end. Asio's resolver would be waited for.
#pragma once

#include "io/tcp.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace tcplock::io {

struct LookUp {
    std::vector<tcp::endpoint> endpoints;  // in the system's order of preference; a few at most
    std::string why;                       // there is none, in words
};

// "localhost:8100", or a numeric address and a port.
boost::asio::awaitable<LookUp> look_up(std::string service, std::chrono::nanoseconds limit);

}  // namespace tcplock::io
