// What an empty file means, for each protocol.
//
// Durations and counts have their defaults in core::Policy; here is what depends on the protocol.
// TCP has no default command, address and listener: those are empty and must be written.
#pragma once

#include "config/config.hpp"

namespace tcplock::config {

Config defaults(Protocol protocol);

// Those of a gate alone, before a service that somebody else runs. It is TCP, and is not recycled.
Config gate_alone();

}  // namespace tcplock::config
