// A check of our own contract, on in every build.
//
// For bugs only, never for anything a client, a backend, the network or a file can cause.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace tcplock::core {

inline void require(bool holds, const char* what) noexcept {
    if (holds) {
        return;
    }
    std::fprintf(stderr, "tcplock-supervisor: internal error: %s\n", what);
    std::abort();
}

}  // namespace tcplock::core
