// A small process beside ours, for the case that we are killed: it ends what we had started.
//
// The kernel's own means, a death signal, reaches the program we start and none of what that has
// started. LibreOffice's launcher is to pass it on, and does not when it has started the office in
// that very millisecond (3 of 100 offices went on), nor to the Java that it looks for; and at times
// it hangs. The warden hears of our end by the end of a pipe, and kills at once what carries this
// run's cookie, and its relatives (io/orphans.hpp). It is nobody's child, so that whoever looks at
// our children sees backends only.
//
// There is none as process 1, where the kernel ends everything in the container together with us,
// nor for a backend that somebody else runs. Whoever kills the warden as well leaves the death
// signal, and the next start.
#pragma once

#include "config/config.hpp"
#include "io/descriptor.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace tcplock::daemon {

// What every backend started by one run of a supervisor carries in its environment.
constexpr auto run_variable = "TCPLOCK_RUN";

class Warden {
public:
    // To be made before there is any thread, and with a backend's user that is there. Should there
    // be no process to be had for it, we go on without; watch_over_it() tells.
    explicit Warden(const config::Config& config);
    // All is in order: it goes without a look.
    ~Warden();
    Warden(const Warden&) = delete;
    Warden& operator=(const Warden&) = delete;

    // The value of `run_variable`.
    const std::string& run() const noexcept { return run_; }

    // Tells the log should there be no warden, now or later. Completes then, when it is
    // cancelled, or at once where none is needed.
    boost::asio::awaitable<void> watch_over_it() const;

private:
    void start(const config::Config& config);

    std::string run_;
    io::Descriptor our_end_;
    std::string why_none_;
};

}  // namespace tcplock::daemon
