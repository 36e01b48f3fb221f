// What an empty file means, for each protocol.
//
// Durations and counts have their defaults in core::Policy; here is what depends on the protocol.
// TCP has no default command, address and listener: those are empty and must be written.
#pragma once

#include "config/config.hpp"

#include <string>

namespace tcplock::config {

Config defaults(Protocol protocol);

// How an office is reached: a pipe is a socket in the file system, to which nobody else's processes
// may connect.
enum class Way { pipe, tcp };

// What an office is told, and where it then listens.
void connect_by(Way way, std::string& accept, std::string& address);

// Those of a gate alone, before a service that somebody else runs. It is TCP, and is not recycled.
Config gate_alone();

}  // namespace tcplock::config
