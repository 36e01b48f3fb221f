// One admitted client, from its turn to the line in the log that says how it ended: it is looked
// at, let into the backend, relayed, and perhaps cut.
//
// It decides nothing. However it goes, exactly one SessionEnded is fed, and the client is told of
// by one line, or goes back to those who wait.
//
// What the system is asked for one that waited in the line, over TCP, in this order, and why
// (tests/bench/syscalls.py shows it; what else a socket of a client needs, the listening one has):
//
//   accept4               he comes; every other time a second one, which finds nobody else
//   setsockopt            when he is asked for a sign of life, which is not when his neighbours are
//   epoll_ctl ADD         whoever leaves while he waits is to be noticed
//   poll                  the dead are not served: he may have left in the moment of his turn
//   socket, connect twice into the backend; on this machine the second says that it is made
//   setsockopt twice      no delay, and urgent bytes stay where they stand
//   getsockname           where nobody listens, one may be connected to oneself
//   recvfrom, sendto      what he has said by then
//   epoll_ctl ADD, MOD    to be told of what both say from now on
//   recvfrom, sendto      the answer
//   recvfrom, close       his end
//   shutdown              the backend is told, and keeps its place until it has closed as well:
//   recvfrom, close
//
// Beside that, for each time that there is news, of however many: epoll_wait by Asio, epoll_wait by
// io/watcher.hpp, and epoll_ctl MOD, with which Asio asks for more. A line of the log shares its
// write with those that come within some milliseconds.
#pragma once

#include "admin/happenings.hpp"
#include "config/config.hpp"
#include "core/events.hpp"
#include "core/reasons.hpp"
#include "core/types.hpp"
#include "io/relay.hpp"
#include "io/socket.hpp"
#include "io/task_group.hpp"
#include "io/watcher.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tcplock::daemon {

// Why a client is turned away, and the end code of its line.
struct Refusal {
    std::string_view code;
    std::string reason;
    std::string_view name;  // of the reason, in one word
};

class Session {
public:
    struct Client {
        core::ClientId id;
        std::string peer;
        std::chrono::nanoseconds waited;
        std::chrono::steady_clock::time_point admitted{};  // when the wait ended
        std::chrono::nanoseconds unserved{};               // of the wait: no backend served
    };

    struct Callbacks {
        std::function<void(core::Event)> feed;
        std::function<io::Destination(core::Generation)> address_of;
        std::function<std::string(core::Generation)> instance_of;
        std::function<bool(core::Generation)> is_ending;
        std::function<bool(core::Generation)> has_died;
        std::function<std::optional<std::uint64_t>(core::Generation)> memory_of;
        std::function<std::optional<std::chrono::nanoseconds>(core::Generation)> processor_time_of;
        // Tells of a client that speaks something else.
        std::function<void(const Client&, const Refusal&)> turned_away;
        // Tells how it has ended.
        std::function<void(const admin::EndedSession&)> ended;
        // Before its end is fed: the client waits again, or has gone.
        std::function<void(core::ClientId, io::WatchedDescriptor)> waits_again;
        std::function<void(core::ClientId)> has_gone;
    };

    // All must outlive it.
    Session(const config::Config& config, const Callbacks& callbacks, io::TaskGroup& tasks,
            io::Watcher& watcher, io::RelayStore& relay_store,
            boost::asio::any_io_executor executor, Client client, core::Generation generation,
            io::WatchedDescriptor socket);

    // To its end; it is kept until then.
    static boost::asio::awaitable<void> run(std::shared_ptr<Session> self);

    core::Generation generation() const { return generation_; }
    // From the open backend to its release.
    bool is_inside() const { return is_inside_ && !is_entering_; }
    bool is_inside_or_entering() const { return is_inside_; }

    void cut(core::CutReason reason);
    // Who is about to enter it does not.
    void backend_is_ending();
    // Who is inside is so no longer. Nothing else tells, where the backend is not ours.
    void backend_is_gone();

private:
    void abort();
    boost::asio::awaitable<bool> speaks_protocol();
    boost::asio::awaitable<bool> enter();
    boost::asio::awaitable<std::string> open_backend(io::Destination address);
    boost::asio::awaitable<void> relay();
    static boost::asio::awaitable<void> watch_idleness(std::shared_ptr<Session> self,
                                                       std::chrono::steady_clock::duration half);
    boost::asio::awaitable<void> sleep_until(std::chrono::steady_clock::time_point then);
    std::optional<std::chrono::nanoseconds> processor_time() const;
    void began_job();
    void moved(io::Speaker whose);
    void stirred();
    void left_backend();
    void refuse(const std::string& what);
    void wait_again(const std::string& why);
    void end(const io::RelayTotals& totals);
    std::string_view end_code(io::RelayEnd how) const;

    const config::Config& config_;
    const Callbacks& callbacks_;
    io::TaskGroup& tasks_;
    const Client client_;
    const core::Generation generation_;
    const std::string instance_;
    io::RelayStore& relay_store_;
    io::WatchedDescriptor client_socket_;
    io::News client_news_;
    io::Socket opening_socket_;  // into the backend, as long as that takes a wait
    io::WatchedDescriptor backend_socket_;
    io::Relay* relay_ = nullptr;  // while it runs

    bool is_entering_ = true;  // from the look at what it says to the open backend
    bool is_inside_ = true;
    bool has_job_ = false;
    bool ended_with_backend_ = false;  // that was being ended when the session ended
    std::optional<core::CutReason> cut_;
    std::optional<std::chrono::steady_clock::time_point> opened_;  // the backend, to this client

    boost::asio::steady_timer idleness_;           // runs out when it is to be looked at
    std::chrono::steady_clock::time_point moved_;  // the last byte, either way
    std::optional<io::Speaker> last_speaker_;      // whose it was
    bool is_told_idle_ = false;
};

// What a client means by shutting down its sending side.
io::HalfClose half_close(const config::Config& config);

}  // namespace tcplock::daemon
