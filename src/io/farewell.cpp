#include "io/farewell.hpp"

#include "io/socket.hpp"
#include "io/timeout.hpp"
#include "uno/refusal.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;

constexpr std::size_t dropped_max = 65536;

// Or until it has sent too much for one who listens.
asio::awaitable<void> wait_for_end(Socket& client) {
    std::array<char, 4096> dropped;
    std::size_t size = 0;
    while (size < dropped_max) {
        const auto [error, count] =
            co_await client.async_read_some(asio::buffer(dropped), use_result);
        if (error) {
            co_return;
        }
        size += count;
    }
}

asio::awaitable<void> refuse(Socket& client, std::string why) {
    uno::Refusal refusal(std::move(why));
    std::array<std::uint8_t, 4096> bytes;
    while (refusal.wanted() > 0) {
        const auto [read_error, count] =
            co_await client.async_read_some(asio::buffer(bytes, refusal.wanted()), use_result);
        if (read_error) {
            co_return;
        }
        const uno::Buffer reply = refusal.receive(uno::Bytes(bytes).first(count));
        const auto [write_error, written] =
            co_await asio::async_write(client, asio::buffer(reply), use_result);
        if (write_error) {
            co_return;
        }
    }
    if (refusal.state() == uno::Refusal::State::said) {
        co_await wait_for_end(client);
    }
}

}  // namespace

void say_farewell(Descriptor client) {
    constexpr int reads_max = 16;
    std::array<char, 4096> dropped;
    for (int i = 0; i < reads_max; ++i) {
        if (::recv(client.get(), dropped.data(), dropped.size(), MSG_DONTWAIT) <= 0) {
            break;
        }
    }
    (void)::shutdown(client.get(), SHUT_WR);  // It may be gone already.
}

asio::awaitable<void> say_why_in_uno(Descriptor client, std::string why,
                                     std::chrono::nanoseconds limit) {
    Socket socket = adopt(co_await asio::this_coro::executor, std::move(client));
    auto conversation = refuse(socket, std::move(why));
    (void)co_await with_timeout(std::move(conversation), limit);
    boost::system::error_code error;
    Descriptor told(socket.release(error));
    if (!error) {
        say_farewell(std::move(told));
    }
}

}  // namespace tcplock::io
