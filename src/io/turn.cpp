#include "io/turn.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace tcplock::io {

// The first time, what the system says to be ready may still be behind us in Asio's queue.
boost::asio::awaitable<void> turn() {
    const auto executor = co_await boost::asio::this_coro::executor;
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
    co_await boost::asio::post(executor, boost::asio::use_awaitable);
}

}  // namespace tcplock::io
