// What an empty file means, for each protocol.
//
// Durations and counts have their defaults in core::Policy; here is what depends on the protocol.
// TCP has no default command, address and listener: those are empty and must be written.
#pragma once

#include "config/config.hpp"

namespace tcplock::config {

Config defaults(Protocol protocol);

}  // namespace tcplock::config
