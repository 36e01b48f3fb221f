#include "io/watcher.hpp"

#include "loopback.hpp"

#include <gtest/gtest.h>

#include <array>
#include <fcntl.h>
#include <functional>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace tcplock::io {
namespace {

// Keeps what it is told.
struct Ear final : Watching {
    void has_news(std::uint32_t events) override {
        told.push_back(events);
        if (on_news) {
            on_news();
        }
    }
    std::vector<std::uint32_t> told;
    std::function<void()> on_news;
};

using namespace std::chrono_literals;

class Watched : public test::Loopback {
protected:
    Watched() { tasks.spawn("watcher", watcher.run()); }
    ~Watched() override {
        watcher.close();
        run_until([this] { return tasks.size() == 0; });
    }

    // One end to be watched, and the other.
    std::pair<WatchedDescriptor, Descriptor> ends() {
        std::array<int, 2> fds{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()),
                  0);
        return {WatchedDescriptor(watcher, Descriptor(fds[0])), Descriptor(fds[1])};
    }
    static void say(const Descriptor& end, const std::string& bytes = "x") {
        ASSERT_EQ(::send(end.get(), bytes.data(), bytes.size(), 0), ssize_t(bytes.size()));
    }
    // All that can be told now has been.
    void expect_told(const Ear& who, std::size_t times) {
        EXPECT_TRUE(run_until([&] { return who.told.size() >= times; }));
        run_until([] { return false; }, 20ms);
        EXPECT_EQ(who.told.size(), times);
    }

    Watcher watcher{context.get_executor()};
    Ear ear;
};

TEST_F(Watched, IsToldOfOncePerPieceOfNews) {
    auto [near, far] = ends();
    EXPECT_FALSE(near.watch(EPOLLIN, ear));
    expect_told(ear, 0);
    say(far);
    expect_told(ear, 1);  // though nobody has read it
    say(far);
    expect_told(ear, 2);
}

TEST_F(Watched, IsToldOfWhatWasThereBefore) {
    auto [near, far] = ends();
    say(far);
    EXPECT_FALSE(near.watch(EPOLLIN, ear));
    expect_told(ear, 1);
    EXPECT_FALSE(near.watch(EPOLLIN | EPOLLRDHUP, ear));
    expect_told(ear, 2);
}

TEST_F(Watched, IsToldToWhoeverWatchesItNow) {
    auto [near, far] = ends();
    Ear other;
    EXPECT_FALSE(near.watch(EPOLLIN, ear));
    EXPECT_FALSE(near.watch(EPOLLIN, other));
    say(far);
    expect_told(other, 1);
    EXPECT_TRUE(ear.told.empty());
}

TEST_F(Watched, StaysSoWhenItIsMoved) {
    auto [near, far] = ends();
    EXPECT_FALSE(near.watch(EPOLLIN, ear));
    const WatchedDescriptor moved = std::move(near);
    say(far);
    expect_told(ear, 1);
}

TEST_F(Watched, IsNotToldOfOnceForgottenAndMayBeWatchedAgain) {
    auto [near, far] = ends();
    EXPECT_FALSE(near.watch(EPOLLIN, ear));
    near.forget();
    say(far);
    expect_told(ear, 0);
    EXPECT_FALSE(near.watch(EPOLLIN, ear));
    expect_told(ear, 1);
}

// Somebody else may have the same socket, and then the system goes on watching.
TEST_F(Watched, IsNotToldOfOnceHandedOver) {
    auto [near, far] = ends();
    EXPECT_FALSE(near.watch(EPOLLIN, ear));
    const Descriptor released = near.release();
    EXPECT_TRUE(released);
    EXPECT_FALSE(near);
    say(far);
    expect_told(ear, 0);
}

// The news of both are fetched at once.
TEST_F(Watched, IsNotToldOfWhenItWasClosedInTheSameRound) {
    auto [first, first_far] = ends();
    auto [second, second_far] = ends();
    Ear other;
    Ear newcomer;
    std::vector<std::pair<WatchedDescriptor, Descriptor>> later;
    const auto close_other = [&](WatchedDescriptor& which) {
        return [&] {
            which.close();
            later.push_back(ends());  // has its place
            EXPECT_FALSE(later.back().first.watch(EPOLLIN, newcomer));
        };
    };
    ear.on_news = close_other(second);
    other.on_news = close_other(first);
    EXPECT_FALSE(first.watch(EPOLLIN, ear));
    EXPECT_FALSE(second.watch(EPOLLIN, other));
    say(first_far);
    say(second_far);
    EXPECT_TRUE(run_until([&] { return ear.told.size() + other.told.size() > 0; }));
    run_until([] { return false; }, 20ms);
    EXPECT_EQ(ear.told.size() + other.told.size(), 1U);
    EXPECT_TRUE(newcomer.told.empty());
}

TEST_F(Watched, ByTheHundredAreAllToldOf) {
    constexpr std::size_t many = 300;
    std::vector<std::pair<WatchedDescriptor, Descriptor>> all;
    for (std::size_t i = 0; i < many; ++i) {
        all.push_back(ends());
        EXPECT_FALSE(all.back().first.watch(EPOLLIN, ear));
    }
    for (const auto& [near, far] : all) {
        say(far);
    }
    expect_told(ear, many);
}

TEST_F(Watched, CannotBeWhatTheSystemDoesNotWatch) {
    WatchedDescriptor file(watcher, Descriptor(::open("/proc/self/status", O_RDONLY | O_CLOEXEC)));
    ASSERT_TRUE(file);
    EXPECT_EQ(file.watch(EPOLLIN, ear), std::errc::operation_not_permitted);
}

boost::asio::awaitable<void> count_news(News& news, int& count) {
    for (;;) {
        co_await news.wait();
        ++count;
    }
}

TEST_F(Watched, WakesACoroutine) {
    auto [near, far] = ends();
    News news(context.get_executor(), near);
    int count = 0;
    EXPECT_FALSE(news.watch(EPOLLIN));
    say(far);
    settle();  // before it is waited for
    tasks.spawn("count", count_news(news, count));
    EXPECT_TRUE(run_until([&] { return count == 1; }));
    say(far);
    EXPECT_TRUE(run_until([&] { return count == 2; }));
    settle();
    news.wake();
    EXPECT_TRUE(run_until([&] { return count == 3; }));
    tasks.cancel_all();
    EXPECT_TRUE(run_until([&] { return tasks.size() == 0; }));
}

}  // namespace
}  // namespace tcplock::io
