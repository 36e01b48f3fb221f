#include "daemon/daemon.hpp"

#include "daemon/foreign_backend.hpp"
#include "daemon/log.hpp"
#include "daemon/memory.hpp"
#include "daemon/open_files.hpp"
#include "daemon/own_backends.hpp"
#include "daemon/reload.hpp"
#include "io/socket.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

// The clock may be set: the schedule is looked at again so often.
constexpr std::chrono::seconds schedule_look_max = 30s;
constexpr std::chrono::seconds pulse = 1s;
constexpr std::chrono::seconds last_words_limit = 1s;
// timeout(1) and shells signal the process and then its group: that is one request, not two.
constexpr std::chrono::milliseconds same_request = 200ms;
// Further back than a clock is corrected: what was due by the old time is reckoned anew.
constexpr std::chrono::minutes clock_was_set_back = 10min;

// An effect is for one of the two halves, or for both; the rest is the daemon's own.
template <class Half, class What>
concept Performs = requires(Half& half, const What& effect) {
    half.perform(effect);
};

std::string_view name_of(int signal) {
    switch (signal) {
        case SIGTERM:
            return "TERM";
        case SIGINT:
            return "INT";
        case SIGHUP:
            return "HUP";
        case SIGUSR1:
            return "USR1";
        default:
            return "?";
    }
}

std::string what(std::exception_ptr failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "not even an exception";
    }
}

// The limits, lowered to what the machine has.
core::Policy fitting(const config::Config& config, const PassedSockets& passed,
                     std::size_t open_files) {
    const std::size_t listeners = count_listeners(passed, config);
    return fit_memory(fit_line(config.policy, open_files, listeners), config.protocol);
}

// As many standbys as there was room for when we started.
core::Policy fitting_beside(std::size_t standby, config::Config config, const PassedSockets& passed,
                            std::size_t open_files) {
    config.policy.backend.standby = standby;
    core::Policy policy = fitting(config, passed, open_files);
    policy.backend.standby = standby;
    return policy;
}

std::chrono::sys_seconds wall_clock() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

template <class Step>
void attempt(const Step& step) noexcept {
    try {
        step();
    } catch (...) {  // There is nobody left to tell.
    }
}

}  // namespace

Daemon::Daemon(config::Config config, PassedSockets passed, const Warden& warden)
    : config_(std::move(config)),
      passed_(std::move(passed)),
      warden_(warden),
      open_files_(raise_open_files_limit()),
      policy_(fitting(config_, passed_, open_files_)),
      calendar_(config_.schedule),
      core_(policy_),
      overview_(config_, policy_),
      backends_(make_backends()),
      operators_(io_.get_executor(), watcher_, config_, open_files_,
                 {[this] {
                      look_around();
                      return overview_.take(core_, *backends_, clients_);
                  },
                  overview_.record(),
                  [this](core::Event event, const std::string& what, const std::string& by) {
                      order_came(std::move(event), what, by);
                  },
                  [this](const std::string& by) { return reload(by); }},
                 tasks_),
      clients_(io_, watcher_, config_, passed_, open_files_, overview_.record(),
               {[this](core::Event event) { feed(std::move(event)); },
                [this](core::Generation generation) { return backends_->address_of(generation); },
                [this](core::Generation generation) { return backends_->instance_of(generation); },
                [this](core::Generation generation) { return backends_->is_ending(generation); },
                [this](core::Generation generation) { return backends_->has_died(generation); },
                [this](core::Generation generation) { return backends_->memory_of(generation); },
                [this](core::Generation generation) {
                    return backends_->processor_time_of(generation);
                }},
               tasks_, sessions_),
      systemd_(io_.get_executor(), [this] { return overview_.take(core_, *backends_, clients_); }),
      sessions_(io_.get_executor(), [this](const std::string& name,
                                           std::exception_ptr failure) { die(name, failure); }),
      tasks_(io_.get_executor(),
             [this](const std::string& name, std::exception_ptr failure) { die(name, failure); }) {}

std::unique_ptr<Backends> Daemon::make_backends() {
    Backends::Callbacks callbacks{
        [this](core::Event event) { feed(std::move(event)); },
        [this](core::Generation generation) { return clients_.inside(generation); },
        [this](core::Generation generation) { return clients_.is_visited(generation); },
        [this](core::Generation generation) { clients_.abort_sessions(generation); },
        [this](core::ClientId client) { return clients_.guest(client); },
        [this](const io::tcp::endpoint& address) { return clients_.is_gate(address); }};
    if (!config_.owns_backend()) {
        return std::make_unique<ForeignBackend>(io_, config_, reaper_, overview_.record(),
                                                std::move(callbacks), tasks_);
    }
    return std::make_unique<OwnBackends>(io_, config_, warden_.run(), policy_.recycle, reaper_,
                                         overview_.record(), std::move(callbacks), tasks_);
}

int Daemon::run() {
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) {
        signals_.add(signal);
    }
    // Blocked since the first line of main(): what came meanwhile is delivered now.
    sigset_t all;
    ::sigfillset(&all);
    ::sigprocmask(SIG_UNBLOCK, &all, nullptr);

    reaper_.start();
    tasks_.spawn("signals", follow_signals());
    tasks_.spawn("schedule", follow_schedule());
    systemd_.start(tasks_);
    tasks_.spawn("begin", begin());
    sessions_.spawn("watcher", watcher_.run());
    operators_.start();
    tasks_.spawn("warden", warden_.watch_over_it());
    try {
        io_.run();
    } catch (...) {
        die("the event loop", std::current_exception());
    }
    Line(Line::Level::info, "stopped");
    return EXIT_SUCCESS;
}

// Until orphans are gone nothing may start; clients who connect meanwhile wait in the listeners.
boost::asio::awaitable<void> Daemon::begin() {
    co_await backends_->begin();
    clients_.start();
    has_begun_ = true;
    feed(core::DeadlineReached{});
    systemd_.ready();
}

// ---- The one way in ----------------------------------------------------------------------------

void Daemon::feed(core::Event event) {
    inbox_.push_back(std::move(event));
    if (!has_begun_ || is_feeding_) {
        return;
    }
    is_feeding_ = true;
    try {
        while (!inbox_.empty()) {
            const core::Event next = std::move(inbox_.front());
            inbox_.pop_front();
            handle(next);
        }
    } catch (...) {  // Half of an event is worse than an end.
        die("the events", std::current_exception());
    }
    is_feeding_ = false;
    rearm();
    look_around();
    keep_pulse();
    systemd_.stir();
}

void Daemon::handle(const core::Event& event) {
    for (const core::Effect& effect : core_.handle(event, steady_clock::now())) {
        overview_.note(effect, *backends_);
        perform(effect);
    }
}

void Daemon::perform(const core::Effect& effect) {
    std::visit(
        [this](const auto& what) {
            using What = std::decay_t<decltype(what)>;
            if constexpr (Performs<Backends, What>) {
                backends_->perform(what);
            }
            if constexpr (Performs<Clients, What>) {
                clients_.perform(what);
            }
            if constexpr (Performs<Systemd, What>) {
                systemd_.perform(what);
            }
            if constexpr (std::is_same_v<What, core::Finish>) {
                tasks_.spawn("end", end());
            } else {
                static_assert(Performs<Backends, What> || Performs<Clients, What>);
            }
        },
        effect);
}

void Daemon::rearm() {
    const auto deadline = core_.deadline();
    if (deadline == armed_for_) {
        return;
    }
    armed_for_ = deadline;
    if (!deadline) {
        deadline_timer_.cancel();
        return;
    }
    deadline_timer_.expires_at(*deadline);
    deadline_timer_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            armed_for_.reset();
            feed(core::DeadlineReached{});
        }
    });
}

// ---- Signals and the schedule ------------------------------------------------------------------

boost::asio::awaitable<void> Daemon::follow_signals() {
    while (true) {
        const auto [error, number] = co_await signals_.async_wait(io::use_result);
        if (error) {
            co_return;
        }
        signal_came(number);
    }
}

void Daemon::signal_came(int number) {
    switch (number) {
        case SIGHUP:
            (void)reload("signal HUP");
            return;
        case SIGUSR1:
            Line(Line::Level::info, "recycle requested").with("signal", name_of(number));
            feed(core::RecycleRequested{core::StopReason::requested});
            return;
        default:
            break;
    }
    const auto now = steady_clock::now();
    const bool is_second = told_to_stop_at_.has_value();
    if (is_second && now - *told_to_stop_at_ < same_request) {
        return;
    }
    told_to_stop_at_ = told_to_stop_at_.value_or(now);
    Line(Line::Level::info, is_second ? "shutting down at once" : "shutting down")
        .with("signal", name_of(number))
        .with("waiting", clients_.waiting());
    if (is_second) {
        clients_.hurry();
        backends_->notices().end_at_once();
    } else {
        backends_->notices().end_by(now + policy_.shutdown_timeout);
    }
    feed(core::ShutdownRequested{is_second ? core::ShutdownRequested::Urgency::at_once
                                           : core::ShutdownRequested::Urgency::in_time});
}

void Daemon::order_came(core::Event event, const std::string& what, const std::string& by) {
    {
        Line line(Line::Level::info, what + " requested");
        if (const auto* const recycle = std::get_if<core::RecycleRequested>(&event)) {
            line.with("instance",
                      recycle->instance ? std::to_string(core::number(*recycle->instance)) : "all");
        }
        if (const auto* const cut = std::get_if<core::CutRequested>(&event)) {
            line.with("client", core::number(cut->client));
        }
        if (std::holds_alternative<core::ShutdownRequested>(event)) {
            line.with("waiting", clients_.waiting());
        }
        line.with("by", by);
    }
    feed(std::move(event));
}

// What became of it is told to whoever asked, and to the log.
admin::Reloaded Daemon::reload(const std::string& by) {
    Reread reread;
    if (!has_begun_ || core_.mode() != core::Mode::serving) {
        reread.why_not = has_begun_ ? "it is shutting down" : "it is still starting";
    } else {
        systemd_.reloading();
        reread = read_and_obey(by);
        systemd_.ready();
    }
    const bool is_done = reread.why_not.empty();
    if (!is_done) {
        tell_refusal(reread, by);
    }
    return {is_done, is_done ? reread.in_words() : reread.why_not + "\nNothing was changed."};
}

// Whatever is wrong with a file, it is no reason to end.
Reread Daemon::read_and_obey(const std::string& by) {
    Reread reread;
    core::Policy policy;
    try {
        reread = read_again(config_, passed_);
        if (!reread.why_not.empty()) {
            return reread;
        }
        policy = fitting_beside(policy_.backend.standby, reread.config, passed_, open_files_);
        clients_.listen_at(reread.config.listen);
    } catch (const std::exception& error) {
        reread.why_not = error.what();
        return reread;
    }
    tell_changes(reread, by);
    obey(reread, policy);
    return reread;
}

void Daemon::obey(const Reread& reread, const core::Policy& policy) {
    const bool is_rescheduled = config_.schedule != reread.config.schedule;
    config_ = reread.config;
    policy_ = policy;
    set_log_level(config_.log_level);
    if (is_rescheduled) {
        calendar_ = Calendar(config_.schedule);
        scheduled_ = calendar_.next(wall_clock());
        schedule_timer_.cancel();  // It is looked at again.
    }
    feed(core::PolicyChanged{policy_, reread.needs_fresh_backends()});
}

// Of the wall clock only this depends: it is looked at again and again, since it may be set. What
// was due is not due again when it is set back a little.
boost::asio::awaitable<void> Daemon::follow_schedule() {
    auto now = wall_clock();
    scheduled_ = calendar_.next(now);
    while (true) {
        if (scheduled_) {
            schedule_timer_.expires_after(
                std::clamp<std::chrono::seconds>(*scheduled_ - now, 1s, schedule_look_max));
        } else {
            schedule_timer_.expires_at(steady_clock::time_point::max());
        }
        (void)co_await schedule_timer_.async_wait(io::use_result);
        if (has_ended_) {
            co_return;
        }
        const auto before = std::exchange(now, wall_clock());
        if (scheduled_ && now >= *scheduled_) {
            feed(core::RecycleRequested{core::StopReason::schedule});
            scheduled_ = calendar_.next(now);
        } else if (now < before - clock_was_set_back) {
            scheduled_ = calendar_.next(now);
        }
    }
}

// ---- What there is to be remembered ------------------------------------------------------------

// When something happens, and when somebody asks; no more than once a second.
void Daemon::look_around() {
    const auto now = steady_clock::now();
    if (now - looked_at_ >= pulse) {
        looked_at_ = now;
        overview_.sample(core_, *backends_);
    }
}

// Once a second while there are clients, and then also how late we come to what is due. Without
// any, nobody minds, and we are not woken.
void Daemon::keep_pulse() {
    if (has_pulse_ || has_ended_ || !clients_.is_anybody_here()) {
        return;
    }
    has_pulse_ = true;
    pulse_timer_.expires_after(pulse);
    const auto due = pulse_timer_.expiry();
    pulse_timer_.async_wait([this, due](boost::system::error_code error) {
        has_pulse_ = false;
        if (!error) {
            overview_.record().loop_was_late(steady_clock::now() - due);
            look_around();
            keep_pulse();
            systemd_.stir();
        }
    });
}

// ---- The end -----------------------------------------------------------------------------------

boost::asio::awaitable<void> Daemon::end() {
    co_await backends_->notices().last_words();
    finish();
}

void Daemon::finish() {
    has_ended_ = true;
    deadline_timer_.cancel();
    signals_.cancel();
    schedule_timer_.cancel();
    pulse_timer_.cancel();
    clients_.close();
    operators_.close();
    reaper_.stop();
    tasks_.cancel_all();
}

// A bug of ours, or no memory: nothing can be trusted any more, least of all an orderly end. No
// backend survives, and whoever runs us may start us again. Each step may fail for the same reason
// as all else did, and the next is taken all the same.
void Daemon::die(const std::string& where, std::exception_ptr failure) noexcept {
    attempt([this] { backends_->kill_all(); });
    attempt([&where, &failure] {
        Line(Line::Level::error, "internal error, ending at once")
            .with("where", where)
            .with("what", what(failure));
    });
    attempt([] { stop_logging(last_words_limit); });
    std::_Exit(EXIT_FAILURE);
}

}  // namespace tcplock::daemon
