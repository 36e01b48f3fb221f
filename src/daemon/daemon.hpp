// The shell round the core: one io_context, one thread, one way in.
//
// feed() is the only caller of the core, and runs to completion: what happens while the effects of
// one event are carried out waits in the inbox. There is one timer for all that the core waits for,
// armed at its deadline after every event. No mutex, no strand.
#pragma once

#include "config/config.hpp"
#include "core/supervisor.hpp"
#include "daemon/backends.hpp"
#include "daemon/calendar.hpp"
#include "daemon/clients.hpp"
#include "daemon/operators.hpp"
#include "daemon/overview.hpp"
#include "daemon/passed.hpp"
#include "daemon/reload.hpp"
#include "daemon/systemd.hpp"
#include "daemon/warden.hpp"
#include "io/reaper.hpp"
#include "io/task_group.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>

namespace tcplock::daemon {

class Daemon {
public:
    // Makes the backends' half and opens the listeners; nothing is spawned yet. Throws
    // std::exception with a sentence for the operator. The warden must outlive it.
    Daemon(config::Config config, PassedSockets passed, const Warden& warden);

    // Until told to stop; the exit code. After a bug of ours it does not return.
    int run();

private:
    std::unique_ptr<Backends> make_backends();
    void feed(core::Event event);
    void handle(const core::Event& event);
    void perform(const core::Effect& effect);
    void rearm();
    void look_around();
    void keep_pulse();

    boost::asio::awaitable<void> begin();
    boost::asio::awaitable<void> follow_signals();
    boost::asio::awaitable<void> follow_schedule();
    void signal_came(int number);
    void order_came(core::Event event, const std::string& what, const std::string& by);
    admin::Reloaded reload(const std::string& by);
    Reread read_and_obey(const std::string& by);
    void obey(const Reread& reread, const core::Policy& policy);
    boost::asio::awaitable<void> end();
    void finish();
    [[noreturn]] void die(const std::string& where, std::exception_ptr failure) noexcept;

    config::Config config_;  // in force: all others look at this one
    PassedSockets passed_;   // where they listen; the clients' half has taken the sockets
    const Warden& warden_;
    const std::size_t open_files_;
    core::Policy policy_;  // lowered where the machine asks for it
    boost::asio::io_context io_{1};
    Calendar calendar_;
    core::Supervisor core_;
    std::deque<core::Event> inbox_;
    bool has_begun_ = false;  // until then the inbox only fills
    bool is_feeding_ = false;
    bool has_ended_ = false;

    boost::asio::steady_timer deadline_timer_{io_};
    std::optional<core::Instant> armed_for_;
    boost::asio::steady_timer schedule_timer_{io_};
    std::optional<std::chrono::sys_seconds> scheduled_;
    boost::asio::steady_timer pulse_timer_{io_};
    bool has_pulse_ = false;
    std::chrono::steady_clock::time_point looked_at_;
    boost::asio::signal_set signals_{io_};
    std::optional<std::chrono::steady_clock::time_point> told_to_stop_at_;
    io::Reaper reaper_{io_};
    Overview overview_;
    std::unique_ptr<Backends> backends_;
    io::Watcher watcher_{io_.get_executor()};
    Operators operators_;  // before the clients: who reads that they may connect can also ask
    Clients clients_;
    Systemd systemd_;
    io::TaskGroup sessions_;  // may still owe their clients something when all else has ended
    io::TaskGroup tasks_;     // what uses the members above
};

}  // namespace tcplock::daemon
