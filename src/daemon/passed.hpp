// The sockets that the service manager has passed, and whether the configuration fits them: of
// those it says no more than that there are some.
#pragma once

#include "config/address.hpp"
#include "config/config.hpp"
#include "config/problem.hpp"
#include "io/passed_sockets.hpp"

#include <cstddef>
#include <vector>

namespace tcplock::daemon {

using PassedSockets = std::vector<io::PassedSocket>;
using io::take_passed_sockets;

// As the configuration knows addresses: without the interface that one of IPv6's may be tied to,
// which it does not name.
config::Endpoint as_configured(const io::tcp::endpoint& address);

// To be asked before anything is started, and of a configuration that is read again. One that does
// not fit is no better the next time: clients would find nobody, or somebody who may not be found.
std::vector<config::Problem> problems_with(const PassedSockets& passed,
                                           const config::Config& config);

// How many sockets such a configuration listens on.
std::size_t count_listeners(const PassedSockets& passed, const config::Config& config);

}  // namespace tcplock::daemon
