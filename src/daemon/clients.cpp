#include "daemon/clients.hpp"

#include "daemon/log.hpp"
#include "daemon/open_files.hpp"
#include "io/farewell.hpp"
#include "io/opening.hpp"
#include "io/reach.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using std::chrono::steady_clock;

namespace {

io::Allow allow_of(const config::Listen& listen, const io::tcp::endpoint& address,
                   config::Protocol protocol) {
    // Nobody has said more: what only this machine reaches it may use. Beyond that an office's
    // listener has an answer; it has been seen to.
    if (listen.allow.empty() && !listen.allow_any) {
        const bool is_open =
            protocol == config::Protocol::tcp && !io::Allow::loopback().permits(address.address());
        return is_open ? io::Allow::everybody() : io::Allow::loopback();
    }
    if (listen.allow_any) {
        return io::Allow::everybody();
    }
    io::Allow allow;
    for (const config::Network& network : listen.allow) {
        (void)allow.add(network.text);  // It was checked when the configuration was read.
    }
    return allow;
}

void tell_open(const io::tcp::endpoint& address, const std::string& socket = {}) {
    Line line(Line::Level::info, "listening");
    line.with("address", io::describe(address));
    if (!socket.empty()) {
        line.with("socket", socket);
    }
}

constexpr unsigned turned_away_told_max = 10;  // a second
// More clients at once are refused without words.
constexpr std::size_t being_told_why_max = 64;
constexpr std::chrono::seconds why_limit{5};

Refusal describe(core::RefuseReason reason, std::size_t others_waiting) {
    const std::string_view name = core::to_string(reason);
    switch (reason) {
        case core::RefuseReason::queue_full:
            return {"PQ", "the line is full (" + std::to_string(others_waiting) + " waiting)",
                    name};
        case core::RefuseReason::queue_timeout:
            return {"sQ", "waited longer than gate.queue_timeout", name};
        case core::RefuseReason::backend_failing:
            return {"PF", "the backend is failing", name};
        case core::RefuseReason::shutting_down:
            return {"GQ", "shutting down", name};
        case core::RefuseReason::requested:
            return {"KQ", "ended by an operator", name};
    }
    return {"??", "unknown", name};
}

void tell_refusal(const Session::Client& client, const Refusal& refusal, std::uint64_t untold) {
    Line line(Line::Level::warn, "client refused");
    line.with("client", core::number(client.id))
        .with("peer", client.peer)
        .with("waited", client.waited)
        .with("end", refusal.code)
        .with("reason", refusal.reason);
    if (untold > 0) {
        line.with("untold", untold);
    }
}

}  // namespace

Clients::Clients(boost::asio::io_context& io, io::Watcher& watcher, const config::Config& config,
                 PassedSockets& passed, std::size_t open_files, admin::Record& record,
                 Callbacks callbacks, io::TaskGroup& tasks, io::TaskGroup& sessions)
    : io_(io),
      config_(config),
      open_files_(open_files),
      record_(record),
      feed_(callbacks.feed),
      watcher_(watcher),
      waiting_(watcher_,
               [this](std::uint64_t key) {
                   const core::ClientId client{key};
                   left(client, steady_clock::now() - clients_.at(client).since);
                   feed_(core::ClientLeft{client});
               }),
      tasks_(tasks),
      session_tasks_(sessions) {
    session_callbacks_ = {std::move(callbacks.feed),
                          std::move(callbacks.address_of),
                          std::move(callbacks.instance_of),
                          std::move(callbacks.is_ending),
                          std::move(callbacks.has_died),
                          std::move(callbacks.memory_of),
                          std::move(callbacks.processor_time_of),
                          [this](const Session::Client& client, const Refusal& refusal) {
                              record_.refused({refusal.name, client.waited});
                              tell_some_refusals(client, refusal);
                          },
                          [this](const admin::EndedSession& session) { record_.ended(session); },
                          [this](core::ClientId client, io::WatchedDescriptor socket) {
                              waits_again(client, std::move(socket));
                          },
                          [this](core::ClientId client) { has_gone(client); }};
    for (const config::Listen& one : config.listen) {
        if (!one.is_passed()) {
            open(doors_, one, *io::parse_endpoint(one.address));
            tell_open(doors_.back().address());
            continue;
        }
        for (io::PassedSocket& socket : passed) {
            open(doors_, one, std::move(socket.socket));
            tell_open(doors_.back().address(), socket.name);
        }
    }
}

void Clients::start() {
    for (Door& door : doors_) {
        door.listener->start();
    }
}

// ---- Coming ------------------------------------------------------------------------------------

template <class Over>
void Clients::open(std::list<Door>& doors, const config::Listen& listen, Over over) {
    Door& door = doors.emplace_back();
    io::Listener::Callbacks callbacks;
    callbacks.accepted = [this, &door](io::Descriptor socket, io::tcp::endpoint peer) {
        accepted(door.allow, std::move(socket), std::move(peer));
    };
    callbacks.exhausted = [&door](std::error_code error) {
        Line(Line::Level::error, "cannot accept clients for lack of resources; they keep knocking")
            .with("address", io::describe(door.address()))
            .with("why", error.message());
    };
    door.listener.emplace(io_.get_executor(), watcher_, std::move(over), std::move(callbacks));
    permit(door, listen);
}

void Clients::permit(Door& door, const config::Listen& listen) {
    door.what = listen;
    door.allow = allow_of(listen, door.address(), config_.protocol);
}

// An address may be part of another, which stays open until all that is new has been opened.
void Clients::open_beside_others(std::list<Door>& doors, const config::Listen& listen) {
    const auto address = *io::parse_endpoint(listen.address);
    try {
        open(doors, listen, address);
    } catch (const std::system_error& error) {
        const bool is_taken = error.code() == std::errc::address_in_use;
        const auto is_part = [&address](const auto& endpoint) {
            return config::overlap(as_configured(endpoint), as_configured(address));
        };
        for (const Door& door : doors_) {
            const auto& endpoints = door.listener->endpoints();
            if (is_taken && std::any_of(endpoints.begin(), endpoints.end(), is_part)) {
                throw std::runtime_error(std::string(error.what()) + ": we listen on " +
                                         io::describe(door.address()) +
                                         " ourselves. That needs a restart");
            }
        }
        throw;
    }
}

void Clients::listen_at(const std::vector<config::Listen>& listen) {
    const auto is_at = [](const std::string& address) {
        return [&address](const Door& door) { return door.what.address == address; };
    };
    std::list<Door> fresh;
    for (const config::Listen& one : listen) {
        if (std::none_of(doors_.begin(), doors_.end(), is_at(one.address))) {
            open_beside_others(fresh, one);
        }
    }
    for (Door& door : fresh) {
        door.listener->start();
    }
    std::list<Door> gone;
    for (auto door = doors_.begin(); door != doors_.end();) {
        const auto kept = std::find_if(listen.begin(), listen.end(), [&door](const auto& one) {
            return one.address == door->what.address;
        });
        const auto current = door++;
        if (kept != listen.end()) {
            permit(*current, *kept);
            continue;
        }
        Line(Line::Level::info, "listening no more").with("address", current->what.address);
        current->listener->close();
        gone.splice(gone.end(), doors_, current);
    }
    for (const Door& door : fresh) {
        tell_open(door.address());
    }
    doors_.splice(doors_.end(), fresh);
    // The end of one's pause may be among what is to be done next.
    boost::asio::post(io_, [after = std::move(gone)] {});
}

void Clients::accepted(const io::Allow& allow, io::Descriptor socket, io::tcp::endpoint peer) {
    const core::ClientId client{++last_client_};
    if (!allow.permits(peer.address())) {
        turn_away(client, std::move(socket), io::describe(peer),
                  {"PA", "its address is in none of the listener's allow networks",
                   admin::reason_not_allowed});
        return;
    }
    if (is_beyond(socket, open_files_)) {
        turn_away(client, std::move(socket), io::describe(peer),
                  {"PO",
                   "the limit of open files, " + std::to_string(open_files_) +
                       ", leaves none for another client",
                   admin::reason_open_files});
        return;
    }
    clients_[client] = {io::describe(peer), steady_clock::now()};
    waiting_.add(core::number(client), io::WatchedDescriptor(watcher_, std::move(socket)),
                 half_close(config_));
    feed_(core::ClientArrived{client});
}

// Before the core has heard of him.
void Clients::turn_away(core::ClientId client, io::Descriptor socket, const std::string& peer,
                        const Refusal& refusal) {
    io::say_farewell(std::move(socket));
    record_.refused({refusal.name, {}, false});
    tell_some_refusals({client, peer, std::chrono::nanoseconds{0}}, refusal);
}

// Strangers may knock as often as they like: they get a few lines a second.
void Clients::tell_some_refusals(const Session::Client& client, const Refusal& refusal) {
    const auto now = steady_clock::now();
    if (now - turned_away_since_ >= std::chrono::seconds{1}) {
        turned_away_since_ = now;
        turned_away_told_ = 0;
    }
    if (++turned_away_told_ > turned_away_told_max) {
        ++turned_away_untold_;
        return;
    }
    tell_refusal(client, refusal, std::exchange(turned_away_untold_, 0));
}

void Clients::perform(const core::StopListening&) {
    for (Door& door : doors_) {
        if (door.what.is_passed()) {
            door.listener->let_go();
        } else {
            door.listener->close();
        }
    }
}

bool Clients::is_gate(const io::tcp::endpoint& address) const {
    return std::any_of(doors_.begin(), doors_.end(), [&address](const Door& door) {
        const auto& gates = door.listener->endpoints();
        return std::any_of(gates.begin(), gates.end(),
                           [&](const auto& gate) { return io::leads_to(address, gate); });
    });
}

void Clients::close() {
    waiting_.close();
    is_closing_ = true;
    close_watcher_if_idle();
}

void Clients::close_watcher_if_idle() {
    if (is_closing_ && sessions_.empty()) {
        watcher_.close();
    }
}

// ---- Waiting -----------------------------------------------------------------------------------

void Clients::left(core::ClientId client, std::chrono::nanoseconds waited) {
    Line(Line::Level::info, "client left")
        .with("client", core::number(client))
        .with("peer", clients_.at(client).peer)
        .with("waited", waited)
        .with("end", "CQ");
    record_.left(waited);
    clients_.erase(client);
}

void Clients::perform(const core::RefuseClient& effect) {
    const Refusal refusal = describe(effect.reason, waiting_.size() - 1);
    record_.refused({refusal.name, effect.waited});
    tell_refusal({effect.client, clients_.at(effect.client).peer, effect.waited}, refusal, 0);
    clients_.erase(effect.client);
    io::Descriptor client = waiting_.take(core::number(effect.client)).release();
    if (config_.protocol == config::Protocol::uno && !is_hurried_ && may_tell_one_more()) {
        auto words = io::say_why_in_uno(
            std::move(client), "tcplock-supervisor: " + refusal.reason + ", try again later",
            why_limit);
        being_told_why_.push_back(session_tasks_.spawn("refusal", std::move(words)));
    } else {
        io::say_farewell(std::move(client));
    }
}

bool Clients::may_tell_one_more() {
    std::erase_if(being_told_why_, [this](auto task) { return !session_tasks_.is_running(task); });
    return being_told_why_.size() < being_told_why_max;
}

void Clients::hurry() {
    is_hurried_ = true;
    for (const auto task : being_told_why_) {
        session_tasks_.cancel(task);
    }
}

// ---- Inside ------------------------------------------------------------------------------------

void Clients::perform(const core::AdmitClient& effect) {
    const auto key = core::number(effect.client);
    if (waiting_.has_left(key)) {
        (void)waiting_.take(key);
        left(effect.client, effect.waited);
        feed_(core::SessionEnded{effect.client, core::SessionEnded::How::left});
        return;
    }
    const auto& client = clients_.at(effect.client);
    // From here its limits run, whenever it is that its turn comes on this thread.
    const auto admitted = client.since + effect.waited;
    const auto session = std::make_shared<Session>(
        config_, session_callbacks_, session_tasks_, watcher_, relay_store_, io_.get_executor(),
        Session::Client{effect.client, client.peer, effect.waited, admitted, effect.unserved},
        effect.generation, waiting_.take(key));
    Line(Line::Level::debug, "client admitted")
        .with("client", key)
        .with("instance", session_callbacks_.instance_of(effect.generation))
        .with("generation", core::number(effect.generation))
        .with("waited", effect.waited);
    record_.admitted(effect.waited);
    sessions_[effect.client] = session;
    session_tasks_.spawn("session", Session::run(session));
}

void Clients::perform(const core::StopBackend& effect) {
    for (const auto& [client, session] : sessions_) {
        if (session->generation() == effect.generation) {
            session->backend_is_ending();
        }
    }
}

void Clients::perform(const core::CutClient& effect) {
    const auto found = sessions_.find(effect.client);
    if (found != sessions_.end()) {  // Otherwise its end is in the inbox already.
        found->second->cut(effect.reason);
    }
}

void Clients::abort_sessions(core::Generation generation) {
    for (const auto& [client, session] : sessions_) {
        if (session->generation() == generation) {
            session->backend_is_gone();
        }
    }
}

std::map<core::ClientId, std::string> Clients::peers() const {
    std::map<core::ClientId, std::string> peers;
    for (const auto& [id, client] : clients_) {
        peers.emplace_hint(peers.end(), id, client.peer);
    }
    return peers;
}

std::optional<Guest> Clients::guest(core::ClientId client) const {
    const auto session = sessions_.find(client);
    const auto known = clients_.find(client);
    if (session == sessions_.end() || known == clients_.end()) {
        return std::nullopt;
    }
    return Guest{client, known->second.peer, session->second->generation()};
}

std::size_t Clients::inside(core::Generation generation) const {
    return static_cast<std::size_t>(
        std::count_if(sessions_.begin(), sessions_.end(), [generation](const auto& entry) {
            return entry.second->generation() == generation && entry.second->is_inside();
        }));
}

bool Clients::is_visited(core::Generation generation) const {
    return std::any_of(sessions_.begin(), sessions_.end(), [generation](const auto& entry) {
        return entry.second->generation() == generation && entry.second->is_inside_or_entering();
    });
}

void Clients::waits_again(core::ClientId client, io::WatchedDescriptor socket) {
    sessions_.erase(client);
    waiting_.add(core::number(client), std::move(socket), half_close(config_));
    close_watcher_if_idle();
}

void Clients::has_gone(core::ClientId client) {
    sessions_.erase(client);
    clients_.erase(client);
    close_watcher_if_idle();
}

}  // namespace tcplock::daemon
