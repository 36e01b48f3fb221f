// Runs what an operator wants run: before a client goes in, or after one was cut for its time.
//
// A hook is a program of the operator's own: it runs as we do, in /, and is told by its arguments
// and its environment what it is about. What it prints goes to the log. What it starts and leaves
// running, a service for instance, is left alone; at its limit all of it is killed.
#pragma once

#include "config/config.hpp"
#include "config/placeholders.hpp"
#include "core/effects.hpp"
#include "core/events.hpp"
#include "daemon/command.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <string>
#include <vector>

namespace tcplock::daemon {

class Hooks {
public:
    // All must outlive what runs. `identity` is in the environment of all we start.
    Hooks(const config::Hooks& hooks, Commands& commands, std::string identity,
          std::function<void(core::Event)> feed);

    // Why it failed, in words; empty when it succeeded. Tells the log.
    boost::asio::awaitable<std::string> run(core::RunHook what, std::string address,
                                            config::Placeholders values);
    void tell_core(const core::RunHook& what, const std::string& why) const;

    // A program of the operator's that is no hook, as it would be run if it were one.
    io::ChildSpec program(const std::vector<std::string>& command,
                          const config::Placeholders& values) const;

private:
    io::ChildSpec describe(const config::Hook& hook, const core::RunHook& what,
                           const std::string& address, const config::Placeholders& values) const;

    const config::Hooks& hooks_;
    Commands& commands_;
    std::string identity_;
    std::function<void(core::Event)> feed_;
};

}  // namespace tcplock::daemon
