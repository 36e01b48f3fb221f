#include "io/relay.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr auto acknowledgement_pause = 5ms;
// A client that has taken nothing for so long is slower than a network is.
constexpr auto stuck_after = 250ms;

void call(const std::function<void()>& callback) {
    if (callback) {
        callback();
    }
}

bool is_failure(ssize_t result) {
    return result < 0 && result != -EAGAIN;
}

}  // namespace

// ---- The two sides -----------------------------------------------------------------------------

void Relay::Side::has_news(std::uint32_t events) {
    has_space = has_space || (events & EPOLLOUT) != 0;
    if ((events & EPOLLERR) != 0) {
        gone = std::max(gone, Gone::reset);
    } else if ((events & (EPOLLRDHUP | EPOLLHUP)) != 0) {
        gone = std::max(gone, Gone::finished);
    }
    if ((events & EPOLLPRI) != 0) {
        // A read ends before a byte that is marked as urgent, and a pipe never gets past it.
        relay.in_.never_use_pipes();
        relay.out_.never_use_pipes();
        is_all_if_small = false;
    }
    // The end is no news when it is all that is left.
    is_all_if_small = is_all_if_small && gone == Gone::no;
    may_have_more = may_have_more || (events & ~std::uint32_t{EPOLLOUT}) != 0;
    relay.go_on();
}

// Tells of what is there already, too.
void Relay::Side::watch() {
    const std::uint32_t space = is_watched_for_space ? std::uint32_t{EPOLLOUT} : 0U;
    is_watched = true;
    if (socket.watch(EPOLLIN | EPOLLPRI | EPOLLRDHUP | space, *this)) {
        gone = Gone::unwatchable;
        relay.is_to_go_on_ = true;
    }
}

void Relay::Side::wait_for_space() {
    has_space = false;
    if (!is_watched_for_space) {
        is_watched_for_space = true;
        watch();
    }
}

// ---- The way of the bytes ----------------------------------------------------------------------

Relay::Relay(asio::any_io_executor executor, WatchedDescriptor& client, WatchedDescriptor& backend,
             RelayStore& store, RelayOptions options, RelayObserver& observer)
    : options_(options),
      observer_(observer),
      client_(*this, client),
      backend_(*this, backend),
      store_(store),
      in_(store),
      out_(store),
      clock_(std::move(executor), Clock::time_point::max()) {
    if (options_.is_backend_in_file_system) {
        // There a read may end before more of it: behind a descriptor that came along, for one.
        backend_.is_all_if_small = false;
        in_.never_use_pipes();
        out_.never_use_pipes();
    }
}

asio::awaitable<RelayTotals> Relay::run() {
    const bool throws = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    begin();
    while (!is_over()) {
        (void)co_await clock_.async_wait(use_result);
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none) {
            abort();
        }
        time_has_passed();
    }
    close_client();
    co_await asio::this_coro::throw_if_cancelled(throws);
    co_return RelayTotals{in_.delivered(), out_.delivered(), end_.value_or(RelayEnd::cancelled)};
}

// What the client has sent goes to the backend before anything else is done.
void Relay::begin() {
    if (!client_.socket || !backend_.socket) {
        abort();
        return;
    }
    client_.may_have_more = true;
    go_on();
    for (Side* side : {&backend_, &client_}) {
        if (side->socket && !side->is_watched) {
            side->watch();
        }
    }
    if (is_to_go_on_) {
        go_on();
    }
}

// Does all that can be done now. It is the only one to do so: who would do it from within a
// callback has it done afterwards.
void Relay::go_on() {
    is_to_go_on_ = true;
    if (std::exchange(is_going_on_, true)) {
        return;
    }
    while (std::exchange(is_to_go_on_, false)) {
        carry_in();
        carry_out();
        look_at_client();
        look_at_backend();
    }
    is_going_on_ = false;
    if (is_over()) {
        clock_.cancel();
    }
}

bool Relay::is_over() const {
    return backend_released_ && (client_closed_ || (client_has_all_ && client_says_nothing_));
}

void Relay::carry_in() {
    for (std::size_t carried = 0; !is_over();) {
        if (!in_.is_empty()) {
            const ssize_t given = give(in_, backend_);
            moved(Speaker::client, given);
            if (is_failure(given)) {
                backend_unwritable(static_cast<int>(-given));
            } else if (!in_.is_empty()) {
                return;
            }
            continue;
        }
        if (client_says_nothing_) {
            backend_has_all();
            return;
        }
        if (!client_.may_have_more || client_closed_) {
            return;
        }
        if (carried >= store_.turn()) {
            client_.watch();
            return;
        }
        const RelayLane::Step step = carry(in_, client_, backend_);
        carried += step.size();
        if (step.taken > 0) {
            client_spoke();
        }
        moved(Speaker::client, step.given);
        if (is_failure(step.given)) {
            backend_unwritable(static_cast<int>(-step.given));
        }
        if (step.taken == 0 || is_failure(step.taken)) {
            client_ended(step.taken != 0);
        }
    }
}

void Relay::carry_out() {
    for (std::size_t carried = 0; !is_over();) {
        if (!out_.is_empty()) {
            const ssize_t given = give(out_, client_);
            client_took(given);
            if (is_failure(given)) {
                client_unwritable();
            } else if (!out_.is_empty()) {
                return;
            }
            continue;
        }
        if (backend_says_ == Says::nothing) {
            client_has_all_that_was_said();
            return;
        }
        if (!backend_.may_have_more || backend_released_) {
            return;
        }
        if (carried >= store_.turn()) {
            backend_.watch();
            return;
        }
        const RelayLane::Step step = carry(out_, backend_, client_);
        carried += step.size();
        client_took(step.given);
        if (is_failure(step.given)) {
            client_unwritable();
        }
        if (step.taken == 0 || is_failure(step.taken)) {
            backend_ended(step.taken != 0);
        }
    }
}

RelayLane::Step Relay::carry(RelayLane& lane, Side& from, Side& to) {
    const RelayLane::Step step = lane.carry(from.socket.get(), to.socket.get());
    if (step.taken == -EAGAIN || (step.taken > 0 && lane.has_taken_all() && from.is_all_if_small)) {
        from.may_have_more = false;
    }
    if (!lane.is_empty()) {
        to.wait_for_space();
    }
    return step;
}

ssize_t Relay::give(RelayLane& lane, Side& to) {
    if (!to.has_space) {
        return 0;
    }
    const ssize_t given = lane.give(to.socket.get());
    if (!lane.is_empty()) {
        to.wait_for_space();
    }
    return given;
}

void Relay::look_at_client() {
    if (client_closed_ || is_over()) {
        return;
    }
    if (client_.gone == Gone::unwatchable && !client_says_nothing_) {
        client_ended(true);
        return;
    }
    // It has gone, though the backend has yet to take what it had sent. Who counts the time that
    // the backend has for this must hear of it now.
    if (client_.gone >= (keeps() ? Gone::reset : Gone::finished) && !told_released_) {
        tell_finished();
    }
    // It waits for its answer, or does it?
    if (client_says_nothing_ && client_.gone >= Gone::reset && !client_has_all_ && !client_left_) {
        client_unwritable();
    }
}

// All it has to say has come to our system, but the client takes its time. With our FIN both sides
// of the backend's own are closed, and nobody need wait for the client.
void Relay::look_at_backend() {
    if (backend_released_ || backend_says_ != Says::more) {
        return;
    }
    if (backend_.gone == Gone::unwatchable) {
        backend_ended(true);
        return;
    }
    if (backend_.gone == Gone::no || out_.is_empty()) {
        return;
    }
    if (stuck_at_ == Clock::time_point::max()) {
        stuck_at_ = Clock::now() + stuck_after;
        arm_clock();
    }
    if (Clock::now() < stuck_at_) {
        return;
    }
    backend_says_ = Says::its_last;
    if (backend_.gone >= Gone::reset) {
        backend_takes_ = Takes::reset;
    }
    if (!keeps()) {
        closed_by(RelayEnd::backend_closed);
        (void)::shutdown(backend_.socket.get(), SHUT_WR);  // It may have been reset meanwhile.
        discard(in_);
        tell_released();
    }
    arm_flush_limit();
}

// ---- What is met -------------------------------------------------------------------------------

void Relay::client_spoke() {
    if (!told_released_ && !std::exchange(client_spoke_, true)) {
        call(observer_.client_spoke);
    }
}

void Relay::client_ended(bool by_reset) {
    client_says_nothing_ = true;
    if (told_released_) {
        // The session is over; only what the client is owed may be open.
        if (by_reset && !client_has_all_) {
            failed(RelayEnd::client_reset);
            release_backend();
            reset_client();
        }
        return;
    }
    if (by_reset) {
        failed(RelayEnd::client_reset);
    } else {
        closed_by(RelayEnd::client_closed);
    }
    if (by_reset || !keeps()) {
        close_client();
        client_left();
    }
}

void Relay::client_unwritable() {
    failed(RelayEnd::client_reset);
    if (told_released_) {
        release_backend();
        reset_client();
        return;
    }
    // What it had sent may still be in the system's buffer, and is taken to the end, which is near,
    // for the client is gone.
    client_left();
}

void Relay::client_left() {
    if (!std::exchange(client_left_, true)) {
        discard(out_);
        tell_finished();
    }
}

// Now it learns how the backend ended.
void Relay::client_has_all_that_was_said() {
    if (client_has_all_ || client_left_ || client_closed_) {
        return;
    }
    if (end_ != RelayEnd::backend_reset) {
        (void)::shutdown(client_.socket.get(), SHUT_WR);  // It may have gone; then it says so.
        client_has_all_ = true;
        return;
    }
    // A reset drops what is still under way to the client, so it waits for that. There is no event
    // for "all acknowledged", hence a look now and then; the flush limit ends it.
    if (unacknowledged(client_.socket.get()) > 0) {
        look_again_at_ = Clock::now() + acknowledgement_pause;
        arm_clock();
        return;
    }
    client_has_all_ = true;
    reset_client();
}

void Relay::backend_ended(bool by_reset) {
    const Says before = std::exchange(backend_says_, Says::nothing);
    if (client_left_) {
        release_backend();
        close_client();
        return;
    }
    if (by_reset || backend_takes_ == Takes::reset) {
        failed(RelayEnd::backend_reset);
        release_backend();
    } else {
        closed_by(RelayEnd::backend_closed);
        if (!keeps() || backend_takes_ != Takes::bytes) {
            release_backend();
        }
    }
    if (keeps() || before == Says::more) {
        arm_flush_limit();  // Otherwise the limit runs since its end was seen.
    }
}

void Relay::backend_has_all() {
    if (backend_takes_ == Takes::bytes && !backend_released_ && !in_.is_discarding()) {
        (void)::shutdown(backend_.socket.get(), SHUT_WR);  // It may have gone; then it says so.
        backend_takes(Takes::nothing);
    }
}

void Relay::backend_unwritable(int error) {
    // EPIPE says that a FIN came before the reset: then what the backend had to say is complete,
    // and its FIN is met behind that. Any other error is told once only, and looks like a FIN
    // afterwards.
    discard(in_);
    backend_takes(error == EPIPE ? Takes::nothing : Takes::reset);
}

void Relay::backend_takes(Takes what) {
    backend_takes_ = what;
    if (backend_says_ == Says::nothing) {
        release_backend();
        arm_flush_limit();
    }
}

void Relay::flush_limit_reached() {
    const int open = unacknowledged(client_.socket.get());
    if (keeps() && !backend_released_ && open < unacknowledged_before_) {
        // All it is owed is with the system, and the client takes it, if slowly.
        arm_flush_limit();
        return;
    }
    release_backend();
    constexpr int fin = 1;  // An unacknowledged FIN counts as one byte, and is not owed.
    if (client_has_all_ && open <= fin) {
        close_client();
        return;
    }
    if (end_ != RelayEnd::backend_reset) {
        failed(RelayEnd::flush_failed);
    }
    reset_client();
}

void Relay::time_has_passed() {
    const auto now = Clock::now();
    if (look_again_at_ <= now || stuck_at_ <= now) {
        look_again_at_ = Clock::time_point::max();
        go_on();
        if (stuck_at_ <= now) {
            stuck_at_ = Clock::time_point::max();
        }
    }
    if (flush_until_ <= now && !is_over()) {
        flush_until_ = Clock::time_point::max();
        flush_limit_reached();
        go_on();
    }
    arm_clock();
}

// ---- What is done about it ---------------------------------------------------------------------

void Relay::cut_client() {
    if (client_closed_ || is_over()) {
        return;
    }
    reset_client();
    client_ended(true);
    go_on();
}

void Relay::abort() {
    if (end_ == RelayEnd::cancelled || is_over()) {
        return;
    }
    end_ = RelayEnd::cancelled;
    backend_.socket.abort();
    reset_client();
    release_backend();
    go_on();
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

void Relay::moved(Speaker whose, ssize_t size) {
    if (size <= 0) {
        return;
    }
    if (observer_.bytes_moved) {
        observer_.bytes_moved(whose);
    }
    if (keeps() && backend_says_ != Says::more && !backend_released_) {
        arm_flush_limit();
    }
}

void Relay::client_took(ssize_t size) {
    if (size > 0) {
        stuck_at_ = Clock::time_point::max();
    }
    moved(Speaker::backend, size);
}

void Relay::release_backend() {
    if (!std::exchange(backend_released_, true)) {
        backend_.socket.close();
        discard(in_);
        tell_released();
    }
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
    client_.socket.close();
}

void Relay::reset_client() {
    client_closed_ = true;
    client_.socket.abort();
    discard(out_);
}

void Relay::discard(RelayLane& lane) {
    lane.discard();
    is_to_go_on_ = true;
}

void Relay::arm_flush_limit() {
    unacknowledged_before_ = unacknowledged(client_.socket.get());
    flush_until_ = Clock::now() + options_.flush_limit;
    arm_clock();
}

void Relay::arm_clock() {
    clock_.expires_at(std::min({flush_until_, look_again_at_, stuck_at_}));
}

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

}  // namespace tcplock::io
