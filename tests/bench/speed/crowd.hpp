// The clients: each connects, says its number or what an office's client says first, and has been
// answered when as many bytes have come back as should.
//
// Numbers are given out in the order of connecting, which blocks, so that it is the order in which
// the gate has accepted them.
#pragma once

#include "backend.hpp"
#include "loop.hpp"

#include <cstddef>
#include <functional>
#include <netinet/in.h>
#include <string>
#include <unordered_map>

namespace tcplock::bench {

class Crowd {
public:
    struct Client {
        int fd;
        Number number;
        std::string heard;
    };
    enum class Says { nothing, its_number, an_opening };

    Crowd(Loop& loop, const sockaddr_in& front, Says says)
        : loop_{loop}, front_{front}, says_{says} {}

    // Told of each who has been answered. It is still there.
    std::function<void(const Client&)> answered = [](const Client&) {};

    const Client& come() { return come(says_); }
    const Client& come(Says says);
    // So many, with turns of the loop in between, but no faster than they are accepted: what the
    // system cannot keep any more it drops, and the order is lost.
    void come(std::size_t count, Says says);
    void say(const Client& client, const std::string& what);
    void leave(int fd);
    // With turns of the loop in between.
    void leave_all();

private:
    void hear(int fd);

    Loop& loop_;
    const sockaddr_in front_;
    const Says says_;
    Number next_ = 1;
    std::unordered_map<int, Client> clients_;
};

}  // namespace tcplock::bench
