#include "io/timeout.hpp"

#include "loopback.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

asio::awaitable<std::string> answer_after(std::chrono::nanoseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
    co_return "answer";
}

asio::awaitable<std::string> answer_at_once() {
    co_return "answer";
}

asio::awaitable<std::string> throw_after(std::chrono::nanoseconds time) {
    asio::steady_timer timer(co_await asio::this_coro::executor, time);
    co_await timer.async_wait(asio::use_awaitable);
    throw std::runtime_error("a bug");
}

// Says whether the operation had ended when with_timeout returned.
asio::awaitable<void> use_until_cancelled(bool& in_use) {
    in_use = true;
    const std::shared_ptr<bool> guard(&in_use, [](bool* used) { *used = false; });
    asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<std::string> what_is_thrown(asio::awaitable<std::string> operation) {
    try {
        co_await with_timeout(std::move(operation), 1h);
    } catch (const std::exception& exception) {
        co_return exception.what();
    }
    co_return "nothing";
}

class Timeout : public test::Loopback {};

TEST_F(Timeout, DoesNothingToAnOperationThatEndsInTime) {
    const auto begin = Clock::now();
    EXPECT_EQ(await(with_timeout(answer_after(1ms), 1h)), "answer");
    EXPECT_EQ(await(with_timeout(answer_at_once(), 1h)), "answer");
    EXPECT_LT(Clock::now() - begin, 5s);
}

TEST_F(Timeout, EndsAnOperationThatTakesTooLong) {
    EXPECT_EQ(await(with_timeout(answer_after(1h), 1ms)), std::nullopt);
}

TEST_F(Timeout, OfNothingStillLetsAnImmediateAnswerThroughOrNone) {
    const auto result = await(with_timeout(answer_at_once(), 0ns));
    EXPECT_TRUE(!result || *result == "answer");
}

TEST_F(Timeout, ReturnsOnlyWhenTheOperationHasEnded) {
    bool in_use = false;
    EXPECT_FALSE(await(with_timeout(use_until_cancelled(in_use), 1ms)));
    EXPECT_FALSE(in_use);
}

TEST_F(Timeout, PassesOnWhatTheOperationThrowsWithoutWaiting) {
    const auto begin = Clock::now();
    EXPECT_EQ(await(what_is_thrown(throw_after(1ms))), "a bug");
    EXPECT_LT(Clock::now() - begin, 5s);
}

TEST_F(Timeout, CanBeNested) {
    const auto inner = await(with_timeout(with_timeout(answer_after(1h), 1ms), 1h));
    EXPECT_TRUE(inner && !*inner);
    const auto outer = await(with_timeout(with_timeout(answer_after(1h), 1h), 1ms));
    EXPECT_FALSE(outer);
}

asio::awaitable<void> ignore_result(asio::awaitable<bool> operation) {
    (void)co_await std::move(operation);
}

TEST_F(Timeout, IsCancelledWithItsCaller) {
    bool in_use = false;
    tasks.spawn("caller", ignore_result(with_timeout(use_until_cancelled(in_use), 1h)));
    ASSERT_TRUE(run_until([&] { return in_use; }));
    tasks.cancel_all();
    EXPECT_TRUE(run_until([&] { return tasks.size() == 0; }));
    EXPECT_FALSE(in_use);
}

}  // namespace
}  // namespace tcplock::io
