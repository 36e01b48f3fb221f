// Whether an address leads back to this machine. Asks the kernel what its interfaces have; no names
// are looked up, and nothing is bound, which might be allowed for addresses of others too.
#pragma once

#include <boost/asio/ip/address.hpp>

namespace tcplock::io {

// Where a connection to this address arrives: one to the unspecified address goes to the loopback.
boost::asio::ip::address reached_by(const boost::asio::ip::address& address);

// False as well if the kernel does not tell.
bool is_of_this_machine(const boost::asio::ip::address& address);

}  // namespace tcplock::io
