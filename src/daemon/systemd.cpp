#include "daemon/systemd.hpp"

#include "admin/table.hpp"
#include "daemon/log.hpp"
#include "io/socket.hpp"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace tcplock::daemon {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr auto between_looks = 1s;
// What comes after the last message, profiles that are still being copied for instance, takes half
// a minute at most. It is asked for anew long before it is over.
constexpr std::chrono::microseconds time_to_end = 60s;
constexpr auto renewed_after = 5s;

std::string_view from_environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t number = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, number);
    return error == std::errc{} && end == last ? std::optional(number) : std::nullopt;
}

std::optional<io::NotifySocket> socket_of_environment() {
    const std::string_view name = from_environment("NOTIFY_SOCKET");
    if (name.empty()) {
        return std::nullopt;
    }
    auto socket = io::NotifySocket::open(name);
    if (!socket) {
        Line(Line::Level::warn, "the service manager is told nothing: NOTIFY_SOCKET is no socket")
            .with("name", name);
    }
    return socket;
}

std::string in_whole_seconds(core::Duration span) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(span);
    return seconds < 1min ? std::to_string(seconds.count()) + " s"
                          : admin::span_in_words(std::chrono::milliseconds(seconds).count());
}

std::string line_in_words(const admin::View& view) {
    const auto& waiting = view.core.waiting;
    if (waiting.empty()) {
        return "nobody waits";
    }
    const std::string first = in_whole_seconds(view.instant - waiting.front().since);
    return waiting.size() == 1 ? "1 waits, for " + first
                               : std::to_string(waiting.size()) + " wait, the first for " + first;
}

}  // namespace

std::string status_in_words(const admin::View& view) {
    const admin::Condition condition = admin::condition_of(view);
    const std::size_t inside = view.core.sessions.size();
    return condition.state + ", " + (inside > 0 ? std::to_string(inside) + " inside, " : "") +
           line_in_words(view) + (condition.state == "failing" ? ": " + condition.why : "");
}

std::optional<std::chrono::microseconds> watchdog_limit() {
    const auto limit = number_of(from_environment("WATCHDOG_USEC"));
    const std::string_view pid = from_environment("WATCHDOG_PID");
    const bool is_for_us = pid.empty() || pid == std::to_string(::getpid());
    constexpr std::uint64_t longest = std::chrono::microseconds(24h * 365).count();
    if (!limit || *limit < 2 || *limit > longest || !is_for_us) {
        return std::nullopt;
    }
    return std::chrono::microseconds(*limit);
}

Systemd::Systemd(boost::asio::any_io_executor executor, std::function<admin::View()> look)
    : executor_(std::move(executor)),
      look_(std::move(look)),
      socket_(socket_of_environment()),
      looked_(executor_) {}

void Systemd::start(io::TaskGroup& tasks) {
    if (!socket_) {
        return;
    }
    tasks.spawn("status for systemd", tell_how_things_stand());
    if (const auto limit = watchdog_limit()) {
        tasks.spawn("watchdog", feed_watchdog(*limit / 2));
    }
}

void Systemd::ready() {
    owe("READY=1");
}

// The time is what Type=notify-reload waits to see.
void Systemd::reloading() {
    const auto now =
        std::chrono::floor<std::chrono::microseconds>(steady_clock::now().time_since_epoch());
    owe("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(now.count()));
}

void Systemd::perform(const core::StopListening&) {
    is_ending_ = true;
    owe("STOPPING=1");
    ask_for_time();
}

// What nobody has taken by then is news no more.
void Systemd::owe(std::string news) {
    constexpr std::size_t owed_max = 8;
    if (!socket_) {
        return;
    }
    if (owed_.size() == owed_max) {
        owed_.pop_front();
    }
    owed_.push_back(std::move(news));
    pay();
    stir();
}

// Each in a datagram of its own: of several states in one the last alone would count.
void Systemd::pay() {
    while (!owed_.empty() && socket_->send(owed_.front())) {
        owed_.pop_front();
    }
}

// Rests until something stirs, unless something is owed or untold, or time is to be asked for.
boost::asio::awaitable<void> Systemd::tell_how_things_stand() {
    while (true) {
        is_stirred_ = false;
        pay();
        ask_for_time();
        const bool is_told = tell_status();
        looked_.expires_after(between_looks);
        const auto [ended] = co_await looked_.async_wait(io::use_result);
        if (ended) {
            co_return;
        }
        if (is_told && !is_stirred_ && owed_.empty() && !is_ending_) {
            is_resting_ = true;
            looked_.expires_at(steady_clock::time_point::max());
            (void)co_await looked_.async_wait(io::use_result);
            if (is_resting_) {
                co_return;  // Nothing has stirred: it is the end.
            }
        }
    }
}

void Systemd::stir() {
    is_stirred_ = true;
    if (std::exchange(is_resting_, false)) {
        looked_.cancel();
    }
}

// Every single wait before the end has its limit, so as long as the event loop turns we get on with
// it, however many are still to be served. From STOPPING=1 on systemd counts its TimeoutStopSec.
void Systemd::ask_for_time() {
    const auto now = steady_clock::now();
    if (!socket_ || !is_ending_ || now < has_time_until_ - time_to_end + renewed_after) {
        return;
    }
    if (socket_->send("EXTEND_TIMEOUT_USEC=" + std::to_string(time_to_end.count()))) {
        has_time_until_ = now + time_to_end;
    }
}

// Whether it knows.
bool Systemd::tell_status() {
    std::string status = status_in_words(look_());
    if (status != status_) {
        if (!socket_->send("STATUS=" + status)) {
            return false;
        }
        status_ = std::move(status);
    }
    return true;
}

boost::asio::awaitable<void> Systemd::feed_watchdog(std::chrono::microseconds interval) {
    boost::asio::steady_timer timer(executor_);
    while (true) {
        [[maybe_unused]] const bool taken = socket_->send("WATCHDOG=1");  // The next may be.
        timer.expires_after(interval);
        const auto [error] = co_await timer.async_wait(io::use_result);
        if (error) {
            co_return;
        }
    }
}

}  // namespace tcplock::daemon
