// What a generation leaves behind where it lived: temporary files, and its sockets in the file
// system.
//
// Only what is its own is swept, once all its processes have been reaped: the temporary files are
// in a folder of the place's, and of the sockets it was seen that it listened there. It is done by
// a program that runs as the backend's user, whose files they are. What cannot be swept is told,
// and left.
#pragma once

#include "daemon/command.hpp"
#include "daemon/place.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace tcplock::daemon {

class Litter {
public:
    Litter(const Places& places, Commands& commands) : places_(places), commands_(commands) {}

    // `sockets` are paths. Starts nothing if there is nothing to sweep.
    boost::asio::awaitable<void> sweep(const Setting& setting, std::vector<std::string> sockets);

private:
    const Places& places_;
    Commands& commands_;
};

}  // namespace tcplock::daemon
