// Where clients reach a TCP socket that listens.
//
// A socket of IPv6 for every address may take IPv4's clients as well, and is at two addresses then.
// Those that a socket unit opens do (BindIPv6Only=default in systemd.socket(5)); ours do not.
#pragma once

#include "io/descriptor.hpp"
#include "io/socket.hpp"

#include <vector>

namespace tcplock::io {

// Each in the notation of the clients that come there. None of a socket that is not IP's.
std::vector<tcp::endpoint> endpoints_of(const Descriptor& listening);

// Whether who connects to an address comes to a socket that listens at `gate`.
bool leads_to(const tcp::endpoint& address, const tcp::endpoint& gate);

}  // namespace tcplock::io
