// A hold on one process that survives the reuse of its number: what is signalled is the process
// that was meant, or nothing. Where the kernel or a container's filter refuses pidfds it falls back
// to the pid with a look at the start time, which leaves a race of microseconds.
#pragma once

#include "io/descriptor.hpp"
#include "io/proc.hpp"

#include <system_error>

namespace tcplock::io {

class Pidfd {
public:
    // `process` was read a moment ago; if it is not the same any more, the hold is on nothing.
    explicit Pidfd(const ProcessStat& process);

    // No error if it is gone already: that is what a signal is for. Never signals us or process 1.
    std::error_code send(int signal) const;

    // All its threads have ended; it may still be a zombie.
    bool has_ended() const;

private:
    bool is_same() const;

    pid_t pid_;
    std::uint64_t start_time_;
    Descriptor fd_;
    bool is_gone_ = false;
};

}  // namespace tcplock::io
