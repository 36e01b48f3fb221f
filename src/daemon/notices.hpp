// Tells an operator's programs what has become of a backend: that it has answered, that it has
// ended. Nobody waits for them.
//
// Of one kind one runs at a time for one instance. What happens meanwhile waits, and only the
// newest of it: a backend that comes and goes starts no storm. What is left out is said in the log.
#pragma once

#include "config/config.hpp"
#include "daemon/command.hpp"
#include "daemon/hooks.hpp"
#include "daemon/occasion.hpp"
#include "io/task_group.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace tcplock::daemon {

class Notices {
public:
    // All must outlive what runs.
    Notices(boost::asio::io_context& io, const config::Config& config, Hooks& hooks,
            io::TaskGroup& tasks);

    void backend_ready(Occasion occasion);
    void backend_stopped(Occasion occasion);

    // The supervisor is told to end: by then, or a moment after all else has ended.
    void end_by(std::chrono::steady_clock::time_point instant);
    // It is to end at once: nothing is told any more.
    void end_at_once();

    // All else has ended: completes when nothing is told any more. What still runs at the time for
    // that is killed, and said.
    boost::asio::awaitable<void> last_words();

private:
    // What is told, by the hook there was for it when it happened.
    struct Notice {
        config::Hook hook;
        Occasion occasion;
    };
    // One that runs, and what waits behind it.
    struct Lane {
        Notice running;
        std::optional<Notice> next = {};
    };

    void tell(const std::optional<config::Hook>& hook, Occasion occasion);
    boost::asio::awaitable<void> tell_all(HookLane which);
    void leave_out_what_waits();
    std::chrono::steady_clock::time_point end_of_all(
        std::chrono::steady_clock::time_point begin) const;
    boost::asio::awaitable<void> look_again(std::chrono::steady_clock::time_point at_latest);

    const config::Config& config_;
    Hooks& hooks_;
    io::TaskGroup& tasks_;
    std::map<HookLane, Lane> lanes_;
    bool is_over_ = false;
    std::chrono::steady_clock::time_point end_by_ = std::chrono::steady_clock::time_point::max();
    boost::asio::steady_timer changed_;  // cancelled to wake who waits for the end of all
};

}  // namespace tcplock::daemon
