#include "io/interruption.hpp"

#include <csignal>
#include <sys/time.h>

namespace tcplock::io {
namespace {

// More than a call takes that does not wait, and less than anybody notices.
constexpr suseconds_t pause_microseconds = 10'000;

void do_nothing(int) {}

// Without SA_RESTART, or the call would go on waiting.
bool heed_signal() {
    struct sigaction action {};
    action.sa_handler = do_nothing;
    ::sigaction(SIGALRM, &action, nullptr);
    sigset_t alarm;
    ::sigemptyset(&alarm);
    ::sigaddset(&alarm, SIGALRM);
    ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);  // Whoever started us may have blocked it.
    return true;
}

void set_timer(suseconds_t microseconds) {
    const itimerval timer{{0, microseconds}, {0, microseconds}};
    ::setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

Interruption::Interruption() {
    [[maybe_unused]] static const bool heeded = heed_signal();
    set_timer(pause_microseconds);
}

Interruption::~Interruption() {
    set_timer(0);
}

}  // namespace tcplock::io
