// Whether a backend could listen on an address: asked of the kernel before one is spawned there.
#pragma once

#include "io/socket.hpp"

#include <system_error>

namespace tcplock::io {

// Binds, without listening, and lets go again; in the file system, asks whether somebody listens.
// `address_in_use` if somebody holds it; any other error is the backend's own to meet and to tell.
std::error_code bind_error(const Endpoint& address);

}  // namespace tcplock::io
