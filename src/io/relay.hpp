// Moves the bytes of one session both ways, unchanged and in order, and carries how each side ends.
//
// It knows no limits but flush_limit: how long a session may last is its caller's business, who
// ends one by abort() on both sockets. The place in the backend is free when both sides of the way
// to it are closed: each has said FIN, or one was reset. backend_released() says so, exactly once.
// What is still owed to the client then is flushed outside the place.
//
// A client that has left, by a reset, or with `leave` by its FIN too: the backend gets what the
// client had sent, then a FIN; what it still says is dropped until it closes. Never a reset: that
// would free our side at once while the backend may still be at work, and the next client would
// enter beside it. How long the backend may take is the caller's business, too.
//
// keep: a client's FIN is carried to the backend, whose direction goes on; and the other way round.
// A backend's reset is carried to the client in both modes.
#pragma once

#include "io/socket.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>

namespace tcplock::io {

struct RelayOptions {
    HalfClose half_close = HalfClose::leave;
    // leave: for all that is owed to the client when the backend has closed. keep: without
    // progress.
    std::chrono::nanoseconds flush_limit = std::chrono::seconds(5);
};

// Called from within the relay; each may be empty. They may abort() the sockets.
struct RelayObserver {
    std::function<void()> client_spoke;      // its first byte; at most once
    std::function<void()> client_finished;   // it has left; the backend learns it as soon as it has
                                             // what the client sent; at most once
    std::function<void()> backend_released;  // both sides have said FIN, or one was reset; once
    std::function<void()> bytes_moved;       // some bytes reached one side or the other
};

enum class RelayEnd {
    client_closed,   // the client closed first
    client_reset,    // the client was reset, or could not be written to
    backend_closed,  // the backend closed first, and all it said was delivered
    backend_reset,   // the backend was reset before its side was done; so was the client then
    flush_failed,    // the backend was done, but the client did not take what it was owed
    cancelled,       // the caller aborted the sockets
};

const char* to_string(RelayEnd end);

struct RelayTotals {
    std::uint64_t bytes_in = 0;   // from the client to the backend
    std::uint64_t bytes_out = 0;  // from the backend to the client
    RelayEnd how = RelayEnd::cancelled;
};

// Both sockets are connected, and closed when it ends. Sockets and observer must outlive it.
// abort() on both ends it; on the client's alone, that client has been reset. A cancel of the
// calling coroutine is the same as abort() on both sockets.
boost::asio::awaitable<RelayTotals> relay(Socket& client, Socket& backend,
                                          RelayOptions options, RelayObserver& observer);

}  // namespace tcplock::io
