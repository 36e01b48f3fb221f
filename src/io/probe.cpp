#include "io/probe.hpp"

#include "io/address.hpp"
#include "io/connecting.hpp"
#include "io/timeout.hpp"
#include "io/unix_socket.hpp"
#include "uno/bytes.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

constexpr std::size_t status_line_max = 8192;
// A backend that does not close on our FIN keeps nobody waiting for longer.
constexpr auto goodbye_limit = std::chrono::milliseconds(200);
constexpr std::size_t goodbye_max = 65536;
constexpr auto full_pause = std::chrono::milliseconds(10);

std::string in_words(const boost::system::error_code& error) {
    std::string words = error.message();
    if (!words.empty()) {
        words[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(words[0])));
    }
    return words;
}

// "2 s", "0.25 s"
std::string in_words(std::chrono::nanoseconds time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.6g s", std::chrono::duration<double>(time).count());
    return text.data();
}

std::string_view as_text(uno::Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

uno::Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string in_hex(std::string_view text) {
    return uno::in_hex(as_bytes(text));
}

// What goes on between us and the backend. It outlives the coroutines below, so that what was
// going on when the time was up can be told.
struct Talk {
    explicit Talk(Socket& unopened) : socket(unopened) {}

    Socket& socket;
    std::string received;
    std::string awaited = "did not accept";  // what has not happened so far: "… within 2 s"
    bool succeeded = false;
    bool was_refused = false;
    bool waits_for_job = false;  // what has not happened may be waiting for one
    bool is_busy = false;
    std::uint32_t documents = 0;
    std::string failure;
    Clock::time_point decided = Clock::time_point::max();

    void fail(std::string why) {
        failure = std::move(why);
        decided = Clock::now();
    }
    void succeed() {
        succeeded = true;
        decided = Clock::now();
    }
};

// Each step below is true when the next may follow; when false the talk has failed and says why.
// Results are named before they are tested: GCC 12 makes code that traps of two
// `if (!co_await step())` in one function.
using Step = asio::awaitable<bool>;

// There is no event for "no longer full", hence a try now and then.
asio::awaitable<boost::system::error_code> wait_for_room(Socket& socket, Endpoint endpoint) {
    asio::steady_timer pause(socket.get_executor());
    std::error_code error = std::make_error_code(std::errc::resource_unavailable_try_again);
    while (error == std::errc::resource_unavailable_try_again) {
        pause.expires_after(full_pause);
        const auto [cancelled] = co_await pause.async_wait(use_result);
        if (cancelled || !socket.is_open()) {
            co_return asio::error::operation_aborted;
        }
        error = connect_at_once(socket.native_handle(), endpoint);
    }
    co_return boost::system::error_code(error.value(), boost::system::system_category());
}

asio::awaitable<boost::system::error_code> wait_for_connection(Socket& socket, Endpoint endpoint) {
    auto [error] = co_await socket.async_wait(Socket::wait_write, use_result);
    int failure = 0;
    socklen_t size = sizeof failure;
    if (!error &&
        ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &failure, &size) != 0) {
        failure = errno;
    }
    if (!error && failure == 0 && is_connected_to_itself(socket.native_handle(), endpoint)) {
        failure = ECONNREFUSED;
    }
    if (!error) {
        error.assign(failure, boost::system::system_category());
    }
    co_return error;
}

// The rest of what begin_connect() began.
asio::awaitable<boost::system::error_code> finish(Attempt attempt, Socket& socket,
                                                  Endpoint endpoint) {
    const std::error_code begun = attempt.error;
    try {
        if (attempt.socket) {
            socket = adopt(socket.get_executor(), std::move(attempt.socket));
        }
    } catch (const boost::system::system_error& error) {  // The system has no watch left.
        co_return error.code();
    }
    if (begun == std::errc::operation_in_progress) {
        co_return co_await wait_for_connection(socket, endpoint);
    }
    if (begun == std::errc::resource_unavailable_try_again && is_in_file_system(endpoint)) {
        co_return co_await wait_for_room(socket, endpoint);
    }
    co_return boost::system::error_code(begun.value(), boost::system::system_category());
}

// Why who listens is not who should, in words; empty if he is.
std::string doubt_listener(Socket& socket, const Destination& destination) {
    if (!destination.listener || !is_in_file_system(destination.endpoint)) {
        return {};
    }
    const auto peer = listener_of(socket.native_handle());
    if (const auto* const listening = std::get_if<Listening>(&peer)) {
        return listening->uid == *destination.listener
                   ? std::string()
                   : "is answered by user " + std::to_string(listening->uid) +
                         ", who is not the backend's";
    }
    return "did not tell who it is: " + std::get<std::error_code>(peer).message();
}

Step connect(Talk& talk, Destination destination, Attempt attempt) {
    const Endpoint& endpoint = destination.endpoint;
    const auto error = co_await finish(std::move(attempt), talk.socket, endpoint);
    if (error) {
        // Or there is no socket of that name.
        talk.was_refused = error == asio::error::connection_refused ||
                           error == boost::system::errc::no_such_file_or_directory;
        talk.fail(in_words(error));
        co_return false;
    }
    if (const std::string why = doubt_listener(talk.socket, destination); !why.empty()) {
        talk.fail(why);
        co_return false;
    }
    talk.awaited = "accepted but sent nothing";
    co_return true;
}

bool has_closed(const boost::system::error_code& error) {
    return error == asio::error::eof || error == asio::error::connection_reset;
}

std::string how_it_ended(const boost::system::error_code& error) {
    return error == asio::error::eof ? "closed" : in_words(error);
}

std::string ended_in_words(const Talk& talk, const boost::system::error_code& error) {
    const std::string how = how_it_ended(error);
    if (talk.received.empty()) {
        return "accepted, then " + how + " without sending anything";
    }
    return "sent only " + std::to_string(talk.received.size()) + " bytes, then " + how;
}

// Reads some more, but never beyond `size` bytes in all.
Step receive_some(Talk& talk, std::size_t size) {
    std::vector<char> bytes(size - talk.received.size());
    const auto [error, count] =
        co_await talk.socket.async_read_some(asio::buffer(bytes), use_result);
    if (error) {
        talk.fail(ended_in_words(talk, error));
        co_return false;
    }
    talk.received.append(bytes.data(), count);
    talk.awaited = "sent only " + std::to_string(talk.received.size()) + " bytes and no more";
    co_return true;
}

// Exactly these bytes come next; what follows them is left alone.
Step expect(Talk& talk, std::string bytes) {
    talk.received.clear();
    while (talk.received.size() < bytes.size()) {
        const bool is_more = co_await receive_some(talk, bytes.size());
        if (!is_more) {
            co_return false;
        }
        if (!bytes.starts_with(talk.received)) {
            talk.fail("sent " + in_hex(talk.received) + " instead of " + in_hex(bytes));
            co_return false;
        }
    }
    co_return true;
}

Step send(Talk& talk, std::string bytes) {
    const auto [error, count] =
        co_await asio::async_write(talk.socket, asio::buffer(bytes), use_result);
    if (error) {
        talk.fail("did not take what we sent: " + in_words(error));
    }
    co_return !error;
}

Step ask(Talk& talk, UnoProbe spec) {
    uno::Inquiry inquiry(spec.question);
    std::array<std::uint8_t, 4096> bytes;
    while (inquiry.wanted() > 0) {
        const auto [error, count] =
            co_await talk.socket.async_read_some(asio::buffer(bytes, inquiry.wanted()), use_result);
        if (has_closed(error) && inquiry.is_asked_to_end()) {
            co_return true;
        }
        if (error) {
            talk.fail(inquiry.awaited() + ", then " + how_it_ended(error));
            co_return false;
        }
        const std::string reply(as_text(inquiry.receive(uno::Bytes(bytes).first(count))));
        talk.awaited = inquiry.awaited();
        talk.waits_for_job = inquiry.is_waiting_for_job();
        if (!reply.empty()) {
            const bool is_sent = co_await send(talk, reply);
            if (!is_sent) {
                co_return false;
            }
        }
    }
    talk.documents = inquiry.documents();
    if (inquiry.state() == uno::Inquiry::State::failed) {
        talk.fail(inquiry.problem());
        co_return false;
    }
    co_return true;
}

Step ask(Talk&, ConnectProbe) {
    co_return true;
}

Step ask(Talk& talk, GreetingProbe spec) {
    return expect(talk, std::move(spec.expect));
}

Step ask(Talk& talk, ExchangeProbe spec) {
    const bool is_sent = co_await send(talk, std::move(spec.send));
    if (!is_sent) {
        co_return false;
    }
    const bool answered = co_await expect(talk, std::move(spec.expect));
    co_return answered;
}

// The status of "HTTP/1.1 200 OK"; 0 when this is no status line.
unsigned status_of(std::string_view line) {
    constexpr std::string_view version = "HTTP/1.";
    constexpr std::size_t status_at = version.size() + 2;  // one digit and a blank
    constexpr std::size_t status_size = 3;
    unsigned status = 0;
    if (!line.starts_with(version) || line.size() < status_at + status_size ||
        line[status_at - 1] != ' ') {
        return 0;
    }
    const char* const first = line.data() + status_at;
    const auto [stop, error] = std::from_chars(first, first + status_size, status);
    return error == std::errc{} && stop == first + status_size ? status : 0;
}

Step ask(Talk& talk, HttpProbe spec) {
    boost::system::error_code ignored;  // Without the peer's address the header is empty; so be it.
    const Endpoint peer = talk.socket.remote_endpoint(ignored);
    const std::string host = is_in_file_system(peer) ? "localhost" : describe(peer);
    const bool is_sent = co_await send(talk, "GET " + spec.path + " HTTP/1.0\r\nHost: " + host +
                                                 "\r\nUser-Agent: tcplock-supervisor\r\n"
                                                 "Connection: close\r\n\r\n");
    if (!is_sent) {
        co_return false;
    }
    while (talk.received.find('\n') == std::string::npos) {
        if (talk.received.size() >= status_line_max) {
            talk.fail("sent " + in_hex(talk.received) + " instead of an HTTP status line");
            co_return false;
        }
        const bool is_more = co_await receive_some(talk, status_line_max);
        if (!is_more) {
            co_return false;
        }
    }
    const unsigned status = status_of(talk.received);
    if (status == 0) {
        talk.fail("sent " + in_hex(talk.received) + " instead of an HTTP status line");
    } else if (status != spec.status) {
        talk.fail("HTTP status " + std::to_string(status) + ", expected " +
                  std::to_string(spec.status));
    }
    co_return status == spec.status;
}

Step ask(Talk& talk, ProbeSpec spec) {
    return std::visit([&talk](auto& kind) { return ask(talk, std::move(kind)); }, spec);
}

// The answer stands, whatever comes of this.
asio::awaitable<void> say_goodbye(Talk& talk) {
    boost::system::error_code ignored;  // It may have closed already.
    talk.socket.shutdown(Socket::shutdown_send, ignored);
    std::array<char, 4096> dropped;
    std::size_t size = 0;
    while (size < goodbye_max) {
        const auto [error, count] =
            co_await talk.socket.async_read_some(asio::buffer(dropped), use_result);
        if (error) {
            co_return;
        }
        size += count;
    }
}

Step connect(Talk& talk, Destination destination) {
    return connect(talk, destination, begin_connect(destination.endpoint));
}

asio::awaitable<void> ask_and_leave(Talk& talk, Destination destination, ProbeSpec spec) {
    const bool is_connected = co_await connect(talk, destination);
    if (!is_connected) {
        co_return;
    }
    const bool answered = co_await ask(talk, std::move(spec));
    if (!answered) {
        co_return;
    }
    talk.succeed();
    auto goodbye = say_goodbye(talk);
    (void)co_await with_timeout(std::move(goodbye), goodbye_limit);
}

asio::awaitable<void> connect_only(Talk& talk, Destination destination) {
    const bool is_connected = co_await connect(talk, destination);
    if (is_connected) {
        talk.succeed();
    }
}

asio::awaitable<void> open(Talk& talk, Destination destination, OpenWay way, Attempt attempt) {
    const bool is_connected = co_await connect(talk, destination, std::move(attempt));
    if (!is_connected) {
        co_return;
    }
    if (way == OpenWay::uno_speaks_first) {
        std::array<char, 1> first{};
        const auto [error, count] = co_await talk.socket.async_receive(
            asio::buffer(first), Socket::message_peek, use_result);
        if (error) {
            talk.fail(ended_in_words(talk, error));
            co_return;
        }
    }
    talk.succeed();
}

// Runs it to its end or to the limit, and says what was missing then.
asio::awaitable<void> within(std::chrono::nanoseconds limit, asio::awaitable<void> conversation,
                             Talk& talk) {
    const bool ended = co_await with_timeout(std::move(conversation), limit);
    if (!ended && !talk.succeeded) {
        talk.fail(talk.awaited + " within " + in_words(limit));
        talk.is_busy = talk.waits_for_job;
    }
}

}  // namespace

asio::awaitable<ProbeResult> probe(ProbeSpec spec, Destination destination,
                                   std::chrono::nanoseconds timeout) {
    const auto begin = Clock::now();
    Socket socket(co_await asio::this_coro::executor);
    Talk talk(socket);
    auto conversation = ask_and_leave(talk, destination, std::move(spec));
    co_await within(timeout, std::move(conversation), talk);
    // After a goodbye that was answered both sides have closed, and there is nothing to reset.
    abort(socket);
    co_return ProbeResult{talk.succeeded, talk.succeeded ? "" : talk.failure, talk.decided - begin,
                          talk.is_busy, talk.documents};
}

asio::awaitable<bool> accepts(Destination destination, std::chrono::nanoseconds limit) {
    Socket socket(co_await asio::this_coro::executor);
    Talk talk(socket);
    auto conversation = connect_only(talk, destination);
    co_await within(limit, std::move(conversation), talk);
    abort(socket);
    co_return talk.succeeded || !talk.was_refused;
}

asio::awaitable<std::string> open_backend(Socket& socket, Destination destination, OpenWay way,
                                          std::chrono::nanoseconds limit, Attempt attempt) {
    Talk talk(socket);
    auto conversation = open(talk, destination, way, std::move(attempt));
    co_await within(limit, std::move(conversation), talk);
    if (!talk.succeeded) {
        abort(socket);
    }
    co_return talk.failure;
}

asio::awaitable<std::string> open_backend(Socket& socket, Destination destination, OpenWay way,
                                          std::chrono::nanoseconds limit) {
    return open_backend(socket, destination, way, limit, begin_connect(destination.endpoint));
}

}  // namespace tcplock::io
