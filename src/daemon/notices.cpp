#include "daemon/notices.hpp"

#include "daemon/log.hpp"
#include "io/socket.hpp"
#include "io/turn.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tcplock::daemon {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

// Those who wait may have used up all the time there was for the end.
constexpr auto last_words_at_least = 1s;
// What is killed is gone soon, but for one in state D.
constexpr auto kill_limit = 1s;

constexpr std::string_view ends_now = "the supervisor ends";

void tell_of(std::string_view message, const Occasion& occasion, std::string_view why) {
    Line(Line::Level::warn, message)
        .with("hook", occasion.hook)
        .with("instance", occasion.values.instance)
        .with("generation", core::number(occasion.generation))
        .with("why", why);
}

}  // namespace

Notices::Notices(boost::asio::io_context& io, const config::Config& config, Hooks& hooks,
                 io::TaskGroup& tasks)
    : config_(config), hooks_(hooks), tasks_(tasks), changed_(io) {}

void Notices::backend_ready(Occasion occasion) {
    occasion.hook = "backend_ready";
    tell(config_.hooks.backend_ready, std::move(occasion));
}

void Notices::backend_stopped(Occasion occasion) {
    occasion.hook = "backend_stopped";
    tell(config_.hooks.backend_stopped, std::move(occasion));
}

void Notices::tell(const std::optional<config::Hook>& hook, Occasion occasion) {
    if (!hook) {
        return;
    }
    if (is_over_) {
        tell_of("hook skipped", occasion, ends_now);
        return;
    }
    const HookLane which = lane_of(occasion);
    const auto found = lanes_.find(which);
    if (found == lanes_.end()) {
        lanes_.emplace(which, Lane{Notice{*hook, std::move(occasion)}});
        tasks_.spawn("notice", tell_all(which));
        return;
    }
    std::optional<Notice>& next = found->second.next;
    if (next) {
        tell_of("hook skipped", next->occasion,
                "the one before it still runs, and a newer one waits");
    }
    next = Notice{*hook, std::move(occasion)};
}

boost::asio::awaitable<void> Notices::tell_all(HookLane which) {
    // Beside a backend of our own nothing of it goes on when it has ended. A service that somebody
    // else runs may be started so.
    const auto outliving =
        config_.owns_backend() ? Commands::Outliving::killed : Commands::Outliving::left_alone;
    Lane& lane = lanes_.at(which);
    bool goes_on = true;
    while (goes_on) {
        co_await io::turn();  // What has ended is replaced, and clients go in.
        auto run = hooks_.run(lane.running.hook, lane.running.occasion, outliving);
        (void)co_await std::move(run);
        goes_on = lane.next.has_value();
        if (goes_on) {
            lane.running = *std::exchange(lane.next, std::nullopt);
        }
    }
    lanes_.erase(which);
    changed_.cancel();
}

// ---- The end -----------------------------------------------------------------------------------

void Notices::end_by(steady_clock::time_point instant) {
    end_by_ = instant;
    changed_.cancel();
}

void Notices::end_at_once() {
    is_over_ = true;
    leave_out_what_waits();
    changed_.cancel();
}

void Notices::leave_out_what_waits() {
    for (auto& [which, lane] : lanes_) {
        if (const auto next = std::exchange(lane.next, std::nullopt)) {
            tell_of("hook skipped", next->occasion, ends_now);
        }
    }
}

boost::asio::awaitable<void> Notices::last_words() {
    const auto begin = steady_clock::now();
    while (!lanes_.empty() && steady_clock::now() < end_of_all(begin)) {
        co_await look_again(end_of_all(begin));
    }
    end_at_once();
    for (const auto& [which, lane] : lanes_) {
        tell_of("hook killed", lane.running.occasion, ends_now);
    }
    hooks_.kill_all();
    const auto gone_by = steady_clock::now() + kill_limit;
    while (!lanes_.empty() && steady_clock::now() < gone_by) {
        co_await look_again(gone_by);
    }
}

steady_clock::time_point Notices::end_of_all(steady_clock::time_point begin) const {
    return is_over_ ? begin : std::max(end_by_, begin + last_words_at_least);
}

boost::asio::awaitable<void> Notices::look_again(steady_clock::time_point at_latest) {
    changed_.expires_at(at_latest);
    (void)co_await changed_.async_wait(io::use_result);
}

}  // namespace tcplock::daemon
