// TCP sockets as this room uses them: how they are opened, taken over and reset, and the one
// completion token for operations that may fail.
//
// Asio's own sockets are not close-on-exec and would leak into every backend we spawn; so sockets
// are opened here, and only here.
#pragma once

#include "io/descriptor.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace tcplock::io {

using boost::asio::ip::tcp;

// auto [error, size] = co_await socket.async_read_some(buffer, use_result);
inline constexpr auto use_result = boost::asio::as_tuple(boost::asio::use_awaitable);

// What a client means by shutting down its sending side: it has left, or it may still be answered.
enum class HalfClose { leave, keep };

// A new socket: close-on-exec, no delay. Unopened, with the error, when there is no descriptor
// left.
tcp::socket open_socket(boost::asio::any_io_executor executor, tcp protocol,
                        boost::system::error_code& error);

// Makes a socket of an accepted descriptor. Throws std::system_error when it is none.
tcp::socket adopt(boost::asio::any_io_executor executor, Descriptor descriptor);

// Closes with a reset: both sides see it at once, and nothing unsent is sent. What waits on the
// socket ends as cancelled. A socket that is closed already is left alone.
void abort(tcp::socket& socket);

// Whether the peer has said its last: its FIN or reset has come, even if unread bytes stand before
// it. Asio's own readiness tells nothing of that.
bool has_finished(tcp::socket& socket);
// The same for a reset alone.
bool was_reset(tcp::socket& socket);

// Bytes, the final FIN among them, that the peer's system has not acknowledged yet.
int unacknowledged(tcp::socket& socket);

}  // namespace tcplock::io
