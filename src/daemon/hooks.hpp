// Runs what an operator wants run: before a client goes in, after one was cut for its time, when a
// backend has answered, when it has ended.
//
// A hook is a program of the operator's own: it runs as we do, in /, and is told what it is about
// (daemon/occasion.hpp). What it prints goes to the log. At its limit it is killed with all that it
// has started. Of one kind no two run at once for one instance: a second one waits for its turn.
//
// When one is due is decided elsewhere: by the core for those that it waits for, by Notices for
// those that nobody waits for.
#pragma once

#include "config/config.hpp"
#include "config/placeholders.hpp"
#include "core/effects.hpp"
#include "core/events.hpp"
#include "daemon/command.hpp"
#include "daemon/occasion.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tcplock::daemon {

// A kind of hook, and the instance it is run for. Spares have one name, and no two one folder.
using HookLane = std::pair<std::string, std::string>;
HookLane lane_of(const Occasion& occasion);

class Hooks {
public:
    // All must outlive what runs. `identity` is in the environment of all we start.
    Hooks(boost::asio::io_context& io, const config::Hooks& hooks, Commands& commands,
          std::string identity, std::function<void(core::Event)> feed);

    // One that the core waits for. Why it failed, in words; empty when it succeeded, or when there
    // is none by now.
    boost::asio::awaitable<std::string> run(core::RunHook what, Occasion occasion);
    void tell_core(const core::RunHook& what, const std::string& why) const;

    // Any, of the configuration. Tells the log; the answer is as above.
    boost::asio::awaitable<std::string> run(config::Hook hook, Occasion occasion,
                                            Commands::Outliving outliving);

    // KILL to all that runs.
    void kill_all() { commands_.kill_all(); }

    // A program of the operator's that is no hook, as it would be run if it were one.
    io::ChildSpec program(const std::vector<std::string>& command,
                          const config::Placeholders& values) const;

private:
    class Turn;

    boost::asio::awaitable<void> await_turn(HookLane lane);
    boost::asio::awaitable<CommandResult> begin(const config::Hook& hook, const Occasion& occasion,
                                                Commands::Outliving outliving);

    const config::Hooks& hooks_;
    Commands& commands_;
    std::string identity_;
    std::function<void(core::Event)> feed_;
    std::set<HookLane> running_;
    boost::asio::steady_timer turn_over_;  // never expires; cancelled to wake who waits
};

}  // namespace tcplock::daemon
