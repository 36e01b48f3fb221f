// What ends a run: something failed here, or the contender has broken a promise.
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

namespace tcplock::bench {

class Failure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Two at once inside, somebody out of turn, or somebody who was turned away: its figures are not
// those of a gate.
class Broken : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

template <class Result>
Result checked(Result result, const char* what) {
    if (result < 0)
        throw std::system_error(errno, std::generic_category(), what);
    return result;
}

}  // namespace tcplock::bench
