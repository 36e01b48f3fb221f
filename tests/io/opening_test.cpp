#include "io/opening.hpp"

#include "loopback.hpp"
#include "uno/message.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace tcplock::io {
namespace {

using namespace std::chrono_literals;
using How = ClientOpening::How;

class FirstWords : public test::Loopback {
protected:
    FirstWords() {
        tasks.spawn("opening",
                    test::store(await_uno_opening(news, [wanted = is_wanted] { return *wanted; }),
                                opening));
        tasks.spawn("watcher", watcher.run());
        settle();
    }
    ~FirstWords() override {
        tasks.cancel_all();
        run_until([this] { return tasks.size() == 0; });
    }

    void says(std::string_view text) { send(client.far, text); }
    How how() {
        EXPECT_TRUE(run_until([this] { return opening.has_value(); }));
        return opening ? opening->how : How::none;
    }
    // However long it is waited for.
    bool is_awaited() {
        return !run_until([this] { return opening.has_value(); }, 50ms);
    }

    static std::string request() {
        const uno::Buffer bytes = uno::begin_request("a.Type", "object", 0, "thread").in_block();
        return {bytes.begin(), bytes.end()};
    }

    // Asked to the very end, when this fixture has gone already.
    std::shared_ptr<bool> is_wanted = std::make_shared<bool>(true);
    int low_watermark() const {
        int mark = 0;
        socklen_t size = sizeof mark;
        EXPECT_EQ(::getsockopt(near.get(), SOL_SOCKET, SO_RCVLOWAT, &mark, &size), 0);
        return mark;
    }

    test::Pair client = connected();
    Watcher watcher{context.get_executor()};
    WatchedDescriptor near{watcher, Descriptor(client.near.release())};
    News news{context.get_executor(), near};
    std::optional<ClientOpening> opening;
};

TEST_F(FirstWords, OfAUnoClientStayToBeRead) {
    const std::string words = request() + "and more";
    says(words);
    EXPECT_EQ(how(), How::uno);
    Socket socket = adopt(context.get_executor(), near.release());
    EXPECT_EQ(receive(socket, words.size()), words);
}

TEST_F(FirstWords, AreWaitedForToTheirEnd) {
    const std::string words = request();
    for (const char byte : words.substr(0, words.size() - 1)) {
        says({&byte, 1});
        settle();
    }
    EXPECT_TRUE(is_awaited());
    says(words.substr(words.size() - 1));
    EXPECT_EQ(how(), How::uno);
}

// Or a client that comes byte by byte later would wake nobody.
TEST_F(FirstWords, LeaveTheSocketAsItWas) {
    says(request().substr(0, 10));
    settle();
    says(request().substr(10));
    EXPECT_EQ(how(), How::uno);
    EXPECT_EQ(low_watermark(), 1);
}

TEST_F(FirstWords, AreNotWaitedForInHasteIfOneIsUrgent) {
    says(request().substr(0, 4));
    settle();
    const char urgent = 'u';
    client.far.send(boost::asio::buffer(&urgent, 1), Socket::message_out_of_band);
    says(request().substr(4));
    std::size_t wakes = 0;
    const auto end = std::chrono::steady_clock::now() + 300ms;
    while (std::chrono::steady_clock::now() < end) {
        context.restart();
        wakes += context.run_one_for(10ms);
    }
    EXPECT_FALSE(opening.has_value());
    EXPECT_LT(wakes, 20U);
}

TEST_F(FirstWords, MayBelongToAnotherProtocol) {
    says("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(how(), How::foreign);
    EXPECT_EQ(opening->what, "an HTTP request (47 45 54 20 2f 20 48 54 …)");
}

TEST_F(FirstWords, ThatBreakOffAreForeign) {
    says(request().substr(0, 20));
    EXPECT_TRUE(is_awaited());
    finish(client.far);
    EXPECT_EQ(how(), How::foreign);
    EXPECT_TRUE(opening->what.ends_with(", and no more")) << opening->what;
}

TEST_F(FirstWords, AreUnosThoughTheClientSaysNothingElse) {
    says(request());
    finish(client.far);
    EXPECT_EQ(how(), How::uno);
}

TEST_F(FirstWords, NeedNotComeAtAll) {
    EXPECT_TRUE(is_awaited());
    client.far.close();
    EXPECT_EQ(how(), How::none);
}

TEST_F(FirstWords, NeedNotComeBeforeAReset) {
    EXPECT_TRUE(is_awaited());
    abort(client.far);
    EXPECT_EQ(how(), How::none);
}

TEST_F(FirstWords, AreNotWaitedForWhenThatIsCancelledAndTheSocketIsAsItWas) {
    says(request().substr(0, 10));
    settle();
    *is_wanted = false;
    news.wake();
    EXPECT_EQ(how(), How::none);
    EXPECT_EQ(low_watermark(), 1);
}

// A byte that came in the same moment has ended the wait that was to be cancelled.
TEST_F(FirstWords, AreNotWaitedForWhenTheyAreNotWanted) {
    *is_wanted = false;
    says(request().substr(0, 1));
    EXPECT_EQ(how(), How::none);
}

TEST_F(FirstWords, AreNotWaitedForWhenTheSocketIsAborted) {
    near.abort();
    news.wake();
    EXPECT_EQ(how(), How::none);
}

}  // namespace
}  // namespace tcplock::io
