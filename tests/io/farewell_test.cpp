#include "io/farewell.hpp"

#include "../uno/recorded.hpp"
#include "loopback.hpp"

#include <fcntl.h>
#include <vector>

namespace tcplock::io::test {
namespace {

class Farewell : public Loopback {
protected:
    // Turns the near end away; the far end is the client.
    static void say_farewell_to(Pair& pair) { say_farewell(Descriptor(pair.near.release())); }

    // As many bytes as the two systems take between them.
    static std::size_t flood(Socket& client) {
        const std::vector<char> bytes(65536, 'x');
        std::size_t sent = 0;
        for (boost::system::error_code error; !error;) {
            sent += client.send(boost::asio::buffer(bytes), 0, error);
        }
        return sent;
    }
};

TEST_F(Farewell, EndsASilentClientCleanly) {
    Pair pair = connected();
    const auto began = std::chrono::steady_clock::now();
    say_farewell_to(pair);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 4s) << "it waited";
    EXPECT_EQ(receive_all(pair.far), std::pair(std::string(), Ending::fin));
}

TEST_F(Farewell, EndsAClientCleanlyThatHasSpokenAlready) {
    Pair pair = connected();
    send(pair.far, std::string(60'000, 'x'));
    // Wait until it has all come: what comes later is reset by the system, whatever we do.
    ASSERT_TRUE(run_until([&] { return pair.near.available() == 60'000; }));
    say_farewell_to(pair);
    EXPECT_EQ(receive_all(pair.far), std::pair(std::string(), Ending::fin));
}

TEST_F(Farewell, LetsWhatWasSentToTheClientArriveFirst) {
    Pair pair = connected();
    send(pair.near, "no room");
    send(pair.far, "hello");
    ASSERT_TRUE(run_until([&] { return pair.near.available() == 5; }));
    say_farewell_to(pair);
    EXPECT_EQ(receive_all(pair.far), std::pair(std::string("no room"), Ending::fin));
}

// It reads the end first, and learns of the reset when it goes on sending.
TEST_F(Farewell, DoesNotWaitForAClientThatFloodsButResetsIt) {
    Pair pair = connected();
    ASSERT_GT(flood(pair.far), 128U * 1024);
    const auto began = std::chrono::steady_clock::now();
    say_farewell_to(pair);
    EXPECT_LT(std::chrono::steady_clock::now() - began, 4s) << "it waited";
    EXPECT_TRUE(run_until([&] {
        boost::system::error_code error;
        pair.far.send(boost::asio::buffer("x", 1), 0, error);
        return error && error != boost::asio::error::would_block;
    }));
}

TEST_F(Farewell, MayComeAfterTheClientHasGone) {
    Pair pair = connected();
    pair.far.close();
    ASSERT_TRUE(run_until([&] { return test::has_been_closed(pair.near); }));
    say_farewell_to(pair);
}

TEST_F(Farewell, ClosesTheDescriptor) {
    Pair pair = connected();
    const int fd = pair.near.native_handle();
    say_farewell_to(pair);
    EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

// ---- In words ----------------------------------------------------------------------------------

class FarewellInUno : public Farewell {
protected:
    void begin(Pair& pair, std::chrono::nanoseconds limit) {
        tasks.spawn("refusal",
                    say_why_in_uno(Descriptor(pair.near.release()), "the line is full", limit));
    }
    bool has_ended(std::chrono::nanoseconds limit = 5s) {
        return run_until([this] { return tasks.size() == 0; }, limit);
    }
    static std::string text_of(std::string_view hex) {
        const uno::Buffer bytes = uno::recorded::bytes_of(hex);
        return {bytes.begin(), bytes.end()};
    }
};

TEST_F(FarewellInUno, IsUnderstoodAndEndsWithItsClient) {
    Pair pair = connected();
    begin(pair, 1h);
    for (const auto& turn : uno::recorded::refused_python_client) {
        send(pair.far, text_of(turn.client));
        const std::string reply = text_of(turn.ours);
        EXPECT_EQ(receive(pair.far, reply.size()), reply);
    }
    EXPECT_FALSE(has_ended(50ms)) << "the client has not closed";
    pair.far.shutdown(Socket::shutdown_send);
    EXPECT_TRUE(has_ended());
    EXPECT_EQ(receive_all(pair.far), std::pair(std::string(), Ending::fin));
}

TEST_F(FarewellInUno, IsSaidWithoutWordsToWhoDoesNotSpeakUno) {
    Pair pair = connected();
    send(pair.far, "GET / HTTP/1.1\r\n\r\n");
    begin(pair, 1h);
    EXPECT_TRUE(has_ended());
    EXPECT_EQ(receive_all(pair.far), std::pair(std::string(), Ending::fin));
}

TEST_F(FarewellInUno, WaitsForASilentClientNoLongerThanItsLimit) {
    Pair pair = connected();
    begin(pair, 50ms);
    EXPECT_TRUE(has_ended());
    EXPECT_EQ(receive_all(pair.far), std::pair(std::string(), Ending::fin));
}

TEST_F(FarewellInUno, EndsWithAClientThatResets) {
    Pair pair = connected();
    begin(pair, 1h);
    abort(pair.far);
    EXPECT_TRUE(has_ended());
}

}  // namespace
}  // namespace tcplock::io::test
