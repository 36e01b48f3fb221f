#include "daemon/session.hpp"

#include "daemon/log.hpp"

#include <string_view>

namespace tcplock::daemon {
namespace {

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
        case core::CutReason::shutdown:
            return "GD";
    }
    return "??";
}

std::string_view end_code(const Session& session, io::RelayEnd how, config::Protocol protocol,
                          BackendHas backend_has) {
    if (session.cut) {
        return code_of(*session.cut);
    }
    switch (how) {
        case io::RelayEnd::client_closed:
            return "--";
        case io::RelayEnd::client_reset:
            return "CD";
        case io::RelayEnd::backend_closed: {
            // An office never closes first, unless it dies.
            const bool is_orderly = protocol == config::Protocol::tcp &&
                                    !session.ended_with_backend &&
                                    backend_has == BackendHas::not_died;
            return is_orderly ? "S-" : "SD";
        }
        case io::RelayEnd::backend_reset:
            return "SD";
        case io::RelayEnd::flush_failed:
            return "CL";
        case io::RelayEnd::cancelled:
            return session.ended_with_backend ? "SD" : "GD";
    }
    return "??";
}

}  // namespace

void tell_end(const Session& session, const io::RelayTotals& totals, config::Protocol protocol,
              BackendHas backend_has) {
    Line(Line::Level::info, "session closed")
        .with("client", core::number(session.client))
        .with("peer", session.peer)
        .with("instance", session.instance)
        .with("generation", core::number(session.generation))
        .with("waited", session.waited)
        .with("lasted", std::chrono::steady_clock::now() - session.admitted)
        .with("in", totals.bytes_in)
        .with("out", totals.bytes_out)
        .with("job", session.has_job ? "yes" : "no")
        .with("end", end_code(session, totals.how, protocol, backend_has));
}

}  // namespace tcplock::daemon
