#include "io/timeout.hpp"

namespace tcplock::io {
namespace {

struct Done {};

boost::asio::awaitable<Done> ended(boost::asio::awaitable<void> operation) {
    co_await std::move(operation);
    co_return Done{};
}

}  // namespace

void rethrow_unless_cancelled(std::exception_ptr failure) {
    if (!failure) {
        return;
    }
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        if (error.code() != boost::asio::error::operation_aborted) {
            throw;
        }
    }
}

boost::asio::awaitable<bool> with_timeout(boost::asio::awaitable<void> operation,
                                          std::chrono::nanoseconds limit) {
    const auto done = co_await with_timeout(ended(std::move(operation)), limit);
    co_return done.has_value();
}

}  // namespace tcplock::io
