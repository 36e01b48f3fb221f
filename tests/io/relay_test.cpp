#include "io/relay.hpp"

#include "loopback.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <poll.h>
#include <random>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace tcplock::io {

// How GoogleTest prints it.
void PrintTo(RelayEnd end, std::ostream* out);
void PrintTo(RelayEnd end, std::ostream* out) {
    *out << to_string(end);
}

namespace {

using namespace std::chrono_literals;
using test::Ending;

std::string random_bytes(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
        byte = static_cast<char>(random());
    }
    return bytes;
}

// FNV-1a: order and content in one number, so that a failure does not print megabytes.
std::uint64_t checksum(const std::string& bytes) {
    std::uint64_t sum = 14695981039346656037U;
    for (const char byte : bytes) {
        sum = (sum ^ static_cast<unsigned char>(byte)) * 1099511628211U;
    }
    return sum;
}

// Two ends of one connection: ours, as the relay has it, and a peer's.
struct Way {
    WatchedDescriptor near;
    Socket far;
};

class Relaying : public test::Loopback {
protected:
    Relaying() {
        std::signal(SIGPIPE, SIG_IGN);
        tasks.spawn("watcher", watcher.run());
    }
    ~Relaying() override {
        abort_both();
        watcher.close();
        run_until([this] { return tasks.size() == 0; });
    }

    Way way(test::Pair pair) {
        pair.near.non_blocking(true);
        return {WatchedDescriptor(watcher, Descriptor(pair.near.release())), std::move(pair.far)};
    }

    void start(HalfClose half_close, std::chrono::nanoseconds flush_limit = 5s) {
        observer.client_spoke = [this] { ++spoke; };
        observer.client_finished = [this] { ++finished; };
        observer.backend_released = [this] {
            ++released;
            EXPECT_TRUE(is_closed_for_the_backend()) << "released, but not closed";
            EXPECT_FALSE(totals) << "released after the end";
        };
        const RelayOptions options{half_close, flush_limit, is_in_file_system(backend())};
        relay = std::make_unique<Relay>(context.get_executor(), client_side.near, backend_side.near,
                                        store, options, observer);
        tasks.spawn("relay", test::store(relay->run(), totals));
    }

    // Our end is closed, or has sent its FIN after the backend's.
    bool is_closed_for_the_backend() {
        pollfd state{backend_side.near.get(), 0, 0};
        return state.fd < 0 || (::poll(&state, 1, 0) == 1 && (state.revents & POLLHUP) != 0);
    }

    // Small buffers in the system, so that a reader that does not read is felt soon.
    static void shrink_buffers(Way& way) {
        for (const int socket : {way.near.get(), way.far.native_handle()}) {
            set(socket, SO_SNDBUF, 4096);
            set(socket, SO_RCVBUF, 4096);
        }
    }
    static void set(int socket, int option, int value) {
        ASSERT_EQ(::setsockopt(socket, SOL_SOCKET, option, &value, sizeof value), 0);
    }
    static bool is_in_file_system(Socket& socket) {
        return io::is_in_file_system(socket.local_endpoint());
    }
    void shrink_buffers() {
        shrink_buffers(client_side);
        // In the file system one buffer holds what TCP has two for.
        if (!is_in_file_system(backend())) {
            shrink_buffers(backend_side);
        }
    }

    // As much as the peer's side takes before it stalls.
    std::string send_until_full(int socket, std::size_t max = 1U << 26) {
        const std::string chunk = random_bytes(65536, 7);
        std::string sent;
        int stalls = 0;
        while (stalls < 20 && sent.size() < max) {
            const ssize_t count =
                ::send(socket, chunk.data(), chunk.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
            sent += chunk.substr(0, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
            stalls = count < 0 ? stalls + 1 : 0;
            settle();
        }
        return sent;
    }
    std::string send_until_full(Socket& socket, std::size_t max = 1U << 26) {
        return send_until_full(socket.native_handle(), max);
    }

    bool ends() {
        return run_until([this] { return totals.has_value(); });
    }

    void abort_both() {
        if (relay) {
            relay->abort();
        }
    }

    Socket& client() { return client_side.far; }
    Socket& backend() { return backend_side.far; }

    // Ends a peer's side in one of the ways a peer has.
    static void end(Socket& socket, Ending how) {
        if (how == Ending::reset) {
            abort(socket);
        } else {
            boost::system::error_code
                ignored;  // After the other side's reset there is no side left.
            socket.shutdown(Socket::shutdown_send, ignored);
        }
    }

    Watcher watcher{context.get_executor()};
    RelayStore store;
    Way client_side = way(connected());
    Way backend_side = way(connected());
    RelayObserver observer;
    std::unique_ptr<Relay> relay;
    std::optional<RelayTotals> totals;
    int spoke = 0;
    int finished = 0;
    int released = 0;
};

enum class Backend { over_tcp, in_file_system };

class InBothModes : public Relaying,
                    public testing::WithParamInterface<std::tuple<HalfClose, Backend>> {
protected:
    InBothModes() { backend_side = backend_connected(); }

    Way backend_connected() {
        return way(is_over_tcp() ? connected() : connected_in_file_system());
    }
    HalfClose mode() const { return std::get<0>(GetParam()); }
    bool is_over_tcp() const { return std::get<1>(GetParam()) == Backend::over_tcp; }
    // There are no resets in the file system, unless something was left unread.
    Ending abort_is_seen_as() const { return is_over_tcp() ? Ending::reset : Ending::fin; }
};

std::string name_of(const testing::TestParamInfo<std::tuple<HalfClose, Backend>>& info) {
    const auto [mode, backend] = info.param;
    return std::string(mode == HalfClose::leave ? "Leave" : "Keep") +
           (backend == Backend::over_tcp ? "" : "InFileSystem");
}

INSTANTIATE_TEST_SUITE_P(Mode, InBothModes,
                         testing::Combine(testing::Values(HalfClose::leave, HalfClose::keep),
                                          testing::Values(Backend::over_tcp,
                                                          Backend::in_file_system)),
                         name_of);

TEST_P(InBothModes, CarriesBytesBothWaysAndCountsThem) {
    start(mode());
    send(client(), "question");
    EXPECT_EQ(receive(backend(), 8), "question");
    send(backend(), "the answer");
    EXPECT_EQ(receive(client(), 10), "the answer");
    finish(client());
    EXPECT_EQ(receive_all(backend()), std::pair(std::string(), Ending::fin));
    backend().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->bytes_in, 8U);
    EXPECT_EQ(totals->bytes_out, 10U);
    EXPECT_EQ(totals->how, RelayEnd::client_closed);
    EXPECT_EQ(spoke, 1);
    EXPECT_EQ(released, 1);
}

TEST_P(InBothModes, CarriesWhatTheClientHadSentBefore) {
    send(client(), "early");
    start(mode());
    EXPECT_EQ(receive(backend(), 5), "early");
}

// Both ways at once, in pieces of every size; the checksum covers order and content.
TEST_P(InBothModes, KeepsThirtyTwoMebibytesBothWaysUnchanged) {
    constexpr std::size_t size = 32U << 20;
    const std::string question = random_bytes(size, 1);
    const std::string answer = random_bytes(size, 2);
    start(mode());
    std::string to_backend;
    std::string to_client;
    std::size_t question_sent = 0;
    std::size_t answer_sent = 0;
    std::mt19937 random(3);
    std::vector<char> some(1U << 18);
    const auto send_some = [&](Socket& socket, const std::string& bytes, std::size_t& sent) {
        boost::system::error_code error;
        const std::size_t piece = std::min<std::size_t>(bytes.size() - sent, random() % 200000);
        sent += socket.send(boost::asio::buffer(bytes.data() + sent, piece), 0, error);
    };
    const auto receive_some = [&](Socket& socket, std::string& bytes) {
        boost::system::error_code error;
        const std::size_t piece = 1 + random() % some.size();
        bytes.append(some.data(),
                     socket.receive(boost::asio::buffer(some.data(), piece), 0, error));
    };
    ASSERT_TRUE(run_until(
        [&] {
            send_some(client(), question, question_sent);
            send_some(backend(), answer, answer_sent);
            receive_some(client(), to_client);
            receive_some(backend(), to_backend);
            settle();
            return to_client.size() >= size && to_backend.size() >= size;
        },
        60s));
    EXPECT_EQ(checksum(to_backend), checksum(question));
    EXPECT_EQ(checksum(to_client), checksum(answer));
    backend().close();
    client().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->bytes_in, size);
    EXPECT_EQ(totals->bytes_out, size);
    EXPECT_EQ(released, 1);
}

// As much as is copied at once, or as a pipe holds, beside what the system's own buffers do.
TEST_P(InBothModes, HoldsABoundedAmountForAReaderThatNeverReads) {
    shrink_buffers();
    start(mode());
    constexpr std::size_t systems = 65536;
    const std::size_t most = std::max(RelayStore::buffer_size, RelayStore::pipe_size) + systems;
    EXPECT_LE(send_until_full(client()).size(), most);
    EXPECT_LE(send_until_full(backend()).size(), most);
}

TEST_F(Relaying, LetsOthersHaveTheirTurnInTheMiddleOfAFlood) {
    constexpr int plenty = 32 << 20;
    for (const int socket : {client_side.near.get(), client().native_handle(),
                             backend_side.near.get(), backend().native_handle()}) {
        if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &plenty, sizeof plenty) != 0 ||
            ::setsockopt(socket, SOL_SOCKET, SO_RCVBUFFORCE, &plenty, sizeof plenty) != 0) {
            GTEST_SKIP() << "buffers of that size are for whoever has CAP_NET_ADMIN";
        }
    }
    for (int others = 0; others < 15; ++others) {
        store.flood_begins();
    }
    constexpr std::size_t flood = 12U << 20;
    constexpr std::size_t enough = 6U << 20;
    // A turn is a sixteenth of the longest, and the system may deliver one with the next.
    constexpr std::size_t most = 3U << 20;
    ASSERT_GE(send_until_full(client(), flood).size(), flood);
    start(HalfClose::leave);
    std::size_t at_once = 0;
    std::size_t came = 0;
    while (came < enough && context.run_one_for(5s) == 1) {
        const std::size_t now = backend().available();
        at_once = std::max(at_once, now - came);
        came = now;
    }
    EXPECT_GE(came, enough);
    EXPECT_LE(at_once, most);
}

// A byte that is marked as urgent stays where it stands among the others, also in the middle of a
// flood, which goes through a pipe.
TEST_F(Relaying, KeepsAnUrgentByteInItsPlace) {
    for (const int socket : {client_side.near.get(), backend().native_handle()}) {
        set(socket, SO_OOBINLINE, 1);
    }
    start(HalfClose::leave);
    const std::string bytes = random_bytes(3U << 20, 11);
    std::size_t sent = 0;
    std::string received;
    std::vector<char> some(1U << 18);
    const auto relay_until = [&](std::size_t end) {
        return run_until([&] {
            boost::system::error_code error;
            if (sent < end) {
                sent +=
                    client().send(boost::asio::buffer(bytes.data() + sent, end - sent), 0, error);
            }
            received.append(some.data(), backend().receive(boost::asio::buffer(some), 0, error));
            return received.size() >= end;
        });
    };
    ASSERT_TRUE(relay_until(bytes.size() / 2));
    ASSERT_EQ(
        client().send(boost::asio::buffer(bytes.data() + sent, 1), Socket::message_out_of_band),
        1U);
    ++sent;
    ASSERT_TRUE(relay_until(bytes.size()));
    EXPECT_EQ(checksum(received), checksum(bytes));
}

// A backend that says a lot and closes, to a client that reads little by little.
TEST_P(InBothModes, DeliversEverythingToASlowReader) {
    const std::string answer = random_bytes(3U << 20, 5);
    start(mode());
    std::size_t sent = 0;
    std::string received;
    std::vector<char> some(20000);
    bool has_ended = false;
    ASSERT_TRUE(run_until(
        [&] {
            boost::system::error_code error;
            if (sent < answer.size()) {
                sent += backend().send(
                    boost::asio::buffer(answer.data() + sent, answer.size() - sent), 0, error);
                if (sent == answer.size()) {
                    backend().close();
                }
            }
            const std::size_t count = client().receive(boost::asio::buffer(some), 0, error);
            received.append(some.data(), count);
            has_ended = error == boost::asio::error::eof;
            settle();
            return has_ended;
        },
        30s));
    EXPECT_EQ(checksum(received), checksum(answer));
    client().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::backend_closed);
    EXPECT_EQ(totals->bytes_out, answer.size());
}

TEST_P(InBothModes, ReleasesABackendThatHasFinishedBeforeTheClientHasReadItsAnswer) {
    shrink_buffers();
    start(mode(), 10s);
    if (mode() == HalfClose::keep) {
        finish(client());
        EXPECT_EQ(receive_all(backend()).second, Ending::fin);
    }
    const std::string answer =
        send_until_full(client_side.near.get(), 1);  // so that writing to it stalls
    const std::string rest = random_bytes(20000, 9);
    send(backend(), rest);
    backend().close();
    EXPECT_TRUE(run_until([&] { return released == 1; }, 5s));
    EXPECT_FALSE(totals) << "the client is still owed its answer";
    const auto [received, ending] = receive_all(client());
    EXPECT_EQ(ending, Ending::fin);
    EXPECT_EQ(checksum(received), checksum(answer + rest));
    client().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(released, 1);
}

TEST_P(InBothModes, ResetsAClientThatNeverReadsWhatItIsOwed) {
    shrink_buffers();
    start(mode(), 200ms);
    (void)send_until_full(client_side.near.get(), 1);
    send(backend(), random_bytes(20000, 9));
    backend().close();
    ASSERT_TRUE(run_until([&] { return released == 1; }));
    const bool ended_with_the_release = totals.has_value();
    ASSERT_TRUE(ends());
    if (mode() == HalfClose::leave) {
        EXPECT_FALSE(ended_with_the_release) << "there was something to flush";
    }
    EXPECT_EQ(totals->how, RelayEnd::flush_failed);
    EXPECT_EQ(receive_all(client()).second, Ending::reset);
    EXPECT_EQ(released, 1);
}

TEST_P(InBothModes, ClosesAClientThatHasAllButDoesNotClose) {
    start(mode(), 100ms);
    send(backend(), "bye");
    backend().close();
    EXPECT_EQ(receive_all(client()), std::pair(std::string("bye"), Ending::fin));
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::backend_closed);
    EXPECT_EQ(released, 1);
}

TEST_P(InBothModes, TellsTheClientOfABrokenBackendByAResetAfterItsLastBytes) {
    if (!is_over_tcp()) {
        GTEST_SKIP() << "there are no resets in the file system";
    }
    start(mode());
    send(backend(), "half an ans");
    ASSERT_TRUE(run_until([&] { return client().available() == 11; }));
    abort(backend());
    EXPECT_EQ(receive_all(client()), std::pair(std::string("half an ans"), Ending::reset));
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::backend_reset);
    EXPECT_EQ(released, 1);
    EXPECT_EQ(finished, 0);
}

TEST_P(InBothModes, SaysNothingOfAClientThatNeverSpoke) {
    start(mode());
    client().close();
    ASSERT_TRUE(run_until([&] { return receive_all(backend()).second == Ending::fin; }));
    backend().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(spoke, 0);
    EXPECT_EQ(totals->how, RelayEnd::client_closed);
}

TEST_P(InBothModes, EndsAtOnceWhenItsSocketsAreAborted) {
    start(mode());
    send(client(), "question");
    EXPECT_EQ(receive(backend(), 8), "question");
    abort_both();
    ASSERT_TRUE(run_until([&] { return totals.has_value(); }, 4s));
    EXPECT_EQ(totals->how, RelayEnd::cancelled);
    EXPECT_EQ(released, 1);
    EXPECT_EQ(receive_all(client()).second, Ending::reset);
    EXPECT_EQ(receive_all(backend()).second, abort_is_seen_as());
}

// A reset would say nothing of when the backend is done with it.
TEST_P(InBothModes, LetsTheBackendCloseWhenItsClientWasCut) {
    start(mode());
    send(client(), "question");
    EXPECT_EQ(receive(backend(), 8), "question");
    relay->cut_client();
    EXPECT_EQ(receive_all(client()).second, Ending::reset);
    EXPECT_EQ(receive_all(backend()).second, Ending::fin);
    settle();
    EXPECT_EQ(finished, 1);
    EXPECT_EQ(released, 0);
    finish(backend());
    ASSERT_TRUE(ends());
    EXPECT_EQ(released, 1);
    EXPECT_EQ(totals->how, RelayEnd::client_reset);
}

// Its end is seen, though the backend takes none of what it had sent.
TEST_P(InBothModes, TellsOfAClientThatWasCutWhileTheBackendTakesNothing) {
    start(mode());
    const std::string much(1 << 20, 'x');
    client().send(boost::asio::buffer(much));
    settle();
    relay->cut_client();
    EXPECT_TRUE(run_until([&] { return finished == 1; }, 2s));
    EXPECT_EQ(released, 0);
    abort_both();
    ASSERT_TRUE(ends());
}

TEST_P(InBothModes, EndsWhenItsCallerIsCancelled) {
    start(mode());
    settle();
    tasks.cancel_all();
    ASSERT_TRUE(run_until([&] { return tasks.size() == 0; }, 4s));
    EXPECT_EQ(released, 1);
    EXPECT_EQ(receive_all(client()).second, Ending::reset);
    EXPECT_EQ(receive_all(backend()).second, abort_is_seen_as());
}

TEST_P(InBothModes, EndsWithSocketsThatWereClosedBeforeItBegan) {
    client_side.near.close();
    backend_side.near.close();
    start(mode());
    ASSERT_TRUE(run_until([&] { return totals.has_value(); }, 4s));
    EXPECT_EQ(totals->how, RelayEnd::cancelled);
    EXPECT_EQ(released, 1);
}

TEST_P(InBothModes, MayBeAbortedFromWithinItsCallbacks) {
    for (const int at : {0, 1, 2}) {
        client_side = way(connected());
        backend_side = backend_connected();
        totals.reset();
        released = 0;
        start(mode());
        const auto abort_all = [this] { abort_both(); };
        if (at == 2) {
            observer.bytes_moved = [&](Speaker) { abort_all(); };
        } else {
            (at == 0 ? observer.client_spoke : observer.client_finished) = abort_all;
        }
        send(client(), "x");
        settle();
        client().close();
        if (at == 1 && mode() == HalfClose::keep) {
            backend().close();
        }
        ASSERT_TRUE(run_until([&] { return totals.has_value(); }, 5s)) << at;
        EXPECT_EQ(released, 1);
        observer = {};
    }
}

// Aborted after every so many bytes and steps: it must end, release once, and use nothing that is
// gone (which the sanitizers see).
TEST_P(InBothModes, MayBeAbortedAtAnyTime) {
    const std::string bytes = random_bytes(200000, 4);
    for (std::size_t offset = 1; offset < 200; ++offset) {
        client_side = way(connected());
        backend_side = backend_connected();
        totals.reset();
        released = 0;
        start(mode(), 50ms);
        boost::system::error_code ignored;
        client().send(boost::asio::buffer(bytes.data(), offset * 997), 0, ignored);
        backend().send(boost::asio::buffer(bytes.data(), offset * 991), 0, ignored);
        if (offset % 3 == 0) {
            end(client(), offset % 2 == 0 ? Ending::fin : Ending::reset);
        }
        if (offset % 5 == 0) {
            end(backend(), offset % 2 == 0 ? Ending::fin : Ending::reset);
        }
        for (std::size_t step = 0; step < offset % 40; ++step) {
            context.restart();
            context.poll_one();
        }
        abort_both();
        ASSERT_TRUE(run_until([&] { return totals.has_value(); }, 4s)) << offset;
        EXPECT_EQ(released, 1) << offset;
    }
}

class Leaving : public Relaying {
protected:
    Leaving() { start(HalfClose::leave); }
};

TEST_F(Leaving, AClientIsFollowedByAFinAfterAllItHadSent) {
    const std::string question = random_bytes(50000, 1);
    send(client(), question);
    client().close();
    const auto [received, ending] = receive_all(backend());
    EXPECT_EQ(checksum(received), checksum(question));
    EXPECT_EQ(ending, Ending::fin);
    EXPECT_EQ(finished, 1);
    EXPECT_EQ(released, 0) << "the backend is at work as long as it has not closed";
    backend().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(released, 1);
    EXPECT_EQ(totals->how, RelayEnd::client_closed);
    EXPECT_EQ(totals->bytes_in, question.size());
}

TEST_F(Leaving, ByResetIsToldAsAFinToo) {
    send(client(), "question");
    EXPECT_EQ(receive(backend(), 8), "question");
    abort(client());
    EXPECT_EQ(receive_all(backend()), std::pair(std::string(), Ending::fin));
    EXPECT_EQ(finished, 1);
    EXPECT_EQ(released, 0);
    backend().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(released, 1);
    EXPECT_EQ(totals->how, RelayEnd::client_reset);
}

TEST_F(Leaving, DropsWhatTheBackendStillSays) {
    send(client(), "question");
    client().close();
    ASSERT_TRUE(run_until([&] { return finished == 1; }));
    const std::string answer = random_bytes(5U << 20, 1);
    std::size_t sent = 0;
    ASSERT_TRUE(run_until([&] {
        boost::system::error_code error;
        sent += backend().send(boost::asio::buffer(answer.data() + sent, answer.size() - sent), 0,
                               error);
        settle();
        return sent == answer.size();
    })) << "the backend must be able to say it all";
    backend().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::client_closed);
    EXPECT_EQ(totals->bytes_out, 0U);
}

TEST_F(Leaving, IsSeenWhileTheClientDoesNotTakeItsAnswer) {
    shrink_buffers();
    (void)send_until_full(backend());
    finish(client());
    EXPECT_TRUE(run_until([&] { return finished == 1; }));
    EXPECT_EQ(receive_all(backend()).second, Ending::fin);
    backend().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(released, 1);
    EXPECT_EQ(totals->how, RelayEnd::client_closed);
}

TEST_F(Leaving, IsSeenByTheWriterWhenTheReaderHasNoRoom) {
    shrink_buffers();
    (void)send_until_full(client());  // the backend does not read
    abort(client());
    boost::system::error_code error;
    ASSERT_TRUE(run_until([&] {
        backend().send(boost::asio::buffer("x", 1), 0, error);
        return finished == 1;
    }));
    EXPECT_EQ(released, 0);
    EXPECT_EQ(receive_all(backend()).second, Ending::fin);
    backend().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::client_reset);
}

TEST_F(Leaving, MayBeEndedByTheCallerWhenTheBackendDoesNotClose) {
    client().close();
    ASSERT_TRUE(run_until([&] { return finished == 1; }));
    EXPECT_EQ(receive_all(backend()).second, Ending::fin);
    abort_both();
    ASSERT_TRUE(run_until([&] { return totals.has_value(); }, 4s));
    EXPECT_EQ(totals->how, RelayEnd::cancelled);
    EXPECT_EQ(released, 1);
}

TEST_F(Leaving, OfTheBackendFreesThePlaceAtOnce) {
    send(backend(), "bye");
    backend().close();
    ASSERT_TRUE(run_until([&] { return released == 1; }));
    EXPECT_FALSE(totals);
    send(client(), "too late");
    EXPECT_EQ(receive_all(client()), std::pair(std::string("bye"), Ending::fin));
    client().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::backend_closed);
    EXPECT_EQ(totals->bytes_in, 0U);
    EXPECT_EQ(spoke, 0) << "what came after the end was not said to the backend";
}

// More than the ring holds, and little enough for the rest, and the FIN, to reach our system.
constexpr std::size_t two_rings = 131072;

TEST_F(Relaying, ReleasesABackendWhoseEndStandsBehindMoreThanTheRingHolds) {
    shrink_buffers(client_side);
    start(HalfClose::leave, 1s);
    (void)send_until_full(client_side.near.get(), 1);
    ASSERT_EQ(send_until_full(backend(), two_rings).size(), two_rings);
    backend().close();
    ASSERT_TRUE(run_until([this] { return released == 1; }));
    EXPECT_FALSE(totals) << "the client is still owed its answer";
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::flush_failed);
    EXPECT_EQ(released, 1);
}

TEST_F(Relaying, DeliversWhatStoodBeforeTheEndOfAReleasedBackend) {
    shrink_buffers(client_side);
    start(HalfClose::leave, 10s);
    const std::string before = send_until_full(client_side.near.get(), 1);
    const std::string answer = send_until_full(backend(), two_rings);
    backend().close();
    ASSERT_TRUE(run_until([this] { return released == 1; }));
    const auto [received, ending] = receive_all(client());
    EXPECT_EQ(ending, Ending::fin);
    EXPECT_EQ(checksum(received), checksum(before + answer));
    client().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::backend_closed);
}

TEST_F(Relaying, FlushesToAClientThatFinishesAfterItsBackendWasReleased) {
    shrink_buffers(client_side);
    start(HalfClose::leave, 10s);
    const std::string before = send_until_full(client_side.near.get(), 1);
    const std::string answer = send_until_full(backend(), two_rings);
    backend().close();
    ASSERT_TRUE(run_until([this] { return released == 1; }));
    send(client(), "too late");
    finish(client());
    const auto [received, ending] = receive_all(client());
    EXPECT_EQ(ending, Ending::fin);
    EXPECT_EQ(checksum(received), checksum(before + answer));
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::backend_closed);
    EXPECT_EQ(spoke, 0) << "nothing of it reached the backend";
}

TEST_F(Relaying, TellsThatAClientLeftThoughTheBackendTakesNothing) {
    shrink_buffers(backend_side);
    start(HalfClose::leave);
    ASSERT_EQ(send_until_full(client(), two_rings).size(), two_rings);
    end(client(), Ending::fin);
    EXPECT_TRUE(run_until([this] { return finished == 1; }));
    EXPECT_EQ(released, 0) << "the backend has not closed";
    abort_both();
    EXPECT_TRUE(ends());
    EXPECT_EQ(finished, 1);
}

TEST_F(Leaving, OfTheBackendByFinWithTheClientsBytesUnread) {
    send(client(), random_bytes(20000, 1));
    ASSERT_TRUE(run_until([&] { return backend().available() == 20000; }));
    finish(backend());  // it has finished, but not read
    EXPECT_EQ(receive_all(client()), std::pair(std::string(), Ending::fin));
    client().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::backend_closed);
}

class Keeping : public Relaying {
protected:
    Keeping() { start(HalfClose::keep, 300ms); }
};

TEST_F(Keeping, AnswersAClientThatFinishedItsQuestion) {
    send(client(), "question");
    finish(client());
    EXPECT_EQ(receive_all(backend()), std::pair(std::string("question"), Ending::fin));
    run_until([] { return false; }, 400ms);  // longer than the flush limit, which is not for this
    ASSERT_FALSE(totals);
    const std::string answer = random_bytes(100000, 1);
    send(backend(), answer);
    EXPECT_EQ(receive(client(), answer.size()), answer);
    EXPECT_EQ(released, 0);
    backend().close();
    EXPECT_EQ(receive_all(client()).second, Ending::fin);
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::client_closed);
    EXPECT_EQ(finished, 0) << "is for leave";
}

TEST_F(Relaying, InKeepLetsTheClientGoOnAfterTheBackendHasFinished) {
    start(HalfClose::keep, 6s);
    send(backend(), "said");
    finish(backend());
    EXPECT_EQ(receive_all(client()), std::pair(std::string("said"), Ending::fin));
    EXPECT_EQ(released, 0);
    for (int i = 0; i < 16; ++i) {  // slower than the flush limit in all, but with progress
        run_until([] { return false; }, 400ms);
        send(client(), "x");
        EXPECT_EQ(receive(backend(), 1), "x");
    }
    finish(client());
    EXPECT_EQ(receive_all(backend()), std::pair(std::string(), Ending::fin));
    ASSERT_TRUE(ends());
    EXPECT_EQ(released, 1);
    EXPECT_EQ(totals->how, RelayEnd::backend_closed);
    EXPECT_EQ(totals->bytes_in, 16U);
}

TEST_F(Keeping, DoesNotWaitForEverForTheClientAfterTheBackendHasFinished) {
    finish(backend());
    EXPECT_EQ(receive_all(client()).second, Ending::fin);
    ASSERT_TRUE(ends());
    EXPECT_EQ(released, 1);
    EXPECT_EQ(totals->how, RelayEnd::backend_closed);
}

// The limit is well above the pauses the system itself makes when a client's window is closed.
TEST_F(Relaying, InKeepLetsAClientThatReadsSlowlyReadItAll) {
    start(HalfClose::keep, 6s);
    set(client_side.near.get(), SO_SNDBUF, 400000);
    client().set_option(Socket::receive_buffer_size(16000));
    const std::string answer = random_bytes(200000, 8);
    send(backend(), answer);
    finish(backend());
    std::string received;
    while (received.size() < answer.size()) {  // slower than the flush limit in all
        run_until([] { return false; }, 350ms);
        received += receive(client(), 10000);
        ASSERT_FALSE(HasFailure());
    }
    EXPECT_EQ(checksum(received), checksum(answer));
    EXPECT_EQ(receive_all(client()).second, Ending::fin);
    finish(client());
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, RelayEnd::backend_closed);
}

TEST_F(Relaying, InKeepDeliversALongUploadThatEndsAfterTheBackendHasFinished) {
    shrink_buffers(backend_side);
    start(HalfClose::keep, 30s);
    finish(backend());
    EXPECT_EQ(receive_all(client()).second, Ending::fin);
    const std::string upload = send_until_full(client(), two_rings);
    ASSERT_EQ(upload.size(), two_rings);
    finish(client());
    // Long enough for several looks at the client while the ring is full.
    EXPECT_FALSE(run_until([this] { return totals.has_value() || released > 0; }, 1s));
    const auto [received, ending] = receive_all(backend());
    EXPECT_EQ(ending, Ending::fin);
    EXPECT_EQ(checksum(received), checksum(upload));
    EXPECT_TRUE(ends());
}

TEST_F(Keeping, NoticesAResetThoughTheBackendTakesNothing) {
    (void)send_until_full(client());
    end(client(), Ending::reset);
    EXPECT_TRUE(run_until([&] { return finished == 1; }));
    EXPECT_EQ(released, 0);
    abort_both();  // as its caller does when the backend takes too long
    EXPECT_TRUE(ends());
}

TEST_F(Keeping, HoldsThePlaceOfAResetClientUntilTheBackendHasClosed) {
    send(client(), "question");
    EXPECT_EQ(receive(backend(), 8), "question");
    abort(client());
    EXPECT_EQ(receive_all(backend()).second, Ending::fin);
    EXPECT_EQ(finished, 1);
    send(backend(), "an answer for nobody");
    settle();
    EXPECT_EQ(released, 0);
    backend().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(released, 1);
    EXPECT_EQ(totals->how, RelayEnd::client_reset);
    EXPECT_EQ(totals->bytes_out, 0U);
}

TEST_F(Keeping, NoticesAResetOfAClientThatHadFinishedItsQuestion) {
    send(client(), "question");
    finish(client());
    EXPECT_EQ(receive_all(backend()), std::pair(std::string("question"), Ending::fin));
    end(client(), Ending::reset);
    EXPECT_TRUE(run_until([&] { return finished == 1; }));
    EXPECT_EQ(released, 0);
    backend().close();
    ASSERT_TRUE(ends());
    EXPECT_EQ(released, 1);
    EXPECT_EQ(totals->how, RelayEnd::client_reset);
}

// Every way a session can end: who ends first, in which mode, how, and with what still under way.
struct Case {
    HalfClose half_close;
    bool client_first;
    Ending first;
    Ending second;
    std::size_t pending;  // bytes the first has just said
};

class HalfCloseMatrix : public Relaying, public testing::WithParamInterface<int> {
protected:
    static Case decode(int number) {
        return {(number & 1) != 0 ? HalfClose::keep : HalfClose::leave, (number & 2) != 0,
                (number & 4) != 0 ? Ending::reset : Ending::fin,
                (number & 8) != 0 ? Ending::reset : Ending::fin, (number & 16) != 0 ? 30000U : 0U};
    }
};

INSTANTIATE_TEST_SUITE_P(All, HalfCloseMatrix, testing::Range(0, 32));

RelayEnd expected_end(const Case& c) {
    if (c.client_first) {
        if (c.first == Ending::reset) {
            return RelayEnd::client_reset;
        }
        // keep: the client is still there, and a reset backend has not answered it.
        const bool broken = c.half_close == HalfClose::keep && c.second == Ending::reset;
        return broken ? RelayEnd::backend_reset : RelayEnd::client_closed;
    }
    if (c.first == Ending::reset) {
        return RelayEnd::backend_reset;
    }
    // keep: the session goes on after the backend's FIN, until the client resets it.
    const bool broken = c.half_close == HalfClose::keep && c.second == Ending::reset;
    return broken ? RelayEnd::client_reset : RelayEnd::backend_closed;
}

// While the backend has not closed both ways yet.
bool client_leaves_first(const Case& c) {
    if (c.half_close == HalfClose::leave) {
        return c.client_first;
    }
    return c.client_first ? c.first == Ending::reset
                          : c.first == Ending::fin && c.second == Ending::reset;
}

TEST_P(HalfCloseMatrix, EndsAsDocumented) {
    const Case c = decode(GetParam());
    start(c.half_close, 8s);
    Socket& first = c.client_first ? client() : backend();
    Socket& second = c.client_first ? backend() : client();
    const std::string last_words = random_bytes(c.pending, 6);
    send(first, last_words);
    if (c.first == Ending::reset) {
        // A reset takes what has not arrived with it, so let it arrive.
        ASSERT_TRUE(run_until([&] { return second.available() == c.pending; }));
    }
    end(first, c.first);
    const auto [received, ending] = receive_all(second);
    EXPECT_EQ(checksum(received), checksum(last_words));
    EXPECT_EQ(ending, c.client_first ? Ending::fin : c.first);
    end(second, c.second);
    ASSERT_TRUE(ends());
    EXPECT_EQ(totals->how, expected_end(c));
    EXPECT_EQ(released, 1);
    EXPECT_EQ(finished, client_leaves_first(c) ? 1 : 0);
    EXPECT_EQ(c.client_first ? totals->bytes_in : totals->bytes_out, c.pending);
}

}  // namespace
}  // namespace tcplock::io
