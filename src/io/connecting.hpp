// A connection that is begun without waiting: to this machine's own addresses it is made by then.
#pragma once

#include "io/descriptor.hpp"
#include "io/socket.hpp"

#include <system_error>

namespace tcplock::io {

struct Attempt {
    Descriptor socket;      // close-on-exec, non-blocking, no delay, urgent bytes inline
    std::error_code error;  // operation_in_progress: writable, it is made, or SO_ERROR says why not
};

// `resource_unavailable_try_again` in the file system: the listener's queue is full.
Attempt begin_connect(const Endpoint& endpoint);

// On Linux a socket that connects to a free port of its own system may be given that very port, and
// then is connected to itself: nobody accepted.
bool is_connected_to_itself(int socket, const Endpoint& endpoint);

}  // namespace tcplock::io
