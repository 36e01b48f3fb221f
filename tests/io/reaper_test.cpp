#include "io/reaper.hpp"

#include "process_support.hpp"

#include <boost/asio/awaitable.hpp>

#include <algorithm>

namespace tcplock::io {
namespace {

using namespace std::chrono_literals;

class ReaperTest : public ProcessTest {};

boost::asio::awaitable<void> count_reap(Reaper& reaper, std::chrono::milliseconds limit,
                                        int& count) {
    co_await reaper.next_reap(std::chrono::steady_clock::now() + limit);
    ++count;
}

TEST(ExitStatus, IsSaidInWords) {
    EXPECT_EQ(in_words({0, 0, false}), "exited with status 0");
    EXPECT_EQ(in_words({81, 0, false}), "exited with status 81");
    EXPECT_EQ(in_words({0, SIGKILL, false}), "killed by signal 9 (KILL)");
    EXPECT_EQ(in_words({0, SIGSEGV, true}), "killed by signal 11 (SEGV) (core dumped)");
    EXPECT_EQ(in_words({0, 40, false}), "killed by signal 40");
}

TEST_F(ReaperTest, TellsAStatusFromASignalOfTheSameNumber) {
    Running& exited = start(shell("exit 9"));
    Running& killed = start(shell("kill -KILL $$"));
    ASSERT_TRUE(until([&] { return exited.status && killed.status; }));
    EXPECT_EQ(*exited.status, (ExitStatus{9, 0, false}));
    EXPECT_EQ(killed.status->signal, SIGKILL);
}

TEST_F(ReaperTest, ReportsThreeHundredExitsAtOnce) {
    std::vector<Running*> all;
    for (int count = 0; count < 300; ++count) {
        all.push_back(&start({{"/bin/sleep", "1000"}, {}, {}, {}, 0, 0, {}, {}, {}}));
    }
    for (const Running* running : all) {
        ::kill(running->pid, SIGKILL);
    }
    EXPECT_TRUE(until([&] {
        return std::all_of(all.begin(), all.end(),
                           [](const Running* running) { return running->status.has_value(); });
    }));
    EXPECT_EQ(children_of_ours(), 0U);
}

// However far the news of it has come by then.
TEST_F(ReaperTest, LeavesNothingToWaitForThoughAChildDiesAsItIsStopped) {
    for (int steps = 0; steps < 8; ++steps) {
        boost::asio::io_context io{1};
        Reaper reaper(io);
        reaper.start();
        io.poll();
        ::raise(SIGCHLD);
        for (int step = 0; step < steps; ++step) {
            io.poll_one();
        }
        reaper.stop();
        io.restart();
        io.run_for(60s);  // which it does not need
        EXPECT_TRUE(io.stopped()) << "after " << steps << " steps";
    }
}

TEST_F(ReaperTest, ReportsAChildThatDiedBeforeItWasOwned) {
    auto spawned = spawn(io_, shell("exit 3"));
    const pid_t pid = std::get<Child>(spawned).pid;
    siginfo_t dead{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &dead, WEXITED | WNOWAIT), 0);
    std::optional<ExitStatus> status;
    reaper_.own(pid, [&](ExitStatus told) { status = told; });
    ASSERT_TRUE(until([&] { return status.has_value(); }));
    EXPECT_EQ(status->code, 3);
}

TEST_F(ReaperTest, ReportsOnceAndLetsTheNextBeOwnedMeanwhile) {
    int reports = 0;
    auto first = spawn(io_, shell("exit 0"));
    reaper_.own(std::get<Child>(first).pid, [&](ExitStatus) {
        ++reports;
        auto second = spawn(io_, shell("exit 0"));
        reaper_.own(std::get<Child>(second).pid, [&](ExitStatus) { ++reports; });
    });
    EXPECT_TRUE(until([&] { return reports == 2 && children_of_ours() == 0; }));
    EXPECT_EQ(reports, 2);
}

TEST_F(ReaperTest, SaysNothingOfAForgottenChildButReapsIt) {
    auto spawned = spawn(io_, shell("exit 0"));
    bool was_told = false;
    reaper_.own(std::get<Child>(spawned).pid, [&](ExitStatus) { was_told = true; });
    reaper_.forget(std::get<Child>(spawned).pid);
    EXPECT_TRUE(until([] { return children_of_ours() == 0; }));
    EXPECT_FALSE(was_told);
}

TEST_F(ReaperTest, AdoptsAndReapsOrphans) {
    const std::string told = output_of(shell("(setsid sh -c 'read x' & echo $!)"));
    const pid_t orphan = std::stoi(told);
    EXPECT_TRUE(until([&] { return is_gone(orphan); }));
}

TEST_F(ReaperTest, WakesAllWhoWait) {
    int woken = 0;
    for (int count = 0; count < 3; ++count) {
        boost::asio::co_spawn(io_, count_reap(reaper_, std::chrono::minutes(1), woken),
                              [](std::exception_ptr error) { EXPECT_FALSE(error); });
    }
    io_.poll();
    EXPECT_EQ(woken, 0);
    start(shell("exit 0"));
    EXPECT_TRUE(until([&] { return woken == 3; }));
}

TEST_F(ReaperTest, WakesAtTheDeadlineWithoutAReap) {
    int woken = 0;
    boost::asio::co_spawn(io_, count_reap(reaper_, std::chrono::milliseconds(20), woken),
                          [](std::exception_ptr error) { EXPECT_FALSE(error); });
    EXPECT_TRUE(until([&] { return woken == 1; }));
}

TEST(Reaper, MayGoBeforeThoseWhoWait) {
    boost::asio::io_context io(1);
    int woken = 0;
    {
        Reaper reaper(io);
        reaper.start();
        boost::asio::co_spawn(io, count_reap(reaper, std::chrono::milliseconds(5), woken),
                              [](std::exception_ptr error) { EXPECT_FALSE(error); });
        io.poll();
        ::raise(SIGCHLD);  // On its way when the reaper goes.
    }
    io.run_for(patience);
    EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace tcplock::io
