// What a client says first: is it UNO's protocol?
//
// An office makes room for as many bytes as the first four name, at once and for ever: one stray
// "GET / HTTP/1.1" costs it 1.1 GB of address space. So what a client says first is looked at
// before the office is touched. Every UNO client begins with a request of its own, without waiting
// for the office's greeting (binaryurp/source/bridge.cxx, sendRequestChangeRequest; ridljar's
// urp.java does the same), and the first request of all names its type, its object and its thread.
//
// This looks at nothing beyond the first message, and remembers nothing: it is shown all that has
// come so far.
#pragma once

#include "uno/bytes.hpp"

#include <cstddef>
#include <string>

namespace tcplock::uno {

// The first block may be so long; those of real clients have about a hundred bytes.
inline constexpr std::size_t opening_max = 65536;

struct Opening {
    enum class Verdict {
        incomplete,
        uno,
        foreign,
    };
    Verdict verdict = Verdict::incomplete;
    // Incomplete: when so many bytes have come in all, more can be said.
    std::size_t wanted = 0;
};

Opening judge_opening(Bytes received);

// What a foreign opening looks like, for the log: "an HTTP request (47 45 54 20 2f 20 48 54 …)".
std::string describe_opening(Bytes received);

}  // namespace tcplock::uno
