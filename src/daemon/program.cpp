#include "daemon/program.hpp"

#include "daemon/daemon.hpp"
#include "daemon/log.hpp"
#include "daemon/warden.hpp"

#include <chrono>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace tcplock::daemon {
namespace {

constexpr auto log_flush_limit = std::chrono::seconds{1};

sigset_t our_signals() {
    sigset_t ours;
    ::sigemptyset(&ours);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
        ::sigaddset(&ours, signal);
    }
    return ours;
}

void hold_signals() {
    const sigset_t ours = our_signals();
    ::sigprocmask(SIG_BLOCK, &ours, nullptr);
    // A reader of ours that has gone is an error of that write, not of the program.
    std::signal(SIGPIPE, SIG_IGN);
}

// Or a socket of ours would get one of these numbers, and be taken for a standard stream.
void open_standard_streams() {
    int fd = 0;
    do {
        fd = ::open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO) {
        ::close(fd);
    }
}

}  // namespace

void begin_program() {
    hold_signals();
    open_standard_streams();
}

void release_signals() {
    const sigset_t ours = our_signals();
    ::sigprocmask(SIG_UNBLOCK, &ours, nullptr);
}

int run(const config::Config& config, PassedSockets passed) {
    const Warden warden(config);
    start_logging(config.log_level, config.log_format);
    int code = exit_failed;
    try {
        code = Daemon(config, std::move(passed), warden).run();
    } catch (const std::exception& error) {
        Line(Line::Level::error, "cannot start").with("why", error.what());
    }
    stop_logging(log_flush_limit);
    return code;
}

}  // namespace tcplock::daemon
