// The only place that waits for children. Everything that descends from us and loses its parent
// becomes our child too, and is reaped here like those we started; as process 1 that includes
// strangers.
//
// It knows pids and whom to tell, nothing of backends. A pid stays valid until its exit is
// reported, and not a moment longer: whoever is told must forget the number at once.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <unordered_map>

namespace tcplock::io {

struct ExitStatus {
    int code = 0;    // Meaningful if `signal` is 0.
    int signal = 0;  // What killed it, or 0.
    bool core_dumped = false;

    static ExitStatus from_wait(int status);
    bool operator==(const ExitStatus&) const = default;
};

// "exited with status 1", "killed by signal 9 (KILL)", "killed by signal 11 (SEGV) (core dumped)".
std::string in_words(const ExitStatus& status);

class Reaper {
public:
    explicit Reaper(boost::asio::io_context& io);
    ~Reaper();
    Reaper(const Reaper&) = delete;
    Reaper& operator=(const Reaper&) = delete;

    // Throws std::system_error if the kernel will not let us adopt orphans.
    void start();
    void stop();

    // Calls `on_exit` once, when `pid` has been reaped. To be called in the same breath as the
    // spawn: exits are only collected between two turns of the io_context, so none can slip through
    // before.
    void own(pid_t pid, std::function<void(ExitStatus)> on_exit);
    bool owns(pid_t pid) const { return owners_.contains(pid); }
    void forget(pid_t pid);  // It is still reaped, but nobody is told.

    // Completes when children have been reaped, or at the deadline. Any number may wait at a time.
    // Descendants whose own parent lives are reaped by that, without a word to us: so look again at
    // short deadlines.
    boost::asio::awaitable<void> next_reap(std::chrono::steady_clock::time_point deadline);

private:
    class Waiters;

    void listen();
    void reap();
    void report(pid_t pid, ExitStatus status);

    boost::asio::io_context& io_;
    boost::asio::signal_set child_changed_;
    std::unordered_map<pid_t, std::function<void(ExitStatus)>> owners_;
    bool is_stopped_ = false;
    std::shared_ptr<Waiters> waiters_;  // Coroutines that wait hold it too: they may outlive us.
};

}  // namespace tcplock::io
