#include "io/relay_lane.hpp"

#include "few_descriptors.hpp"
#include "loopback.hpp"

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <fcntl.h>
#include <linux/sockios.h>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace tcplock::io {
namespace {

using Pipe = RelayStore::Pipe;

int capacity(const Pipe& pipe) {
    return ::fcntl(pipe.in.get(), F_GETPIPE_SZ);
}

TEST(RelayStore, LendsBigPipesAndTakesThemBack) {
    RelayStore store;
    auto pipe = store.borrow_pipe();
    ASSERT_TRUE(pipe);
    EXPECT_EQ(capacity(*pipe), int{RelayStore::pipe_size});
    const int in = pipe->in.get();
    store.give_back(std::move(*pipe), true);
    EXPECT_EQ(store.borrow_pipe()->in.get(), in) << "the same again";
}

TEST(RelayStore, LendsSoManyAndNoMore) {
    RelayStore store;
    std::vector<Pipe> lent;
    while (auto pipe = store.borrow_pipe()) {
        lent.push_back(std::move(*pipe));
        ASSERT_LE(lent.size(), 100U);
    }
    EXPECT_FALSE(lent.empty());
    store.give_back(std::move(lent.back()), false);
    EXPECT_TRUE(store.borrow_pipe()) << "instead of that one";
}

TEST(RelayStore, GivesShorterTurnsTheMoreFloodsThereAre) {
    RelayStore store;
    EXPECT_EQ(store.turn(), std::size_t{RelayStore::turn_max});
    std::size_t before = store.turn();
    for (std::size_t floods = 1; floods <= 16; ++floods) {
        store.flood_begins();
        EXPECT_LE(store.turn(), before);
        EXPECT_LE(store.turn() * floods, std::size_t{RelayStore::turn_max});
        before = store.turn();
    }
    EXPECT_EQ(before, std::size_t{RelayStore::buffer_size});
    store.flood_begins();
    EXPECT_EQ(store.turn(), before) << "what is copied at once is not divided";
    store.flood_ends();
    store.flood_ends();
    EXPECT_GT(store.turn(), before) << "one flood less";
}

// What was in it must not reach somebody else.
TEST(RelayStore, KeepsNoPipeThatIsNotEmpty) {
    RelayStore store;
    auto pipe = store.borrow_pipe();
    ASSERT_EQ(::write(pipe->in.get(), "secret", 6), 6);
    store.give_back(std::move(*pipe), false);
    const auto next = store.borrow_pipe();
    std::array<char, 8> bytes{};
    EXPECT_EQ(::read(next->out.get(), bytes.data(), bytes.size()), -1);
}

TEST(RelayStore, LendsNoneWhenTheSystemHasNone) {
    RelayStore store;
    if (!may_run_out_of_descriptors) {
        GTEST_SKIP() << "not with sanitizers";
    }
    const FewDescriptors few(lowest_free_descriptor());
    EXPECT_FALSE(store.borrow_pipe());
}

// From what one far end sends to what the other receives.
class Carrying : public test::Loopback {
protected:
    Carrying() {
        giver_.near.non_blocking(true);
        taker_.near.non_blocking(true);
        EXPECT_EQ(::setsockopt(from(), SOL_SOCKET, SO_OOBINLINE, &on, sizeof on), 0);
    }

    int from() { return giver_.near.native_handle(); }
    int to() { return taker_.near.native_handle(); }

    void be_full_soon() {
        constexpr int little = 65536;
        ASSERT_EQ(::setsockopt(to(), SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    }

    // Of these as many as go.
    std::size_t offer(std::string_view bytes) {
        boost::system::error_code full;
        return giver_.far.send(boost::asio::buffer(bytes), 0, full);
    }
    RelayLane::Step carry() {
        if (lane_->is_empty()) {
            return lane_->carry(from(), to());
        }
        return {1, lane_->give(to())};
    }
    std::size_t drain() {
        boost::system::error_code nothing;
        std::size_t sum = 0;
        while (const std::size_t size =
                   taker_.far.receive(boost::asio::buffer(some_), 0, nothing)) {
            received_.append(some_.data(), size);
            sum += size;
        }
        return sum;
    }

    void carry_whole(const std::string& bytes) {
        const std::size_t all = received_.size() + bytes.size();
        std::size_t offered = 0;
        ASSERT_TRUE(run_until([&] {
            offered += offer(std::string_view(bytes).substr(offered));
            carry();
            drain();
            return received_.size() == all;
        }));
        EXPECT_EQ(received_.substr(all - bytes.size()), bytes);
    }
    void carry_flood() { carry_whole(pattern(16U << 20)); }
    void carry_trickle() {
        for (int i = 0; i < 10; ++i) {
            carry_whole("a few words");
        }
    }

    static std::string pattern(std::size_t size) {
        std::string bytes(size, '\0');
        for (std::size_t i = 0; i < size; ++i) {
            bytes[i] = static_cast<char>(i * 31 + i / 4096);
        }
        return bytes;
    }

    std::size_t drain(Socket& socket) {
        boost::system::error_code nothing;
        std::size_t sum = 0;
        while (const std::size_t size = socket.receive(boost::asio::buffer(some_), 0, nothing)) {
            sum += size;
        }
        return sum;
    }
    static bool has_sent_all(Socket& socket) {
        int unacknowledged = 0;
        EXPECT_EQ(::ioctl(socket.native_handle(), SIOCOUTQ, &unacknowledged), 0);
        return unacknowledged == 0;
    }

    // All that the store has can be borrowed unless the lane has one.
    bool has_pipe() {
        std::vector<Pipe> lent;
        while (auto pipe = store_.borrow_pipe()) {
            lent.push_back(std::move(*pipe));
        }
        const std::size_t count = lent.size();
        for (Pipe& pipe : lent) {
            store_.give_back(std::move(pipe), true);
        }
        return 2 * count < RelayStore::descriptors_max;
    }

    static constexpr int on = 1;
    test::Pair giver_ = connected();
    test::Pair taker_ = connected();
    RelayStore store_;
    std::optional<RelayLane> lane_{std::in_place, store_};
    std::string received_;
    std::vector<char> some_ = std::vector<char>(1U << 20);
};

TEST_F(Carrying, TakesAPipeForAFloodAndACopyForWhatTrickles) {
    carry_trickle();
    EXPECT_FALSE(has_pipe());
    carry_flood();
    EXPECT_TRUE(has_pipe());
    carry_trickle();
    EXPECT_FALSE(has_pipe());
    carry_flood();
    EXPECT_TRUE(has_pipe());
}

// Sockets in the file system are spared pipes, and others wait for their floods no less.
TEST_F(Carrying, CountsAsAFloodWithAPipeAndWithoutUntilItTrickles) {
    for (const bool with_pipe : {true, false}) {
        const auto begin_anew = [&] {
            lane_.emplace(store_);
            if (!with_pipe) {
                lane_->never_use_pipes();
            }
        };
        begin_anew();
        store_.flood_begins();  // another one
        const std::size_t alone = store_.turn();
        carry_flood();
        EXPECT_EQ(store_.turn(), alone / 2);
        carry_trickle();
        EXPECT_EQ(store_.turn(), alone);
        carry_flood();
        EXPECT_EQ(store_.turn(), alone / 2);
        begin_anew();
        EXPECT_EQ(store_.turn(), alone) << "it has gone";
        carry_flood();
        lane_->discard();
        EXPECT_EQ(store_.turn(), alone) << "what it takes is dropped";
        store_.flood_ends();
    }
}

// What the system's own buffers hold is not the lane's.
TEST_F(Carrying, HoldsNoMoreThanAPipeForWhoNeverReads) {
    carry_flood();
    be_full_soon();
    const std::string bytes = pattern(16U << 20);
    std::size_t offered = 0;
    for (int turn = 0; turn < 1000; ++turn) {
        offered += offer(std::string_view(bytes).substr(offered));
        carry();
    }
    ASSERT_TRUE(has_pipe());
    std::size_t elsewhere = 0;
    ASSERT_TRUE(run_until([&] {
        elsewhere += drain() + drain(giver_.near);
        return has_sent_all(giver_.far) && has_sent_all(taker_.near);
    }));
    elsewhere += drain() + drain(giver_.near);
    ASSERT_LT(elsewhere, offered) << "it holds nothing";
    EXPECT_LE(offered - elsewhere, std::size_t{RelayStore::pipe_size});
}

// Nothing of what it holds is put in front of it.
TEST_F(Carrying, EmptiesAPipeBeforeItCopies) {
    carry_flood();
    be_full_soon();
    const std::string bytes = pattern(8U << 20);
    std::size_t offered = 0;
    ASSERT_TRUE(run_until([&] {
        offered += offer(std::string_view(bytes).substr(offered));
        carry();
        return !lane_->is_empty();
    }));
    lane_->never_use_pipes();
    const std::size_t before = received_.size();
    ASSERT_TRUE(run_until([&] {
        drain();
        offered += offer(std::string_view(bytes).substr(offered));
        carry();
        return received_.size() - before == bytes.size();
    }));
    EXPECT_EQ(received_.substr(before), bytes);
    EXPECT_FALSE(has_pipe());
}

// What it holds is somebody's, and of the next who has that pipe nobody's.
class Holding : public Carrying {
protected:
    Holding() {
        carry_flood();
        be_full_soon();
        const std::string bytes = pattern(8U << 20);
        EXPECT_TRUE(run_until([&] {
            offer(bytes);
            carry();
            return !lane_->is_empty();
        }));
        EXPECT_TRUE(has_pipe());
    }

    void expect_nothing_in_the_pipes() {
        std::vector<Pipe> lent;
        while (auto pipe = store_.borrow_pipe()) {
            lent.push_back(std::move(*pipe));
            char byte = 0;
            EXPECT_EQ(::read(lent.back().out.get(), &byte, 1), -1);
        }
        EXPECT_EQ(2 * lent.size(), std::size_t{RelayStore::descriptors_max});
    }
};

TEST_F(Holding, IsEndedByDiscardingAndNothingReachesAnotherLane) {
    lane_->discard();
    expect_nothing_in_the_pipes();
}

TEST_F(Holding, IsEndedByTheEndOfTheLaneAndNothingReachesAnotherOne) {
    lane_.reset();
    expect_nothing_in_the_pipes();
}

// To splice, a byte that is marked as urgent looks like the end.
TEST_F(Carrying, TakesNoUrgentByteForTheEnd) {
    carry_flood();
    ASSERT_TRUE(has_pipe());
    const std::size_t before = received_.size();
    send(giver_.far, std::string(100, 'a'));
    ASSERT_EQ(giver_.far.send(boost::asio::buffer("!", 1), Socket::message_out_of_band), 1U);
    send(giver_.far, std::string(100, 'b'));
    finish(giver_.far);
    pollfd all_has_come{from(), POLLRDHUP, 0};
    ASSERT_EQ(::poll(&all_has_come, 1, 5000), 1);
    ssize_t taken = 1;
    ASSERT_TRUE(run_until([&] {
        taken = carry().taken;
        drain();
        return taken <= 0;
    }));
    EXPECT_EQ(taken, 0);
    EXPECT_EQ(received_.substr(before), std::string(100, 'a') + "!" + std::string(100, 'b'));
}

// A signal ends a splice early. What is left is told of like any other that finds no room.
class Signalled : public Carrying {
protected:
    Signalled() {
        came = 0;
        struct sigaction counting {};
        counting.sa_handler = [](int) { came = came + 1; };
        ::sigaction(SIGALRM, &counting, &before_);
        const itimerval often{.it_interval = {0, 200}, .it_value = {0, 200}};
        ::setitimer(ITIMER_REAL, &often, nullptr);
    }
    ~Signalled() override {
        const itimerval never{};
        ::setitimer(ITIMER_REAL, &never, nullptr);
        ::sigaction(SIGALRM, &before_, nullptr);
    }

    static inline volatile std::sig_atomic_t came = 0;

private:
    struct sigaction before_ {};
};

TEST_F(Signalled, HasGivenAllOrIsToldOfRoom) {
    be_full_soon();
    const Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event room{.events = EPOLLOUT | EPOLLET, .data = {}};
    ASSERT_EQ(::epoll_ctl(set.get(), EPOLL_CTL_ADD, to(), &room), 0);
    const std::string bytes = pattern(4U << 20);
    const auto is_told = [&] {
        epoll_event event{};
        return ::epoll_wait(set.get(), &event, 1, 0) == 1;
    };
    carry_flood();
    came = 0;
    int times_full = 0;
    while (came < 2000) {
        (void)is_told();
        offer(bytes);
        const RelayLane::Step step = carry();
        ASSERT_GE(step.given, lane_->is_empty() ? 0 : -EAGAIN);
        if (!lane_->is_empty()) {
            times_full += has_pipe() ? 1 : 0;
            ASSERT_TRUE(run_until([&] { return is_told() || (drain(), false); }))
                << "nobody tells that there is room";
        }
    }
    EXPECT_GT(times_full, 10);
}

}  // namespace
}  // namespace tcplock::io
