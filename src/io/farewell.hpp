// Turning a client away: a clean end, not a reset.
#pragma once

#include "io/descriptor.hpp"

namespace tcplock::io {

// What the client has sent is read and dropped first, for closing on unread bytes would be a reset
// that may overtake everything. At most 64 KiB, and no waiting: a client that floods is reset.
void say_farewell(Descriptor client);

}  // namespace tcplock::io
