// Stream sockets as this room uses them, over TCP or in the file system: how they are taken over
// and reset, and the one completion token for operations that may fail.
//
// Asio's own sockets are not close-on-exec and would leak into every backend we spawn; so what
// connects is opened by io/connecting.hpp, and what listens by io/listener.hpp.
#pragma once

#include "io/descriptor.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <concepts>
#include <optional>
#include <sys/types.h>

namespace tcplock::io {

using boost::asio::ip::tcp;

// Of whichever kind; a TCP endpoint is one.
using Endpoint = boost::asio::generic::stream_protocol::endpoint;
using Socket = boost::asio::generic::stream_protocol::socket;

bool is_in_file_system(const Endpoint& endpoint);

// Where to connect. In the file system anybody may have put another socket, or a link to one, where
// ours was: then only what this user listens on is taken.
struct Destination {
    template <std::convertible_to<Endpoint> Address>
    Destination(const Address& address) : endpoint(address) {}
    Destination(const Endpoint& address, std::optional<uid_t> user)
        : endpoint(address), listener(user) {}

    Endpoint endpoint;
    std::optional<uid_t> listener = {};  // absent: whoever it is
};

// auto [error, size] = co_await socket.async_read_some(buffer, use_result);
inline constexpr auto use_result = boost::asio::as_tuple(boost::asio::use_awaitable);

// What a client means by shutting down its sending side: it has left, or it may still be answered.
enum class HalfClose { leave, keep };

// Makes a socket of an accepted descriptor. Throws std::system_error when it is none.
Socket adopt(boost::asio::any_io_executor executor, Descriptor descriptor);

// Closes with a reset: both sides see it at once, and nothing unsent is sent; in the file system,
// where there is none, with an end. What waits on the socket ends as cancelled. A socket that is
// closed already is left alone.
void abort(Socket& socket);

// Whether the peer has said its last: its FIN or reset has come, even if unread bytes stand before
// it. Asio's own readiness tells nothing of that.
bool has_finished(int socket);
// The same for a reset alone.
bool was_reset(int socket);

// Bytes, the final FIN among them, that the peer's system has not acknowledged yet; in the file
// system, that the peer has not read.
int unacknowledged(int socket);

}  // namespace tcplock::io
