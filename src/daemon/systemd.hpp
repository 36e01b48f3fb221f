// What systemd is told of us, if it has started us (sd_notify(3)): that clients may come, how
// things stand, that the event loop turns, and that an end needs its time.
//
// It decides nothing and never waits. Without NOTIFY_SOCKET there is nobody to be told. All of it
// is sent from the event loop, so that one that stands still is missed.
#pragma once

#include "admin/view.hpp"
#include "core/effects.hpp"
#include "io/notify_socket.hpp"
#include "io/task_group.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>

namespace tcplock::daemon {

class Systemd {
public:
    // Looks at the environment. `look` is asked once a second at most, if there is somebody to be
    // told.
    Systemd(boost::asio::any_io_executor executor, std::function<admin::View()> look);

    void start(io::TaskGroup& tasks);

    // Things may stand otherwise than before.
    void stir();
    // Who connects from here on is taken, and waits if need be.
    void ready();
    // The configuration is being read; ready() follows.
    void reloading();
    // The end has begun.
    void perform(const core::StopListening& effect);

private:
    boost::asio::awaitable<void> tell_how_things_stand();
    boost::asio::awaitable<void> feed_watchdog(std::chrono::microseconds interval);
    void owe(std::string news);
    void pay();
    void ask_for_time();
    bool tell_status();

    boost::asio::any_io_executor executor_;
    std::function<admin::View()> look_;
    std::optional<io::NotifySocket> socket_;
    std::deque<std::string> owed_;  // news that have not been taken yet
    std::string status_;            // as it was told last
    boost::asio::steady_timer looked_;
    bool is_stirred_ = false;
    bool is_resting_ = false;
    bool is_ending_ = false;
    std::chrono::steady_clock::time_point has_time_until_;  // as far as it was asked for
};

// "serving, 1 inside, 3 wait, the first for 12 s", on one line.
std::string status_in_words(const admin::View& view);

// How often systemd wants to hear that we live, by WATCHDOG_USEC and, if it is there, WATCHDOG_PID.
// None if it does not, or means somebody else.
std::optional<std::chrono::microseconds> watchdog_limit();

}  // namespace tcplock::daemon
