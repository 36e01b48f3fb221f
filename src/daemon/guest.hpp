// A client inside a backend, as those know him who do not let him in.
#pragma once

#include "core/types.hpp"

#include <string>

namespace tcplock::daemon {

struct Guest {
    core::ClientId id;
    std::string peer;
    core::Generation generation;
};

}  // namespace tcplock::daemon
