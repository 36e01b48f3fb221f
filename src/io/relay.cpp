#include "io/relay.hpp"

#include "io/relay_lane.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto acknowledgement_pause = 5ms;
// While one side takes nothing, how often the other is asked whether it has gone.
constexpr std::chrono::nanoseconds look_interval = 250ms;
constexpr std::chrono::nanoseconds long_while = 1h;

void call(const std::function<void()>& callback) {
    if (callback) {
        callback();
    }
}

// Four coroutines, a filler and a drainer for each direction, report what they meet to the rules
// below, which close sockets; a closed socket ends the coroutines on it. run() is the last to end.
class Relay {
public:
    Relay(asio::any_io_executor executor, Socket& client, Socket& backend,
          RelayOptions options, RelayObserver& observer);

    asio::awaitable<RelayTotals> run();

private:
    // More may come from it; its end has come, but stands behind bytes that have not been read;
    // all of it has been read.
    enum class Says { more, its_last, nothing };
    // It may be written to; it has all there was and our FIN; it was reset, which the system tells
    // only once, to whoever asks first.
    enum class Takes { bytes, nothing, reset };

    // The coroutines.
    void start(asio::awaitable<void> part);
    asio::awaitable<void> fill_from_client();
    asio::awaitable<void> fill_from_backend();
    asio::awaitable<void> drain_to_backend();
    asio::awaitable<void> drain_to_client();
    asio::awaitable<void> say_goodbye_to_client();

    // What they meet.
    void look_for_client();
    void look_for_answered_client();
    void look_for_backend();
    void client_ended(boost::system::error_code error);
    void client_unwritable();
    void client_left();
    void backend_ended(boost::system::error_code error);
    void backend_has_all();
    void backend_unwritable(boost::system::error_code error);
    void backend_takes(Takes what);
    void flush_limit_reached();
    bool was_aborted();
    bool client_was_cut() const;

    // What is done about it.
    void closed_by(RelayEnd side);
    void failed(RelayEnd how);
    void note_bytes_moved();
    void tell_finished();
    void tell_released();
    void release_backend();
    void close_client();
    void reset_client();
    void stop();
    void arm_flush_limit();

    bool keeps() const { return options_.half_close == HalfClose::keep; }

    Socket& client_;
    Socket& backend_;
    const RelayOptions options_;
    RelayObserver& observer_;
    RelayLane in_;
    RelayLane out_;
    asio::steady_timer clock_;       // expires at the flush limit; cancelled to wake run()
    int unacknowledged_before_ = 0;  // by the client, when the limit was set
    int running_ = 0;
    std::exception_ptr bug_;

    std::optional<RelayEnd> end_;
    bool client_spoke_ = false;
    bool client_left_ = false;     // there is nobody left to deliver to
    bool client_has_all_ = false;  // all of the backend's bytes, and how it ended
    Says backend_says_ = Says::more;
    Takes backend_takes_ = Takes::bytes;
    bool client_closed_ = false;     // by us
    bool backend_released_ = false;  // closed by us
    bool told_finished_ = false;
    bool told_released_ = false;
};

Relay::Relay(asio::any_io_executor executor, Socket& client, Socket& backend,
             RelayOptions options, RelayObserver& observer)
    : client_(client),
      backend_(backend),
      options_(options),
      observer_(observer),
      in_(executor),
      out_(executor),
      clock_(executor, Clock::time_point::max()) {}

asio::awaitable<RelayTotals> Relay::run() {
    boost::system::error_code ignored;  // A backend with delay is slower, and still a backend.
    backend_.set_option(tcp::no_delay(true), ignored);
    start(fill_from_client());
    start(drain_to_backend());
    start(fill_from_backend());
    start(drain_to_client());
    while (running_ > 0) {
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) {
            stop();
        } else if (clock_.expiry() <= Clock::now()) {
            clock_.expires_at(Clock::time_point::max());
            flush_limit_reached();
        }
        (void)co_await clock_.async_wait(use_result);
    }
    release_backend();
    close_client();
    if (bug_) {
        std::rethrow_exception(bug_);
    }
    co_return RelayTotals{in_.delivered(), out_.delivered(), end_.value_or(RelayEnd::cancelled)};
}

void Relay::start(asio::awaitable<void> part) {
    ++running_;
    // run() waits until every part has ended, so `this` is there.
    asio::co_spawn(client_.get_executor(), std::move(part), [this](std::exception_ptr failure) {
        --running_;
        if (failure) {
            bug_ = std::move(failure);
            stop();
        }
        if (running_ == 0) {
            clock_.cancel();
        }
    });
}

asio::awaitable<void> Relay::fill_from_client() {
    for (;;) {
        const bool has_space = co_await in_.wait_for_space(look_interval);
        if (!has_space) {
            look_for_client();
            continue;
        }
        const auto [error, size] = co_await client_.async_read_some(in_.free(), use_result);
        if (error) {
            client_ended(error);
            co_return;
        }
        if (!client_spoke_ && !told_released_) {
            client_spoke_ = true;
            call(observer_.client_spoke);
        }
        in_.put(size);
    }
}

asio::awaitable<void> Relay::drain_to_backend() {
    for (;;) {
        const bool has_news = co_await in_.wait_for_bytes(long_while);
        if (!has_news) {
            continue;
        }
        if (in_.is_discarding()) {
            co_return;
        }
        if (in_.is_empty()) {
            backend_has_all();
            co_return;
        }
        const auto [error, size] = co_await backend_.async_write_some(in_.filled(), use_result);
        if (in_.is_discarding()) {
            co_return;
        }
        if (error) {
            backend_unwritable(error);
            co_return;
        }
        in_.take(size);
        note_bytes_moved();
    }
}

asio::awaitable<void> Relay::fill_from_backend() {
    for (;;) {
        const bool has_space = co_await out_.wait_for_space(look_interval);
        if (!has_space) {
            look_for_backend();
            continue;
        }
        const auto [error, size] = co_await backend_.async_read_some(out_.free(), use_result);
        if (error) {
            backend_ended(error);
            co_return;
        }
        out_.put(size);
    }
}

asio::awaitable<void> Relay::drain_to_client() {
    for (;;) {
        // A client that has finished is not read from any more, and may yet be reset.
        const bool has_news =
            co_await out_.wait_for_bytes(in_.has_ended() ? look_interval : long_while);
        if (!has_news) {
            look_for_answered_client();
            continue;
        }
        if (out_.is_discarding()) {
            co_return;
        }
        if (out_.is_empty()) {
            break;
        }
        const auto [error, size] = co_await client_.async_write_some(out_.filled(), use_result);
        if (out_.is_discarding()) {
            co_return;
        }
        if (error) {
            client_unwritable();
            co_return;
        }
        out_.take(size);
        note_bytes_moved();
    }
    co_await say_goodbye_to_client();
}

// It has all that was read from the backend; now it learns how the backend ended.
asio::awaitable<void> Relay::say_goodbye_to_client() {
    if (end_ == RelayEnd::backend_reset) {
        // A reset drops what is still under way to the client, so it waits for that. There is no
        // event for "all acknowledged", hence a look now and then; the flush limit ends it.
        while (unacknowledged(client_) > 0) {
            co_await out_.pause(acknowledgement_pause);
        }
        client_has_all_ = true;
        reset_client();
        co_return;
    }
    boost::system::error_code ignored;  // The client may have gone; its filler tells.
    client_.shutdown(Socket::shutdown_send, ignored);
    client_has_all_ = true;
}

// It has gone, though the backend has yet to take what it had sent. Who counts the time that the
// backend has for this must hear of it now.
void Relay::look_for_client() {
    if (client_was_cut()) {
        client_ended(asio::error::operation_aborted);
        return;
    }
    if (keeps() ? was_reset(client_) : has_finished(client_)) {
        tell_finished();
    }
}

// It waits for its answer, or does it?
void Relay::look_for_answered_client() {
    if (in_.has_ended() && (was_reset(client_) || client_was_cut())) {
        client_unwritable();
    }
}

// All it has to say has come to our system, but the client takes its time. With our FIN both sides
// of the backend's own are closed, and nobody need wait for the client.
void Relay::look_for_backend() {
    if (backend_says_ != Says::more || was_aborted() || !has_finished(backend_)) {
        return;
    }
    backend_says_ = Says::its_last;
    if (was_reset(backend_)) {
        backend_takes_ = Takes::reset;
    }
    if (!keeps()) {
        closed_by(RelayEnd::backend_closed);
        boost::system::error_code ignored;  // It may have been reset meanwhile.
        backend_.shutdown(Socket::shutdown_send, ignored);
        // What is being written just now cannot succeed any more, so the ring may change under it.
        in_.discard();
        tell_released();
    }
    arm_flush_limit();
}

void Relay::client_ended(boost::system::error_code error) {
    if (was_aborted() || client_closed_) {
        return;
    }
    const bool was_reset = error != asio::error::eof;
    if (told_released_) {
        // The session is over; only what the client is owed may be open.
        if (was_reset && !client_has_all_) {
            failed(RelayEnd::client_reset);
            release_backend();
            reset_client();
        }
        return;
    }
    in_.end();
    if (was_reset) {
        failed(RelayEnd::client_reset);
    } else {
        closed_by(RelayEnd::client_closed);
    }
    out_.wake_drainer();  // It looks out for a reset from now on.
    if (was_reset || !keeps()) {
        // Closing first: what is being written to the client must not be while the ring changes.
        close_client();
        client_left();
    }
}

void Relay::client_unwritable() {
    if (was_aborted()) {
        return;
    }
    failed(RelayEnd::client_reset);
    if (told_released_) {
        release_backend();
        reset_client();
        return;
    }
    // What it had sent may still be in the system's buffer: its filler reads that to the end, which
    // is near, for the client is gone.
    client_left();
}

void Relay::client_left() {
    if (std::exchange(client_left_, true)) {
        return;
    }
    out_.discard();
    tell_finished();
}

void Relay::backend_ended(boost::system::error_code error) {
    if (was_aborted() || backend_released_) {
        return;
    }
    const Says before = std::exchange(backend_says_, Says::nothing);
    if (client_left_) {
        release_backend();
        close_client();
        return;
    }
    if (error != asio::error::eof || backend_takes_ == Takes::reset) {
        failed(RelayEnd::backend_reset);
        release_backend();
    } else {
        closed_by(RelayEnd::backend_closed);
        if (!keeps() || backend_takes_ != Takes::bytes) {
            release_backend();
        }
    }
    out_.end();
    if (keeps() || before == Says::more) {
        arm_flush_limit();  // Otherwise the limit runs since its end was seen.
    }
}

void Relay::backend_has_all() {
    boost::system::error_code ignored;  // The backend may have gone; its filler tells.
    backend_.shutdown(Socket::shutdown_send, ignored);
    backend_takes(Takes::nothing);
}

void Relay::backend_unwritable(boost::system::error_code error) {
    if (was_aborted()) {
        return;
    }
    // EPIPE says that a FIN came before the reset: then what the backend had to say is complete,
    // and the filler, which reads it, meets the FIN. Any other error is told to one of us only, and
    // looks like a FIN to the other.
    in_.discard();
    backend_takes(error == asio::error::broken_pipe ? Takes::nothing : Takes::reset);
}

void Relay::backend_takes(Takes what) {
    backend_takes_ = what;
    if (backend_says_ == Says::nothing) {
        release_backend();
        arm_flush_limit();
    }
}

void Relay::flush_limit_reached() {
    if (was_aborted()) {
        return;
    }
    if (keeps() && !backend_released_ && unacknowledged(client_) < unacknowledged_before_) {
        // All it is owed is with the system, and the client takes it, if slowly.
        arm_flush_limit();
        return;
    }
    release_backend();
    constexpr int fin = 1;  // An unacknowledged FIN counts as one byte, and is not owed.
    if (client_has_all_ && unacknowledged(client_) <= fin) {
        close_client();
        return;
    }
    if (end_ != RelayEnd::backend_reset) {
        failed(RelayEnd::flush_failed);
    }
    reset_client();
}

// Whether somebody else closed the backend's socket; then everything ends.
bool Relay::was_aborted() {
    if (end_ == RelayEnd::cancelled) {
        return true;
    }
    if (!backend_.is_open() && !backend_released_) {
        stop();
        return true;
    }
    return false;
}

// Somebody else closed the client's socket, and left us the backend's: as if it had been reset.
bool Relay::client_was_cut() const {
    return !client_.is_open() && !client_closed_;
}

// Who closes first gives the session its end, unless something fails after all.
void Relay::closed_by(RelayEnd side) {
    if (!end_) {
        end_ = side;
    }
}

void Relay::failed(RelayEnd how) {
    if (!end_ || end_ == RelayEnd::client_closed || end_ == RelayEnd::backend_closed) {
        end_ = how;
    }
}

void Relay::note_bytes_moved() {
    call(observer_.bytes_moved);
    if (keeps() && backend_says_ != Says::more && !backend_released_) {
        arm_flush_limit();
    }
}

void Relay::release_backend() {
    if (std::exchange(backend_released_, true)) {
        return;
    }
    boost::system::error_code ignored;  // It is closed whatever it says.
    backend_.close(ignored);
    in_.discard();
    tell_released();
}

void Relay::tell_finished() {
    if (!std::exchange(told_finished_, true)) {
        call(observer_.client_finished);
    }
}

void Relay::tell_released() {
    if (!std::exchange(told_released_, true)) {
        call(observer_.backend_released);
    }
}

void Relay::close_client() {
    client_closed_ = true;
    boost::system::error_code ignored;  // It is closed whatever it says.
    client_.close(ignored);
}

// The drainer may be writing, or pausing: the close ends the one, discard() the other.
void Relay::reset_client() {
    client_closed_ = true;
    abort(client_);
    out_.discard();
}

void Relay::stop() {
    end_ = RelayEnd::cancelled;
    abort(backend_);
    reset_client();
    release_backend();
}

void Relay::arm_flush_limit() {
    unacknowledged_before_ = unacknowledged(client_);
    clock_.expires_after(options_.flush_limit);
}

}  // namespace

const char* to_string(RelayEnd end) {
    switch (end) {
        case RelayEnd::client_closed:
            return "client closed";
        case RelayEnd::client_reset:
            return "client reset";
        case RelayEnd::backend_closed:
            return "backend closed";
        case RelayEnd::backend_reset:
            return "backend reset";
        case RelayEnd::flush_failed:
            return "flush failed";
        case RelayEnd::cancelled:
            return "cancelled";
    }
    return "";
}

asio::awaitable<RelayTotals> relay(Socket& client, Socket& backend, RelayOptions options,
                                   RelayObserver& observer) {
    const auto executor = co_await asio::this_coro::executor;
    Relay session(executor, client, backend, options, observer);
    // The session's parts use it: whoever cancels us, they are awaited first.
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const RelayTotals totals = co_await session.run();
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return totals;
}

}  // namespace tcplock::io
