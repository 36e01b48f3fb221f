// Moves the bytes of one session both ways, unchanged and in order, and carries how each side ends.
//
// It knows no limits but flush_limit: how long a session may last is its caller's business, who
// ends one by abort(). The place in the backend is free when both sides of the way to it are
// closed: each has said FIN, or one was reset. backend_released() says so, exactly once. What is
// still owed to the client then is flushed outside the place.
//
// A client that has left, by a reset, or with `leave` by its FIN too: the backend gets what the
// client had sent, then a FIN; what it still says is dropped until it closes. Never a reset: that
// would free our side at once while the backend may still be at work, and the next client would
// enter beside it. How long the backend may take is the caller's business, too.
//
// keep: a client's FIN is carried to the backend, whose direction goes on; and the other way round.
// A backend's reset is carried to the client in both modes.
#pragma once

#include "io/relay_lane.hpp"
#include "io/socket.hpp"
#include "io/watcher.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>

namespace tcplock::io {

struct RelayOptions {
    HalfClose half_close = HalfClose::leave;
    // leave: for all that is owed to the client when the backend has closed. keep: without
    // progress.
    std::chrono::nanoseconds flush_limit = std::chrono::seconds(5);
    // The client is always one of TCP's.
    bool is_backend_in_file_system = false;
};

enum class Speaker { client, backend };

// Called from within the relay; each may be empty. They may cut or abort it.
struct RelayObserver {
    std::function<void()> client_spoke;      // its first byte; at most once
    std::function<void()> client_finished;   // it has left; the backend learns it as soon as it has
                                             // what the client sent; at most once
    std::function<void()> backend_released;  // both sides have said FIN, or one was reset; once
    std::function<void(Speaker)> bytes_moved;  // some bytes of the one reached the other
};

enum class RelayEnd {
    client_closed,   // the client closed first
    client_reset,    // the client was reset, or could not be written to
    backend_closed,  // the backend closed first, and all it said was delivered
    backend_reset,   // the backend was reset before its side was done; so was the client then
    flush_failed,    // the backend was done, but the client did not take what it was owed
    cancelled,       // it was aborted
};

const char* to_string(RelayEnd end);

struct RelayTotals {
    std::uint64_t bytes_in = 0;   // from the client to the backend
    std::uint64_t bytes_out = 0;  // from the backend to the client
    RelayEnd how = RelayEnd::cancelled;
};

class Relay {
public:
    // Both are connected and block nobody, and are closed when it ends. They, the store and the
    // observer must outlive it.
    Relay(boost::asio::any_io_executor executor, WatchedDescriptor& client,
          WatchedDescriptor& backend, RelayStore& store, RelayOptions options,
          RelayObserver& observer);

    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    // Once. It must be awaited to its end, which a cancel of the calling coroutine brings about as
    // abort() does.
    boost::asio::awaitable<RelayTotals> run();

    // Resets the client, and goes on as if it had been reset by itself.
    void cut_client();
    // Resets both; run() ends soon after.
    void abort();

private:
    // More may come from it; its end has come, but stands behind bytes that have not been taken;
    // all of it has been taken.
    enum class Says { more, its_last, nothing };
    // It may be given bytes; it has all there was and our FIN; it was reset, which the system tells
    // only once, to whoever asks first.
    enum class Takes { bytes, nothing, reset };
    // Of what the system has told, even if bytes stand before it: nothing; its FIN; its reset, as
    // good as which is that nothing more would be told, for lack of memory.
    enum class Gone { no, finished, reset, unwatchable };

    struct Side final : Watching {
        Side(Relay& of, WatchedDescriptor& descriptor) : relay(of), socket(descriptor) {}
        void has_news(std::uint32_t events) override;
        void watch();
        void wait_for_space();

        Relay& relay;
        WatchedDescriptor& socket;
        bool is_watched = false;
        bool is_watched_for_space = false;
        bool may_have_more = false;   // to be taken
        bool is_all_if_small = true;  // whether nothing more is behind what fills no buffer
        bool has_space = true;        // for what it is given
        Gone gone = Gone::no;
    };

    void begin();
    void go_on();
    void carry_in();
    void carry_out();
    RelayLane::Step carry(RelayLane& lane, Side& from, Side& to);
    static ssize_t give(RelayLane& lane, Side& to);
    void look_at_client();
    void look_at_backend();

    // What was met.
    void client_spoke();
    void client_ended(bool by_reset);
    void client_unwritable();
    void client_left();
    void client_has_all_that_was_said();
    void backend_ended(bool by_reset);
    void backend_has_all();
    void backend_unwritable(int error);
    void backend_takes(Takes what);
    void flush_limit_reached();
    void time_has_passed();

    // What is done about it.
    void closed_by(RelayEnd side);
    void failed(RelayEnd how);
    void moved(Speaker whose, ssize_t size);
    void client_took(ssize_t size);
    void tell_finished();
    void tell_released();
    void release_backend();
    void close_client();
    void reset_client();
    void discard(RelayLane& lane);
    void arm_flush_limit();
    void arm_clock();

    bool keeps() const { return options_.half_close == HalfClose::keep; }
    bool is_over() const;

    const RelayOptions options_;
    RelayObserver& observer_;
    Side client_;
    Side backend_;
    RelayStore& store_;
    RelayLane in_;
    RelayLane out_;

    using Clock = std::chrono::steady_clock;
    boost::asio::steady_timer clock_;  // cancelled to wake run()
    Clock::time_point flush_until_ = Clock::time_point::max();
    Clock::time_point look_again_at_ = Clock::time_point::max();
    Clock::time_point stuck_at_ =
        Clock::time_point::max();    // with what a backend said that has gone
    int unacknowledged_before_ = 0;  // by the client, when the limit was set

    std::optional<RelayEnd> end_;
    bool is_going_on_ = false;
    bool is_to_go_on_ = false;
    bool client_spoke_ = false;
    bool client_left_ = false;     // there is nobody left to deliver to
    bool client_has_all_ = false;  // all of the backend's bytes, and how it ended
    bool client_says_nothing_ = false;
    Says backend_says_ = Says::more;
    Takes backend_takes_ = Takes::bytes;
    bool client_closed_ = false;     // by us
    bool backend_released_ = false;  // closed by us
    bool told_finished_ = false;
    bool told_released_ = false;
};

}  // namespace tcplock::io
