#include "daemon/session.hpp"

#include "daemon/log.hpp"
#include "io/connecting.hpp"
#include "io/farewell.hpp"
#include "io/opening.hpp"
#include "io/probe.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using std::chrono::steady_clock;

namespace {

// What was used of the processors before and after. Of a service that is not ours nothing is known;
// of ours nothing follows from a sum that fell, or could not be had.
bool was_at_rest(std::optional<std::chrono::nanoseconds> before,
                 std::optional<std::chrono::nanoseconds> after, std::chrono::nanoseconds during) {
    // Of one processor. LibreOffice, waiting and probed once a second, was measured at 0.001.
    constexpr double share = 0.05;
    if (!before || !after) {
        return !before && !after;
    }
    return *before <= *after && *after - *before <= share * during;
}

std::string_view code_of(core::CutReason reason) {
    switch (reason) {
        case core::CutReason::session_timeout:
            return "TD";
        case core::CutReason::first_byte_timeout:
            return "cR";
        case core::CutReason::idle_timeout:
            return "cD";
        case core::CutReason::release_timeout:
            return "TL";
        case core::CutReason::memory_hard_limit:
            return "RD";
        case core::CutReason::neighbour:
            return "ND";
        case core::CutReason::requested:
        case core::CutReason::recycle_requested:
            return "KD";
        case core::CutReason::shutdown:
            return "GD";
    }
    return "??";
}

}  // namespace

io::HalfClose half_close(const config::Config& config) {
    return config.half_closed == config::HalfClosed::leave ? io::HalfClose::leave
                                                           : io::HalfClose::keep;
}

Session::Session(const config::Config& config, const Callbacks& callbacks, io::TaskGroup& tasks,
                 io::Watcher& watcher, io::RelayStore& relay_store,
                 boost::asio::any_io_executor executor, Client client, core::Generation generation,
                 io::WatchedDescriptor socket)
    : config_(config),
      callbacks_(callbacks),
      tasks_(tasks),
      client_(std::move(client)),
      generation_(generation),
      instance_(callbacks.instance_of(generation)),
      relay_store_(relay_store),
      client_socket_(std::move(socket)),
      client_news_(executor, client_socket_),
      opening_socket_(executor),
      backend_socket_(watcher),
      idleness_(executor) {}

boost::asio::awaitable<void> Session::run(std::shared_ptr<Session> self) {
    const bool may_enter = co_await self->speaks_protocol();
    if (!may_enter) {
        co_return;
    }
    const bool has_entered = co_await self->enter();
    if (!has_entered) {
        co_return;
    }
    if (self->config_.idle_timeout) {
        self->moved_ = steady_clock::now();
        self->tasks_.spawn("idleness", watch_idleness(self, *self->config_.idle_timeout / 2));
    }
    co_await self->relay();
}

// An office is not touched by who does not speak its protocol.
boost::asio::awaitable<bool> Session::speaks_protocol() {
    if (config_.protocol != config::Protocol::uno) {
        co_return true;
    }
    auto is_wanted = [this] { return !callbacks_.is_ending(generation_); };
    const io::ClientOpening opening =
        co_await io::await_uno_opening(client_news_, std::move(is_wanted));
    if (opening.how == io::ClientOpening::How::uno && !cut_) {
        began_job();
        co_return true;
    }
    if (opening.how == io::ClientOpening::How::foreign && !cut_) {
        refuse(opening.what);
        co_return false;
    }
    if (!cut_ && client_socket_ && !io::has_finished(client_socket_.get())) {
        wait_again("it is being ended");
        co_return false;
    }
    io::RelayTotals nothing;
    const bool was_reset = !cut_ && (!client_socket_ || io::was_reset(client_socket_.get()));
    nothing.how = was_reset ? io::RelayEnd::client_reset : io::RelayEnd::client_closed;
    end(nothing);
    callbacks_.feed(core::SessionEnded{client_.id, core::SessionEnded::How::untouched});
    co_return false;
}

boost::asio::awaitable<bool> Session::enter() {
    std::string error;
    bool is_ending = callbacks_.is_ending(generation_);
    if (!is_ending) {
        error = co_await open_backend(callbacks_.address_of(generation_));
        is_ending = callbacks_.is_ending(generation_);
    }
    is_entering_ = false;
    if (error.empty() && !cut_ && !is_ending) {
        opened_ = steady_clock::now();
        co_return true;
    }
    backend_socket_.abort();
    if (cut_) {
        end({});
        callbacks_.feed(core::SessionEnded{client_.id});
    } else {
        wait_again(is_ending ? "it is being ended" : error);
    }
    co_return false;
}

// Most connect at once; an office is there when it has spoken.
boost::asio::awaitable<std::string> Session::open_backend(io::Destination address) {
    const bool greets = std::holds_alternative<config::UnoProbe>(config_.probe.kind);
    io::Attempt attempt = io::begin_connect(address.endpoint);
    if (!attempt.error && !greets && !address.listener) {
        backend_socket_.assign(std::move(attempt.socket));
        co_return std::string();
    }
    const auto way = greets ? io::OpenWay::uno_speaks_first : io::OpenWay::connect;
    std::string error = co_await io::open_backend(opening_socket_, address, way,
                                                  config_.probe.timeout, std::move(attempt));
    if (opening_socket_.is_open()) {
        backend_socket_.assign(io::Descriptor(opening_socket_.release()));
    }
    co_return error;
}

// It is refused after all.
void Session::refuse(const std::string& what) {
    callbacks_.turned_away(client_,
                           {"PR", "it does not speak UNO: " + what, admin::reason_foreign});
    callbacks_.has_gone(client_.id);
    io::say_farewell(client_socket_.release());
    callbacks_.feed(core::SessionEnded{client_.id, core::SessionEnded::How::foreign});
}

// Nothing of the client has been touched: it waits again, where it was.
void Session::wait_again(const std::string& why) {
    Line(Line::Level::warn, "backend could not be reached, the client waits again")
        .with("client", core::number(client_.id))
        .with("instance", instance_)
        .with("generation", core::number(generation_))
        .with("why", why);
    callbacks_.waits_again(client_.id, std::move(client_socket_));
    callbacks_.feed(core::SessionEnded{client_.id, core::SessionEnded::How::not_reached});
}

boost::asio::awaitable<void> Session::relay() {
    io::RelayObserver observer;
    observer.client_spoke = [this] { began_job(); };
    observer.client_finished = [this] { callbacks_.feed(core::ClientFinished{client_.id}); };
    observer.bytes_moved = [this](io::Speaker whose) { moved(whose); };
    observer.backend_released = [this] { left_backend(); };
    io::RelayOptions options;
    options.half_close = half_close(config_);
    options.is_backend_in_file_system =
        io::is_in_file_system(callbacks_.address_of(generation_).endpoint);
    io::Relay relay(idleness_.get_executor(), client_socket_, backend_socket_, relay_store_,
                    options, observer);
    relay_ = &relay;
    const io::RelayTotals totals = co_await relay.run();
    relay_ = nullptr;
    end(totals);
}

void Session::began_job() {
    if (!std::exchange(has_job_, true)) {
        callbacks_.feed(core::JobBegan{client_.id});
    }
}

void Session::left_backend() {
    is_inside_ = false;
    idleness_.cancel();
    // Before the event: the session's own end may be what its generation is recycled for.
    ended_with_backend_ = callbacks_.is_ending(generation_);
    const auto memory = has_job_ ? callbacks_.memory_of(generation_) : std::nullopt;
    callbacks_.feed(core::SessionEnded{client_.id, core::SessionEnded::How::released, memory});
}

// ---- From outside ------------------------------------------------------------------------------

// One that is sent away leaves a backend that is kept: that is told as if the client had left, and
// closes its side in its own time. Of the others the backend is ended, or closed too late.
void Session::cut(core::CutReason reason) {
    if (!is_inside_) {
        return;  // It has left the backend meanwhile, and is still owed something.
    }
    cut_ = cut_.value_or(reason);  // The first is why.
    const bool is_sent_away = reason == core::CutReason::first_byte_timeout ||
                              reason == core::CutReason::idle_timeout ||
                              reason == core::CutReason::requested;
    if (is_sent_away && relay_ != nullptr) {
        relay_->cut_client();
    } else {
        abort();
    }
}

void Session::abort() {
    if (relay_ != nullptr) {
        relay_->abort();
        return;
    }
    io::abort(opening_socket_);
    client_socket_.abort();
    client_news_.wake();
}

// What it has to say is not waited for any longer. And the address may soon be the next
// generation's: a connection that is still being made would end there, beside the client who is let
// in by right.
void Session::backend_is_ending() {
    if (is_entering_) {
        client_news_.wake();
        io::abort(opening_socket_);
    }
}

void Session::backend_is_gone() {
    if (!is_entering_) {
        abort();
    }
}

// ---- Idle --------------------------------------------------------------------------------------

// Tells that nothing has moved for gate.idle_timeout, and again each time as much has passed. An
// office lets go of its main lock for moments in the middle of a job, so that it says that it is
// free proves little while it computes: what it did in the latter half is looked at as well.
boost::asio::awaitable<void> Session::watch_idleness(std::shared_ptr<Session> self,
                                                     steady_clock::duration half) {
    auto seen = self->moved_;
    while (self->is_inside_) {
        const auto quiet_since = std::max(self->moved_, seen);
        co_await self->sleep_until(quiet_since + half);
        if (self->moved_ > quiet_since || !self->is_inside_) {
            continue;
        }
        const auto looked = steady_clock::now();
        const auto before = self->processor_time();
        co_await self->sleep_until(looked + half);
        if (self->moved_ > quiet_since || !self->is_inside_) {
            continue;
        }
        seen = steady_clock::now();
        if (was_at_rest(before, self->processor_time(), seen - looked)) {
            self->is_told_idle_ = true;
            self->callbacks_.feed(core::ClientIdle{self->client_.id});
        } else {
            self->stirred();
        }
    }
}

boost::asio::awaitable<void> Session::sleep_until(steady_clock::time_point then) {
    while (is_inside_ && steady_clock::now() < then) {
        idleness_.expires_at(then);
        (void)co_await idleness_.async_wait(io::use_result);
    }
}

// Where nobody is asked whether he is free, silence alone counts.
std::optional<std::chrono::nanoseconds> Session::processor_time() const {
    return config_.policy.probe.tells_if_free ? callbacks_.processor_time_of(generation_)
                                              : std::nullopt;
}

void Session::moved(io::Speaker whose) {
    last_speaker_ = whose;
    moved_ = steady_clock::now();
    stirred();
}

void Session::stirred() {
    if (std::exchange(is_told_idle_, false)) {
        callbacks_.feed(core::ClientStirred{client_.id});
    }
}

// ---- Telling -----------------------------------------------------------------------------------

std::string_view Session::end_code(io::RelayEnd how) const {
    if (cut_) {
        return code_of(*cut_);
    }
    switch (how) {
        case io::RelayEnd::client_closed:
            return "--";
        case io::RelayEnd::client_reset:
            return "CD";
        case io::RelayEnd::backend_closed: {
            // An office never closes first, unless it dies.
            const bool is_orderly = config_.protocol == config::Protocol::tcp &&
                                    !ended_with_backend_ && !callbacks_.has_died(generation_);
            return is_orderly ? "S-" : "SD";
        }
        case io::RelayEnd::backend_reset:
            return "SD";
        case io::RelayEnd::flush_failed:
            return "CL";
        case io::RelayEnd::cancelled:
            return ended_with_backend_ ? "SD" : "GD";
    }
    return "??";
}

void Session::end(const io::RelayTotals& totals) {
    const auto lasted = steady_clock::now() - client_.admitted;
    const std::string_view code = end_code(totals.how);
    Line line(Line::Level::info, "session closed");
    line.with("client", core::number(client_.id))
        .with("peer", client_.peer)
        .with("instance", instance_)
        .with("generation", core::number(generation_))
        .with("waited", client_.waited)
        .with("recycle", client_.unserved);
    if (opened_) {
        line.with("connect", *opened_ - client_.admitted);
    }
    line.with("lasted", lasted)
        .with("in", totals.bytes_in)
        .with("out", totals.bytes_out)
        .with("job", has_job_)
        .with("end", code);
    const bool is_orderly = code == "--" || code == "S-";
    if (last_speaker_ && !is_orderly) {
        line.with("last", *last_speaker_ == io::Speaker::client ? "client" : "backend")
            .with("quiet", steady_clock::now() - moved_);
    }
    callbacks_.ended({instance_, code, lasted, totals.bytes_in, totals.bytes_out, has_job_});
    callbacks_.has_gone(client_.id);
}

}  // namespace tcplock::daemon
