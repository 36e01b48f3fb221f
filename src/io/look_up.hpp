// The addresses that a host's name stands for, and a port.
//
// The system's look-up blocks and cannot be broken off, so it has a thread of its own, which is
// left to itself at the limit, and at our end. Asio's resolver would be waited for.
#pragma once

#include "io/socket.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace tcplock::io {

struct LookUp {
    std::vector<tcp::endpoint> endpoints;  // in the system's order of preference; a few at most
    std::string why;                       // there is none, in words
};

// Asked for one service, again and again.
class NameService {
public:
    // "localhost:8100", or a numeric address and a port. While an earlier look-up has not come to
    // its end, that one is waited for: a service that hangs has one thread of ours, not many.
    boost::asio::awaitable<LookUp> look_up(std::string service, std::chrono::nanoseconds limit);

private:
    struct Answer;
    static void ask(std::shared_ptr<Answer> answer, std::string host, std::string port);
    static boost::asio::awaitable<void> await(std::shared_ptr<Answer> answer);

    std::shared_ptr<Answer> awaited_;
};

}  // namespace tcplock::io
