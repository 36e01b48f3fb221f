#include "io/turn.hpp"

#include "loopback.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <gtest/gtest.h>

#include <array>
#include <fcntl.h>
#include <unistd.h>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;

class Turn : public test::Loopback {};

TEST_F(Turn, IsOverOnlyWhenWhatTheSystemHasReadyIsDone) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    asio::posix::stream_descriptor reading(context, ends[0]);
    const asio::posix::stream_descriptor writing(context, ends[1]);
    bool is_readable = false;
    reading.async_wait(asio::posix::descriptor_base::wait_read,
                       [&](const boost::system::error_code&) { is_readable = true; });
    const auto take_a_turn = [&]() -> asio::awaitable<bool> {
        const ssize_t written = ::write(ends[1], "x", 1);
        EXPECT_EQ(written, 1);
        co_await turn();
        co_return is_readable;
    };
    EXPECT_TRUE(await(take_a_turn()));
}

}  // namespace
}  // namespace tcplock::io
