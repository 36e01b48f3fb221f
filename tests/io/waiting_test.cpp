#include "io/waiting.hpp"

#include "loopback.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fcntl.h>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <vector>

namespace tcplock::io {
namespace {

using namespace std::chrono_literals;

class WaitingRoom : public test::Loopback {
protected:
    WaitingRoom() { tasks.spawn("watcher", watcher.run()); }
    ~WaitingRoom() override {
        watcher.close();
        run_until([this] { return tasks.size() == 0; });
    }

    // Somebody comes and waits; what is returned is the client's own end.
    Socket comes(std::uint64_t key, HalfClose half_close = HalfClose::leave) {
        test::Pair pair = connected();
        room.add(key, WatchedDescriptor(watcher, Descriptor(pair.near.release())), half_close);
        return std::move(pair.far);
    }

    // Nothing is told for as long as anything that was under way needs.
    void expect_nobody_left() {
        settle();
        run_until([] { return false; }, 50ms);
        EXPECT_TRUE(left.empty());
    }

    bool has_been_told(std::uint64_t key) {
        return run_until([&] { return std::ranges::count(left, key) == 1; });
    }

    std::vector<std::uint64_t> left;
    std::function<void()> on_left;
    Watcher watcher{context.get_executor()};
    Waiting room{watcher, [this](std::uint64_t key) {
                     left.push_back(key);
                     if (on_left) {
                         on_left();
                     }
                 }};
};

TEST_F(WaitingRoom, TellsWhoLeftByClosing) {
    Socket first = comes(1);
    Socket second = comes(2);
    first.close();
    EXPECT_TRUE(has_been_told(1));
    EXPECT_EQ(left.size(), 1U);
    EXPECT_EQ(room.size(), 1U);
    EXPECT_FALSE(room.take(1)) << "it has gone";
    EXPECT_TRUE(room.take(2));
}

TEST_F(WaitingRoom, TellsWhoLeftByReset) {
    for (const HalfClose half_close : {HalfClose::leave, HalfClose::keep}) {
        left.clear();
        Socket client = comes(half_close == HalfClose::leave ? 1 : 2, half_close);
        abort(client);
        EXPECT_TRUE(run_until([&] { return left.size() == 1; }));
    }
}

TEST_F(WaitingRoom, TakesAHalfCloseForLeavingOnlyWhenTold) {
    Socket leaver = comes(1, HalfClose::leave);
    Socket keeper = comes(2, HalfClose::keep);
    finish(leaver);
    finish(keeper);
    EXPECT_TRUE(has_been_told(1));
    EXPECT_FALSE(room.has_left(2));
    left.clear();
    expect_nobody_left();
    EXPECT_TRUE(room.take(2));
}

TEST_F(WaitingRoom, LeavesTheClientsBytesWhereTheyAre) {
    Socket client = comes(1);
    send(client, "early bird");
    expect_nobody_left();
    Socket taken = adopt(context.get_executor(), room.take(1).release());
    taken.non_blocking(true);
    EXPECT_EQ(receive(taken, 10), "early bird");
}

TEST_F(WaitingRoom, TellsWhoLeftWithBytesUnread) {
    Socket client = comes(1);
    send(client, std::string(100000, 'x'));
    client.close();
    EXPECT_TRUE(has_been_told(1));
}

TEST_F(WaitingRoom, TellsOfAClientThatHadGoneBeforeItCameButNotFromWithin) {
    test::Pair pair = connected();
    pair.far.close();
    ASSERT_TRUE(run_until([&] { return test::has_been_closed(pair.near); }));
    room.add(7, WatchedDescriptor(watcher, Descriptor(pair.near.release())), HalfClose::leave);
    EXPECT_TRUE(left.empty());
    EXPECT_TRUE(room.has_left(7));
    EXPECT_TRUE(has_been_told(7));
}

TEST_F(WaitingRoom, IsSilentAboutWhoWasTakenEvenIfItHadLeft) {
    Socket client = comes(1);
    settle();
    client.close();
    EXPECT_TRUE(room.has_left(1));
    EXPECT_TRUE(room.take(1));
    expect_nobody_left();
    EXPECT_EQ(room.size(), 0U);
}

TEST_F(WaitingRoom, IsSilentAboutWhoIsTakenWhileOthersDeparturesAreTold) {
    std::vector<Socket> clients;
    for (std::uint64_t key = 0; key < 10; ++key) {
        clients.push_back(comes(key));
    }
    settle();
    clients.clear();
    std::vector<WatchedDescriptor> taken;
    on_left = [&] {
        for (std::uint64_t key = 0; key < 10; ++key) {
            if (WatchedDescriptor client = room.take(key)) {
                taken.push_back(std::move(client));
            }
        }
    };
    ASSERT_TRUE(run_until([&] { return !left.empty(); }));
    run_until([] { return false; }, 50ms);
    EXPECT_EQ(left.size(), 1U);
    EXPECT_EQ(taken.size(), 9U);
}

TEST_F(WaitingRoom, DoesNotKeepTheSetOpenInAChild) {
    // The set is the only descriptor it opens; every other one is handed in.
    for (int fd = 3; fd < 64; ++fd) {
        const int flags = ::fcntl(fd, F_GETFD);
        char target[64] = {};
        const std::string link = "/proc/self/fd/" + std::to_string(fd);
        if (flags >= 0 && ::readlink(link.c_str(), target, sizeof target - 1) > 0 &&
            std::string(target).find("eventpoll") != std::string::npos) {
            EXPECT_TRUE(flags & FD_CLOEXEC) << fd;
        }
    }
}

// Pairs of Unix sockets, for so many loopback connections would use up the ports of this machine.
// Ten thousand, or as many as the limit of descriptors allows.
TEST_F(WaitingRoom, LosesNobodyOfThousands) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const rlimit before = limit;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const std::uint64_t count = std::min<std::uint64_t>(10000, (limit.rlim_cur - 200) / 2);
    RecordProperty("clients", static_cast<int>(count));
    std::vector<Descriptor> clients;
    for (std::uint64_t key = 0; key < count; ++key) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        room.add(key, WatchedDescriptor(watcher, Descriptor(ends[0])), HalfClose::leave);
        clients.emplace_back(ends[1]);
    }
    EXPECT_EQ(room.size(), count);

    std::mt19937 random(42);
    std::set<std::uint64_t> leavers;
    std::set<std::uint64_t> taken;
    for (std::uint64_t key = 0; key < count; ++key) {
        if (random() % 3 == 0) {
            leavers.insert(key);
            clients[key].close();
        }
    }
    for (std::uint64_t key = 0; key < count; key += 7) {
        if (room.take(key)) {
            taken.insert(key);
        }
        settle();
    }
    const auto untaken = static_cast<std::size_t>(
        std::ranges::count_if(leavers, [&](std::uint64_t key) { return !taken.contains(key); }));
    ASSERT_TRUE(run_until([&] { return left.size() >= untaken; }));
    settle();
    const std::set<std::uint64_t> told(left.begin(), left.end());
    EXPECT_EQ(told.size(), left.size()) << "told twice";
    for (std::uint64_t key = 0; key < count; ++key) {
        const bool stays = !leavers.contains(key) && !taken.contains(key);
        EXPECT_EQ(room.take(key).get() >= 0, stays) << key;
        EXPECT_FALSE(told.contains(key) && !leavers.contains(key)) << key;
    }
    clients.clear();
    ::setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace tcplock::io
