// One admitted client, from its turn to the line in the log that says how it ended.
//
// It holds what is known of it and tells; who moves it along is clients.hpp.
#pragma once

#include "config/config.hpp"
#include "core/reasons.hpp"
#include "core/types.hpp"
#include "io/relay.hpp"
#include "io/tcp.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace tcplock::daemon {

struct Session {
    core::ClientId client;
    core::Generation generation;
    std::string instance;
    std::string peer;
    std::chrono::nanoseconds waited;
    std::chrono::steady_clock::time_point admitted;
    io::tcp::socket client_socket;
    io::tcp::socket backend_socket;
    boost::asio::steady_timer idleness;  // runs out when it is to be told as idle
    std::chrono::steady_clock::time_point moved = admitted;  // the last byte, either way
    bool is_told_idle = false;
    // From the look at what it says to the open backend; from its turn to the release of that.
    bool is_entering = true;
    bool is_inside = true;
    bool has_job = false;
    bool ended_with_backend = false;  // that was being ended when the session ended
    std::optional<core::CutReason> cut = {};
};

using SessionPtr = std::shared_ptr<Session>;

// Whether its backend had died, nobody having asked for it.
enum class BackendHas { not_died, died };

void tell_end(const Session& session, const io::RelayTotals& totals, config::Protocol protocol,
              BackendHas backend_has);

}  // namespace tcplock::daemon
