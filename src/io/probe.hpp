// One question to a backend: does it answer? And what is next of kin: does anything accept there,
// and a fresh socket into it.
//
// It decides nothing: how often, and what an answer or none means, is its caller's business. Every
// read is bounded and everything has a limit. A probe leaves the way a well-behaved client does: it
// says FIN and waits for the backend's, so that a backend which counts who is inside counts no two.
#pragma once

#include "io/connecting.hpp"
#include "io/socket.hpp"
#include "uno/inquiry.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

namespace tcplock::io {

// An office answers this question.
struct UnoProbe {
    uno::Question question = uno::Question::round_trip;
};
// It accepts. The system accepts for a frozen backend too, so this proves little.
struct ConnectProbe {};
// It sends these bytes first.
struct GreetingProbe {
    std::string expect;
};
// It answers these bytes with those.
struct ExchangeProbe {
    std::string send;
    std::string expect;
};
struct HttpProbe {
    std::string path = "/";
    unsigned status = 200;
};

using ProbeSpec = std::variant<UnoProbe, ConnectProbe, GreetingProbe, ExchangeProbe, HttpProbe>;

struct ProbeResult {
    bool answered = false;
    std::string detail;                   // why not, in words; empty when it answered
    std::chrono::nanoseconds duration{};  // until the answer, or until it was clear that none comes
    // Of an office: it answered all but what waits for its running job, and how many documents are
    // open, if that was asked.
    bool is_busy = false;
    std::uint32_t documents = 0;
};

boost::asio::awaitable<ProbeResult> probe(ProbeSpec spec, Destination destination,
                                          std::chrono::nanoseconds timeout);

// False only when the address refuses: the proof that nobody listens. Silence is no proof.
boost::asio::awaitable<bool> accepts(Destination destination, std::chrono::nanoseconds limit);

// When a fresh socket into a backend counts as open: when the system has connected it, or when the
// office has sent the first byte of its greeting, which stays to be read.
enum class OpenWay { connect, uno_speaks_first };

// What has been begun is brought to its end. Why it could not be opened, in words; empty when it is
// open. The caller may abort() the socket meanwhile: a connection that the system still tries to
// make would reach whoever listens next.
boost::asio::awaitable<std::string> open_backend(Socket& socket, Destination destination,
                                                 OpenWay way, std::chrono::nanoseconds limit,
                                                 Attempt attempt);
boost::asio::awaitable<std::string> open_backend(Socket& socket, Destination destination,
                                                 OpenWay way, std::chrono::nanoseconds limit);

}  // namespace tcplock::io
