#include "daemon/clients.hpp"

#include "daemon/log.hpp"
#include "daemon/open_files.hpp"
#include "io/farewell.hpp"

#include <optional>
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
constexpr std::chrono::seconds why_limit{2};

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

// One admitted client.
struct Clients::Session {
    core::ClientId client;
    core::Generation generation;
    std::string instance;
    std::string peer;
    std::chrono::nanoseconds waited;
    steady_clock::time_point admitted;
    io::tcp::socket client_socket;
    io::tcp::socket backend_socket;
    bool is_entering = true;
    bool is_inside = true;
    bool has_job = false;
    bool ended_with_backend = false;  // it was being ended when the session ended
    std::optional<core::CutReason> cut = {};
};

Clients::Clients(boost::asio::io_context& io, const config::Config& config, std::size_t open_files,
                 Hooks hooks, io::TaskGroup& tasks, io::TaskGroup& sessions)
    : io_(io),
      config_(config),
      open_files_(open_files),
      hooks_(std::move(hooks)),
      half_close_(config.half_closed == config::HalfClosed::leave ? io::HalfClose::leave
                                                                  : io::HalfClose::keep),
      waiting_(io.get_executor(),
               [this](std::uint64_t key) {
                   const core::ClientId client{key};
                   left(client, steady_clock::now() - clients_.at(client).since);
                   hooks_.feed(core::ClientLeft{client});
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
    hooks_.feed(core::ClientArrived{client});
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
    Line(Line::Level::warn, "client refused")
        .with("client", core::number(effect.client))
        .with("peer", clients_.at(effect.client).peer)
        .with("waited", effect.waited)
        .with("end", refusal.code)
        .with("reason", refusal.reason);
    clients_.erase(effect.client);
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
        hooks_.feed(core::SessionEnded{effect.client, core::SessionEnded::How::left});
        return;
    }
    const auto executor = io_.get_executor();
    auto session = std::make_shared<Session>(
        Session{effect.client, effect.generation, hooks_.instance_of(effect.generation),
                clients_.at(effect.client).peer, effect.waited, steady_clock::now(),
                io::adopt(executor, waiting_.take(key)), io::tcp::socket(executor)});
    sessions_[effect.client] = session;
    session_tasks_.spawn("session", serve(std::move(session)));
}

boost::asio::awaitable<void> Clients::serve(SessionPtr session) {
    const bool greets = std::holds_alternative<config::UnoProbe>(config_.probe.kind);
    const auto way = greets ? io::OpenWay::uno_speaks_first : io::OpenWay::connect;
    const auto address = hooks_.address_of(session->generation);
    const std::string error =
        co_await io::open_backend(session->backend_socket, address, way, config_.probe.timeout);
    session->is_entering = false;
    const bool is_ending = hooks_.is_ending(session->generation);
    if (error.empty() && !session->cut && !is_ending) {
        co_await relay(session);
        co_return;
    }
    io::abort(session->backend_socket);
    sessions_.erase(session->client);
    if (session->cut) {
        tell_end(*session, {});
        hooks_.feed(core::SessionEnded{session->client});
    } else {
        return_to_line(session, is_ending ? "it is being ended" : error);
    }
}

// The address may soon be the next generation's, and a connection that is still being made would
// end there, beside the client who is let in by right.
void Clients::perform(const core::StopBackend& effect) {
    for (const auto& [client, session] : sessions_) {
        if (session->generation == effect.generation && session->is_entering) {
            io::abort(session->backend_socket);
        }
    }
}

// Nothing of the client has been touched: it waits again, where it was.
void Clients::return_to_line(SessionPtr session, const std::string& why) {
    Line(Line::Level::warn, "backend could not be reached, the client waits again")
        .with("client", core::number(session->client))
        .with("instance", session->instance)
        .with("generation", core::number(session->generation))
        .with("why", why);
    boost::system::error_code error;
    io::Descriptor socket(session->client_socket.release(error));
    waiting_.add(core::number(session->client), std::move(socket), half_close_);
    hooks_.feed(core::SessionEnded{session->client, core::SessionEnded::How::not_reached});
}

boost::asio::awaitable<void> Clients::relay(SessionPtr session) {
    io::RelayObserver observer;
    observer.client_spoke = [this, session] {
        session->has_job = true;
        hooks_.feed(core::JobBegan{session->client});
    };
    observer.client_finished = [this, session] {
        hooks_.feed(core::ClientFinished{session->client});
    };
    observer.backend_released = [this, session] {
        session->is_inside = false;
        // Before the event: the session's own end may be what its generation is recycled for.
        session->ended_with_backend = hooks_.is_ending(session->generation);
        hooks_.feed(core::SessionEnded{session->client});
    };
    const io::RelayTotals totals = co_await io::relay(
        session->client_socket, session->backend_socket, {half_close_}, observer);
    sessions_.erase(session->client);
    tell_end(*session, totals);
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

std::size_t Clients::inside(core::Generation generation) const {
    std::size_t count = 0;
    for (const auto& [client, session] : sessions_) {
        count += session->generation == generation && session->is_inside ? 1 : 0;
    }
    return count;
}

// ---- Telling -----------------------------------------------------------------------------------

std::string Clients::end_code(const Session& session, io::RelayEnd how) const {
    if (session.cut) {
        switch (*session.cut) {
            case core::CutReason::session_timeout:
                return "TD";
            case core::CutReason::release_timeout:
                return "TL";
            case core::CutReason::shutdown:
                return "GD";
        }
    }
    switch (how) {
        case io::RelayEnd::client_closed:
            return "--";
        case io::RelayEnd::client_reset:
            return "CD";
        case io::RelayEnd::backend_closed: {
            // An office never closes first, unless it dies.
            const bool is_orderly = config_.protocol == config::Protocol::tcp &&
                                    !session.ended_with_backend &&
                                    !hooks_.has_died(session.generation);
            return !is_orderly ? "SD" : "S-";
        }
        case io::RelayEnd::backend_reset:
            return "SD";
        case io::RelayEnd::flush_failed:
            return "CL";
        case io::RelayEnd::cancelled:
            return "GD";
    }
    return "??";
}

void Clients::tell_end(const Session& session, const io::RelayTotals& totals) {
    Line(Line::Level::info, "session closed")
        .with("client", core::number(session.client))
        .with("peer", session.peer)
        .with("instance", session.instance)
        .with("generation", core::number(session.generation))
        .with("waited", session.waited)
        .with("lasted", steady_clock::now() - session.admitted)
        .with("in", totals.bytes_in)
        .with("out", totals.bytes_out)
        .with("job", session.has_job ? "yes" : "no")
        .with("end", end_code(session, totals.how));
    clients_.erase(session.client);
}

}  // namespace tcplock::daemon
