// Waits for what a client says first, and looks whether it is UNO's protocol. All of it stays in
// the system's buffer, to be read by whoever serves the client.
//
// It has no limit of its own: whoever waits for it wakes it, having closed the socket, or wanting
// no more. A client that sends byte by byte wakes it three times; one that sends urgent bytes,
// which cannot be seen, twenty times a second.
#pragma once

#include "io/watcher.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>

namespace tcplock::io {

struct ClientOpening {
    enum class How {
        uno,      // it may go on
        foreign,  // it speaks something else, or ended in the middle of its first message
        none,     // it went without a byte, or the socket was aborted
    };
    How how = How::none;
    std::string what;  // what a foreign one looks like
};

// `is_wanted` is asked each time before it is waited for.
boost::asio::awaitable<ClientOpening> await_uno_opening(News& client,
                                                        std::function<bool()> is_wanted);

}  // namespace tcplock::io
