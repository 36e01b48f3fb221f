// Sockets that the service manager has opened and passes on (sd_listen_fds(3)): which there are,
// and whether clients can be accepted from them.
//
// They are its own as well, and it keeps them when we end: what is done to one is done for ever.
// Others whom it passes them to may do something to them as well.
#pragma once

#include "io/descriptor.hpp"
#include "io/socket.hpp"

#include <string>
#include <vector>

namespace tcplock::io {

struct PassedSocket {
    Descriptor socket;
    // For a person: the address as far as it has one, and what the service manager calls it.
    std::string what;
    // No client can be accepted from it: what it is, and what it should be. Empty if one can.
    std::string why_not;
    // What it is if it is no socket of whatever kind: "is no socket" (OpenFile= in
    // systemd.service(5) passes files), or "is not open".
    std::string no_socket;
    // Of one that clients can be accepted from: what it was bound to, and where they come to it.
    tcp::endpoint address;
    std::vector<tcp::endpoint> endpoints;
    std::string name;  // by LISTEN_FDNAMES: its unit's, unless that says otherwise
};

// In their order; none if they are meant for another process (LISTEN_PID). From here on they are
// close-on-exec and block nobody. To be called once, and before any descriptor is closed.
std::vector<PassedSocket> take_passed_sockets();

}  // namespace tcplock::io
