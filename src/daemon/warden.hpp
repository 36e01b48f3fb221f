// A small process beside ours, for the case that we are killed: it ends what we had started.
//
// The kernel's own means, a death signal, reaches the program we start and none of what that has
// started. LibreOffice's launcher is to pass it on, and does not when it has started the office in
// that very millisecond (3 of 100 offices went on), nor to the Java that it looks for; and at times
// it hangs. The warden hears of our end by the end of a pipe,
// and kills everything that carries this run's cookie. It is nobody's child, so that an operator
// who looks at our children sees backends only.
//
// There is none as process 1, where the kernel ends everything in the container together with us,
// nor for a backend that somebody else runs. Whoever kills the warden as well leaves the death
// signal, and the next start.
#pragma once

#include "config/config.hpp"
#include "io/descriptor.hpp"

#include <string>

namespace tcplock::daemon {

// What everything started by one run of a supervisor carries in its environment.
constexpr auto run_variable = "TCPLOCK_RUN";

class Warden {
public:
    // To be made before there is any thread. Throws std::system_error if there can be none.
    explicit Warden(const config::Config& config);
    // All is in order: it goes without a look.
    ~Warden();
    Warden(const Warden&) = delete;
    Warden& operator=(const Warden&) = delete;

    // The value of `run_variable`.
    const std::string& run() const noexcept { return run_; }

private:
    std::string run_;
    io::Descriptor our_end_;
};

}  // namespace tcplock::daemon
