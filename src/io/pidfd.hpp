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
    // `process` was read a moment ago; if it is not the same any more, the hold is on nothing. If
    // we cannot look whether it is, the hold is on the pid and the start time alone.
    explicit Pidfd(const ProcessStat& process);

    // No error if it is gone already: that is what a signal is for. Nobody is signalled, and that
    // is an error, if we cannot look who has the pid. Never signals us or process 1.
    std::error_code send(int signal) const;

    // All its threads have ended; it may still be a zombie. False if we cannot look.
    bool has_ended() const;

    // While it is, its number is nobody else's. False if we cannot tell.
    bool is_surely_alive() const;

private:
    Presence presence() const { return presence_of(pid_, start_time_); }

    pid_t pid_;
    std::uint64_t start_time_;
    Descriptor fd_;
    bool is_gone_ = false;
};

}  // namespace tcplock::io
