// Somebody who watches: asks for the status over the admin socket, again as soon as it is answered.
#pragma once

#include "loop.hpp"

#include <cstdint>
#include <string>

namespace tcplock::bench {

class Reader {
public:
    Reader(Loop& loop, std::string socket);
    std::uint64_t answers() const { return answers_; }

private:
    void connect();
    void ask();
    void hear();

    Loop& loop_;
    const std::string socket_;
    int fd_ = -1;
    std::string heard_;
    std::uint64_t answers_ = 0;
};

}  // namespace tcplock::bench
