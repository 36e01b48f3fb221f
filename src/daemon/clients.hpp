// The shell's half that does what the core says about clients: accepts, keeps who waits, turns
// away, and tells the log; one line for each client that came. Who is let in is a session.
//
// It decides nothing but who may wait at all (`allow`). Every client accepted ends in exactly one
// line: session closed, client refused or client left.
#pragma once

#include "admin/record.hpp"
#include "config/config.hpp"
#include "core/effects.hpp"
#include "core/events.hpp"
#include "daemon/guest.hpp"
#include "daemon/passed.hpp"
#include "daemon/session.hpp"
#include "io/address.hpp"
#include "io/listener.hpp"
#include "io/probe.hpp"
#include "io/relay.hpp"
#include "io/task_group.hpp"
#include "io/waiting.hpp"
#include "io/watcher.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tcplock::daemon {

class Clients {
public:
    struct Callbacks {
        std::function<void(core::Event)> feed;
        std::function<io::Destination(core::Generation)> address_of;
        std::function<std::string(core::Generation)> instance_of;
        std::function<bool(core::Generation)> is_ending;
        std::function<bool(core::Generation)> has_died;
        std::function<std::optional<std::uint64_t>(core::Generation)> memory_of;
        std::function<std::optional<std::chrono::nanoseconds>(core::Generation)> processor_time_of;
    };

    // Opens every listener, takes what was passed, and accepts nobody yet. Throws
    // std::system_error, whose text names the address. `sessions` may last longer than `tasks`: a
    // client may still be owed something.
    Clients(boost::asio::io_context& io, io::Watcher& watcher, const config::Config& config,
            PassedSockets& passed, std::size_t open_files, admin::Record& record,
            Callbacks callbacks, io::TaskGroup& tasks, io::TaskGroup& sessions);

    void start();

    // Listens at these from now on. An address that stays is not closed for a moment. Those that
    // are new are opened first: throws std::exception with a sentence, and changes nothing, if one
    // cannot be.
    // Who has connected at one that goes is served all the same. What was passed stays.
    void listen_at(const std::vector<config::Listen>& listen);

    void perform(const core::AdmitClient& effect);
    void perform(const core::RefuseClient& effect);
    void perform(const core::CutClient& effect);
    void perform(const core::StopListening& effect);
    // Who was about to enter it does not.
    void perform(const core::StopBackend& effect);

    // Ends all that are inside, as if the backend had died.
    void abort_sessions(core::Generation generation);

    // Whether whoever connects there comes to one of our own listeners.
    bool is_gate(const io::tcp::endpoint& address) const;

    std::size_t waiting() const { return waiting_.size(); }
    // Who waits, is inside, or is still owed something.
    bool is_anybody_here() const { return !clients_.empty(); }
    // Of all who have not ended.
    std::map<core::ClientId, std::string> peers() const;
    // One who is inside, or on his way in.
    std::optional<Guest> guest(core::ClientId client) const;
    std::size_t inside(core::Generation generation) const;
    bool is_visited(core::Generation generation) const;

    // Who is turned away gets no words from here on, and no more of them.
    void hurry();

    // Nobody waits any more and nobody is let in: when those who are still owed something have got
    // it, ends what watches them.
    void close();

private:
    // One listening address. It stays where it is, for those who come in.
    struct Door {
        config::Listen what;
        std::optional<io::Listener> listener;
        io::Allow allow = {};

        io::tcp::endpoint address() const { return listener->local_endpoint(); }
    };

    // Over TCP's address of its own, or over one that was passed.
    template <class Over>
    void open(std::list<Door>& doors, const config::Listen& listen, Over over);
    void permit(Door& door, const config::Listen& listen);
    void open_beside_others(std::list<Door>& doors, const config::Listen& listen);
    void accepted(const io::Allow& allow, io::Descriptor socket, io::tcp::endpoint peer);
    void turn_away(core::ClientId client, io::Descriptor socket, const std::string& peer,
                   const Refusal& refusal);
    void tell_some_refusals(const Session::Client& client, const Refusal& refusal);
    void left(core::ClientId client, std::chrono::nanoseconds waited);
    bool may_tell_one_more();
    void waits_again(core::ClientId client, io::WatchedDescriptor socket);
    void has_gone(core::ClientId client);
    void close_watcher_if_idle();

    struct Client {
        std::string peer;
        std::chrono::steady_clock::time_point since;
    };

    boost::asio::io_context& io_;
    const config::Config& config_;
    const std::size_t open_files_;
    admin::Record& record_;
    std::function<void(core::Event)> feed_;
    Session::Callbacks session_callbacks_;
    io::Watcher& watcher_;
    io::RelayStore relay_store_;
    io::Waiting waiting_;
    std::list<Door> doors_;
    std::map<core::ClientId, Client> clients_;  // all who have not ended
    std::map<core::ClientId, std::shared_ptr<Session>>
        sessions_;  // inside, or still owed something
    std::uint64_t last_client_ = 0;
    std::vector<io::TaskGroup::Id> being_told_why_;
    bool is_hurried_ = false;
    bool is_closing_ = false;
    std::chrono::steady_clock::time_point turned_away_since_;  // the second that is counted
    unsigned turned_away_told_ = 0;
    std::uint64_t turned_away_untold_ = 0;
    io::TaskGroup& tasks_;
    io::TaskGroup& session_tasks_;
};

}  // namespace tcplock::daemon
