#include "io/task_group.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <vector>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> wait(std::chrono::nanoseconds time, int& ended) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
    ++ended;
}

asio::awaitable<void> end_at_once(int& ended) {
    ++ended;
    co_return;
}

asio::awaitable<void> fail_after(std::chrono::nanoseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
    throw std::runtime_error("a bug");
}

asio::awaitable<void> note_when_empty(TaskGroup& group, int& noted) {
    co_await group.wait_empty();
    ++noted;
}

asio::awaitable<void> spawn_another(TaskGroup& group, int& ended) {
    group.spawn("another", end_at_once(ended));
    ++ended;
    co_return;
}

asio::awaitable<void> cancel_everybody(TaskGroup& group, int& ended) {
    group.cancel_all();
    ++ended;
    co_return;
}

class Tasks : public testing::Test {
protected:
    asio::io_context context;
    std::vector<std::string> failures;
    TaskGroup group{context.get_executor(), [this](const std::string& name, std::exception_ptr) {
                        failures.push_back(name);
                    }};
    int ended = 0;
};

TEST_F(Tasks, AreCountedWhileTheyRun) {
    group.spawn("one", wait(1ms, ended));
    group.spawn("two", wait(1h, ended));
    EXPECT_EQ(group.size(), 2U);
    while (ended == 0) {
        ASSERT_NE(context.run_one_for(10s), 0U);
    }
    context.poll();
    EXPECT_EQ(group.size(), 1U);
    EXPECT_EQ(ended, 1);
    group.cancel_all();
    context.run();
    EXPECT_EQ(group.size(), 0U);
    EXPECT_EQ(ended, 1);
    EXPECT_TRUE(failures.empty()) << "a cancelled task has not failed";
}

TEST_F(Tasks, MayEndBeforeTheyFirstWait) {
    for (int i = 0; i < 100; ++i) {
        group.spawn("quick", end_at_once(ended));
    }
    context.run();
    EXPECT_EQ(ended, 100);
    EXPECT_EQ(group.size(), 0U);
}

// As the last step of a shutdown does.
TEST_F(Tasks, MayCancelThemselvesBeforeTheyFirstWait) {
    group.spawn("one", cancel_everybody(group, ended));
    EXPECT_NO_THROW(context.run());
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(group.size(), 0U);
    EXPECT_TRUE(failures.empty());
}

TEST_F(Tasks, MaySpawnOthers) {
    group.spawn("first", spawn_another(group, ended));
    context.run();
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(group.size(), 0U);
}

TEST_F(Tasks, ThatThrowAreReportedByName) {
    group.spawn("sound", wait(1ms, ended));
    group.spawn("faulty", fail_after(1ms));
    context.run();
    EXPECT_EQ(failures, std::vector<std::string>{"faulty"});
    EXPECT_EQ(ended, 1);
}

TEST_F(Tasks, ThatThrowWhenCancelledButForAnotherReasonAreReported) {
    group.spawn("faulty", fail_after(0ms));
    context.run();
    group.cancel_all();
    EXPECT_EQ(failures.size(), 1U);
}

TEST_F(Tasks, HaveAllEndedWhenTheGroupIsEmptyForEverybodyWhoWaits) {
    int noted = 0;
    TaskGroup watchers(context.get_executor(), [](const std::string&, std::exception_ptr) {});
    group.spawn("one", wait(1ms, ended));
    group.spawn("two", wait(5ms, ended));
    watchers.spawn("first", note_when_empty(group, noted));
    watchers.spawn("second", note_when_empty(group, noted));
    context.run();
    EXPECT_EQ(ended, 2);
    EXPECT_EQ(noted, 2);
}

TEST_F(Tasks, NeedNotBeAnyForTheGroupToBeEmpty) {
    int noted = 0;
    TaskGroup watchers(context.get_executor(), [](const std::string&, std::exception_ptr) {});
    watchers.spawn("first", note_when_empty(group, noted));
    context.run();
    EXPECT_EQ(noted, 1);
}

TEST(TasksDeathTest, MustNotOutliveTheirGroup) {
    testing::GTEST_FLAG(death_test_style) = "threadsafe";
    asio::io_context context;
    int ended = 0;
    EXPECT_DEATH(
        {
            TaskGroup group(context.get_executor(), [](const std::string&, std::exception_ptr) {});
            group.spawn("forgotten", wait(1h, ended));
        },
        "forgotten");
}

}  // namespace
}  // namespace tcplock::io
