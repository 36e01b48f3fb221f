// with_timeout: an operation, and a limit to how long it may take.
//
// At the limit the operation is cancelled and awaited to its end, so whatever it uses may go
// afterwards. Its late result is dropped: never use this round an operation that takes something
// out of a queue (an accept, a channel). Asio's own `||` is not used, for it drops results that
// were in time as well, and waits for the limit when the operation throws.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <exception>
#include <optional>
#include <utility>

namespace tcplock::io {

// Throws what went wrong in the operation, unless that is only that we cancelled it.
void rethrow_unless_cancelled(std::exception_ptr failure);

// The operation's result, or nothing when the limit came first. Result must be default
// constructible. Cancelling the caller cancels both.
template <class Result>
boost::asio::awaitable<std::optional<Result>> with_timeout(boost::asio::awaitable<Result> operation,
                                                           std::chrono::nanoseconds limit) {
    const auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer timer(executor, limit);
    auto race = boost::asio::experimental::make_parallel_group(
        boost::asio::co_spawn(executor, std::move(operation), boost::asio::deferred),
        timer.async_wait(boost::asio::deferred));
    auto [order, failure, result, timer_error] = co_await race.async_wait(
        boost::asio::experimental::wait_for_one(), boost::asio::use_awaitable);
    if (order[0] == 0) {
        if (failure) {
            std::rethrow_exception(failure);
        }
        co_return std::move(result);
    }
    rethrow_unless_cancelled(failure);
    co_return std::nullopt;
}

// The same for an operation without a result: whether it ended in time.
boost::asio::awaitable<bool> with_timeout(boost::asio::awaitable<void> operation,
                                          std::chrono::nanoseconds limit);

}  // namespace tcplock::io
