#include "daemon/clients.hpp"

#include "daemon/log.hpp"
#include "daemon/open_files.hpp"
#include "io/farewell.hpp"
#include "io/opening.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using std::chrono::steady_clock;

namespace {

io::Allow allow_of(const config::Listen& listen) {
    if (listen.allow_any) {
        return io::Allow::everybody();
    }
    if (listen.allow.empty()) {
        return io::Allow::loopback();  // The configuration has seen to it that it listens there.
    }
    io::Allow allow;
    for (const config::Network& network : listen.allow) {
        (void)allow.add(network.text);  // It was checked when the configuration was read.
    }
    return allow;
}

constexpr unsigned turned_away_told_max = 10;  // a second
// More clients at once are refused without words.
constexpr unsigned being_told_why_max = 64;
constexpr std::chrono::seconds why_limit{5};

}  // namespace

// How many of something are going on.
class Clients::Count {
public:
    explicit Count(unsigned& count) : count_(count) { ++count_; }
    ~Count() { --count_; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;

private:
    unsigned& count_;
};

struct Clients::Refusal {
    std::string_view code;
    std::string reason;
};

Clients::Refusal Clients::describe(core::RefuseReason reason, std::size_t others_waiting) {
    switch (reason) {
        case core::RefuseReason::queue_full:
            return {"PQ", "the line is full (" + std::to_string(others_waiting) + " waiting)"};
        case core::RefuseReason::queue_timeout:
            return {"sQ", "waited longer than gate.queue_timeout"};
        case core::RefuseReason::backend_failing:
            return {"PF", "the backend is failing"};
        case core::RefuseReason::shutting_down:
            return {"GQ", "shutting down"};
    }
    return {"??", "unknown"};
}

Clients::Clients(boost::asio::io_context& io, const config::Config& config, std::size_t open_files,
                 Callbacks callbacks, io::TaskGroup& tasks, io::TaskGroup& sessions)
    : io_(io),
      config_(config),
      open_files_(open_files),
      callbacks_(std::move(callbacks)),
      half_close_(config.half_closed == config::HalfClosed::leave ? io::HalfClose::leave
                                                                  : io::HalfClose::keep),
      waiting_(io.get_executor(),
               [this](std::uint64_t key) {
                   const core::ClientId client{key};
                   left(client, steady_clock::now() - clients_.at(client).since);
                   callbacks_.feed(core::ClientLeft{client});
               }),
      tasks_(tasks),
      session_tasks_(sessions) {
    for (const config::Listen& one : config.listen) {
        listen(one);
    }
}

void Clients::start() {
    tasks_.spawn("waiting", waiting_.run());
    for (io::Listener& listener : listeners_) {
        tasks_.spawn("listener", listener.run());
    }
}

// ---- Coming ------------------------------------------------------------------------------------

void Clients::listen(const config::Listen& listen) {
    const auto address = io::parse_endpoint(listen.address);
    const io::Allow allow = allow_of(listen);
    io::Listener::Callbacks callbacks;
    callbacks.accepted = [this, allow](io::Descriptor socket, io::tcp::endpoint peer) {
        accepted(allow, std::move(socket), std::move(peer));
    };
    callbacks.exhausted = [text = listen.address](std::error_code error) {
        Line(Line::Level::error, "cannot accept clients for lack of resources; they keep knocking")
            .with("address", text)
            .with("why", error.message());
    };
    const io::Listener& listener =
        listeners_.emplace_back(io_.get_executor(), *address, std::move(callbacks));
    Line(Line::Level::info, "listening").with("address", io::describe(listener.local_endpoint()));
}

void Clients::accepted(const io::Allow& allow, io::Descriptor socket, io::tcp::endpoint peer) {
    const core::ClientId client{++last_client_};
    if (!allow.permits(peer.address())) {
        turn_away(client, std::move(socket), io::describe(peer),
                  {"PA", "its address is in none of the listener's allow networks"});
        return;
    }
    if (is_beyond(socket, open_files_)) {
        turn_away(client, std::move(socket), io::describe(peer),
                  {"PO", "the limit of open files, " + std::to_string(open_files_) +
                             ", leaves none for another client"});
        return;
    }
    clients_[client] = {io::describe(peer), steady_clock::now()};
    waiting_.add(core::number(client), std::move(socket), half_close_);
    callbacks_.feed(core::ClientArrived{client});
}

// Before the core has heard of him. He may knock as often as he likes: he gets a few lines a
// second.
void Clients::turn_away(core::ClientId client, io::Descriptor socket, const std::string& peer,
                        const Refusal& refusal) {
    io::say_farewell(std::move(socket));
    const auto now = steady_clock::now();
    if (now - turned_away_since_ >= std::chrono::seconds{1}) {
        turned_away_since_ = now;
        turned_away_told_ = 0;
    }
    if (++turned_away_told_ > turned_away_told_max) {
        ++turned_away_untold_;
        return;
    }
    Line line(Line::Level::warn, "client refused");
    line.with("client", core::number(client))
        .with("peer", peer)
        .with("waited", std::chrono::nanoseconds{0})
        .with("end", refusal.code)
        .with("reason", refusal.reason);
    if (turned_away_untold_ > 0) {
        line.with("untold", std::exchange(turned_away_untold_, 0));
    }
}

void Clients::perform(const core::StopListening&) {
    for (io::Listener& listener : listeners_) {
        listener.close();
    }
}

void Clients::close() {
    waiting_.close();
}

// ---- Waiting -----------------------------------------------------------------------------------

void Clients::left(core::ClientId client, std::chrono::nanoseconds waited) {
    Line(Line::Level::info, "client left")
        .with("client", core::number(client))
        .with("peer", clients_.at(client).peer)
        .with("waited", waited)
        .with("end", "CQ");
    clients_.erase(client);
}

void Clients::perform(const core::RefuseClient& effect) {
    const Refusal refusal = describe(effect.reason, waiting_.size() - 1);
    tell_refusal(effect.client, effect.waited, refusal);
    io::Descriptor client = waiting_.take(core::number(effect.client));
    if (config_.protocol == config::Protocol::uno && being_told_why_ < being_told_why_max) {
        session_tasks_.spawn(
            "refusal", say_why(std::move(client),
                               "tcplock-supervisor: " + refusal.reason + ", try again later"));
    } else {
        io::say_farewell(std::move(client));
    }
}

boost::asio::awaitable<void> Clients::say_why(io::Descriptor client, std::string why) {
    const Count count(being_told_why_);
    co_await io::say_why_in_uno(std::move(client), std::move(why), why_limit);
}

// ---- Inside ------------------------------------------------------------------------------------

void Clients::perform(const core::AdmitClient& effect) {
    const auto key = core::number(effect.client);
    if (waiting_.has_left(key)) {
        (void)waiting_.take(key);
        left(effect.client, effect.waited);
        callbacks_.feed(core::SessionEnded{effect.client, core::SessionEnded::How::left});
        return;
    }
    const auto executor = io_.get_executor();
    auto session = std::make_shared<Session>(
        Session{effect.client, effect.generation, callbacks_.instance_of(effect.generation),
                clients_.at(effect.client).peer, effect.waited, steady_clock::now(),
                io::adopt(executor, waiting_.take(key)), io::tcp::socket(executor),
                boost::asio::steady_timer(executor)});
    sessions_[effect.client] = session;
    session_tasks_.spawn("session", serve(std::move(session)));
}

boost::asio::awaitable<void> Clients::serve(SessionPtr session) {
    const bool may_enter = co_await speaks_protocol(session);
    if (!may_enter) {
        co_return;
    }
    const bool has_entered = co_await enter(session);
    if (has_entered) {
        co_await relay(session);
    }
}

// An office is not touched by who does not speak its protocol.
boost::asio::awaitable<bool> Clients::speaks_protocol(SessionPtr session) {
    if (config_.protocol != config::Protocol::uno) {
        co_return true;
    }
    const io::ClientOpening opening = co_await io::await_uno_opening(session->client_socket);
    if (opening.how == io::ClientOpening::How::uno && !session->cut) {
        began_job(*session);
        co_return true;
    }
    if (opening.how == io::ClientOpening::How::foreign && !session->cut) {
        refuse_foreign(*session, opening.what);
        co_return false;
    }
    if (!session->cut && !io::has_finished(session->client_socket)) {
        return_to_line(*session, "it is being ended");
        co_return false;
    }
    io::RelayTotals nothing;
    nothing.how = io::RelayEnd::client_closed;
    end(*session, nothing);
    callbacks_.feed(core::SessionEnded{session->client, core::SessionEnded::How::untouched});
    co_return false;
}

boost::asio::awaitable<bool> Clients::enter(SessionPtr session) {
    const bool greets = std::holds_alternative<config::UnoProbe>(config_.probe.kind);
    const auto way = greets ? io::OpenWay::uno_speaks_first : io::OpenWay::connect;
    std::string error;
    bool is_ending = callbacks_.is_ending(session->generation);
    if (!is_ending) {
        const auto address = callbacks_.address_of(session->generation);
        error =
            co_await io::open_backend(session->backend_socket, address, way, config_.probe.timeout);
        is_ending = callbacks_.is_ending(session->generation);
    }
    session->is_entering = false;
    if (error.empty() && !session->cut && !is_ending) {
        co_return true;
    }
    io::abort(session->backend_socket);
    if (session->cut) {
        end(*session, {});
        callbacks_.feed(core::SessionEnded{session->client});
    } else {
        return_to_line(*session, is_ending ? "it is being ended" : error);
    }
    co_return false;
}

// What it has to say is not waited for any longer. And the address may soon be the next
// generation's, and a connection that is still being made would end there, beside the client who is
// let in by right.
void Clients::perform(const core::StopBackend& effect) {
    for (const auto& [client, session] : sessions_) {
        if (session->generation == effect.generation && session->is_entering) {
            boost::system::error_code ignored;  // It may be past that.
            session->client_socket.cancel(ignored);
            io::abort(session->backend_socket);
        }
    }
}

// It is refused after all.
void Clients::refuse_foreign(Session& session, const std::string& what) {
    tell_refusal(session.client, session.waited, {"PR", "it does not speak UNO: " + what});
    sessions_.erase(session.client);
    boost::system::error_code error;
    io::Descriptor socket(session.client_socket.release(error));
    if (!error) {
        io::say_farewell(std::move(socket));
    }
    callbacks_.feed(core::SessionEnded{session.client, core::SessionEnded::How::foreign});
}

// Nothing of the client has been touched: it waits again, where it was.
void Clients::return_to_line(Session& session, const std::string& why) {
    Line(Line::Level::warn, "backend could not be reached, the client waits again")
        .with("client", core::number(session.client))
        .with("instance", session.instance)
        .with("generation", core::number(session.generation))
        .with("why", why);
    sessions_.erase(session.client);
    boost::system::error_code error;
    io::Descriptor socket(session.client_socket.release(error));
    waiting_.add(core::number(session.client), std::move(socket), half_close_);
    callbacks_.feed(core::SessionEnded{session.client, core::SessionEnded::How::not_reached});
}

boost::asio::awaitable<void> Clients::relay(SessionPtr session) {
    io::RelayObserver observer;
    observer.client_spoke = [this, session] { began_job(*session); };
    observer.client_finished = [this, session] {
        callbacks_.feed(core::ClientFinished{session->client});
    };
    observer.bytes_moved = [this, session] { moved(*session); };
    observer.backend_released = [this, session] { left_backend(*session); };
    if (config_.idle_timeout) {
        session->moved = steady_clock::now();
        session_tasks_.spawn("idleness", watch_idleness(session));
    }
    const io::RelayTotals totals = co_await io::relay(
        session->client_socket, session->backend_socket, {half_close_}, observer);
    end(*session, totals);
}

void Clients::began_job(Session& session) {
    if (!std::exchange(session.has_job, true)) {
        callbacks_.feed(core::JobBegan{session.client});
    }
}

void Clients::left_backend(Session& session) {
    session.is_inside = false;
    session.idleness.cancel();
    // Before the event: the session's own end may be what its generation is recycled for.
    session.ended_with_backend = callbacks_.is_ending(session.generation);
    callbacks_.feed(core::SessionEnded{session.client});
}

void Clients::perform(const core::CutClient& effect) {
    const auto found = sessions_.find(effect.client);
    if (found == sessions_.end()) {
        return;  // Its end is in the inbox already.
    }
    const SessionPtr session = found->second;
    session->cut = effect.reason;
    io::abort(session->client_socket);
    io::abort(session->backend_socket);
}

void Clients::abort_sessions(core::Generation generation) {
    for (const auto& [client, session] : sessions_) {
        if (session->generation == generation) {
            io::abort(session->client_socket);
            io::abort(session->backend_socket);
        }
    }
}

std::size_t Clients::inside(core::Generation generation) const {
    std::size_t count = 0;
    for (const auto& [client, session] : sessions_) {
        count += session->generation == generation && session->is_inside ? 1 : 0;
    }
    return count;
}

// ---- Idle --------------------------------------------------------------------------------------

// Tells that nothing has moved for gate.idle_timeout, and again each time as much has passed.
boost::asio::awaitable<void> Clients::watch_idleness(SessionPtr session) {
    auto told = session->moved;
    while (session->is_inside) {
        const auto due = std::max(session->moved, told) + *config_.idle_timeout;
        if (due <= steady_clock::now()) {
            told = steady_clock::now();
            session->is_told_idle = true;
            callbacks_.feed(core::ClientIdle{session->client});
            continue;
        }
        session->idleness.expires_at(due);
        (void)co_await session->idleness.async_wait(io::use_result);
    }
}

void Clients::moved(Session& session) {
    session.moved = steady_clock::now();
    if (std::exchange(session.is_told_idle, false)) {
        callbacks_.feed(core::ClientStirred{session.client});
    }
}

// ---- Telling -----------------------------------------------------------------------------------

void Clients::tell_refusal(core::ClientId client, std::chrono::nanoseconds waited,
                           const Refusal& refusal) {
    Line(Line::Level::warn, "client refused")
        .with("client", core::number(client))
        .with("peer", clients_.at(client).peer)
        .with("waited", waited)
        .with("end", refusal.code)
        .with("reason", refusal.reason);
    clients_.erase(client);
}

void Clients::end(Session& session, const io::RelayTotals& totals) {
    const auto backend_has =
        callbacks_.has_died(session.generation) ? BackendHas::died : BackendHas::not_died;
    tell_end(session, totals, config_.protocol, backend_has);
    sessions_.erase(session.client);
    clients_.erase(session.client);
}

}  // namespace tcplock::daemon
