#include "io/opening.hpp"

#include "uno/block.hpp"
#include "uno/opening.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <sys/socket.h>
#include <utility>

namespace tcplock::io {
namespace {

using How = ClientOpening::How;
using Verdict = uno::Opening::Verdict;

constexpr auto early_pause = std::chrono::milliseconds(50);

// Readable means from now on: so many bytes have come, or an end.
void wake_at(Socket& client, std::size_t bytes) {
    boost::system::error_code ignored;  // Then we are woken more often.
    client.set_option(boost::asio::socket_base::receive_low_watermark(static_cast<int>(bytes)),
                      ignored);
}

// Empty also when there is nothing: whether an end has come is seen elsewhere.
uno::Buffer peek(Socket& client) {
    uno::Buffer bytes(uno::block_head_size + uno::opening_max);
    const ssize_t size =
        ::recv(client.native_handle(), bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return bytes;
}

ClientOpening ended_early(const uno::Buffer& received) {
    if (received.empty()) {
        return {How::none, {}};
    }
    return {How::foreign, uno::describe_opening(received) + ", and no more"};
}

}  // namespace

boost::asio::awaitable<ClientOpening> await_uno_opening(Socket& client,
                                                        std::function<bool()> is_wanted) {
    boost::asio::steady_timer pause(client.get_executor());
    std::size_t wanted = 0;
    while (client.is_open()) {
        const bool has_ended = has_finished(client);  // Before what came, or that would be missed.
        const uno::Buffer received = peek(client);
        const uno::Opening opening = uno::judge_opening(received);
        if (opening.verdict != Verdict::incomplete) {
            wake_at(client, 1);
            const bool is_uno = opening.verdict == Verdict::uno;
            co_return ClientOpening{is_uno ? How::uno : How::foreign,
                                    is_uno ? "" : uno::describe_opening(received)};
        }
        if (has_ended) {
            co_return ended_early(received);
        }
        if (!is_wanted()) {
            wake_at(client, 1);
            break;
        }
        // Urgent bytes wake us, and are not shown; so does a lack of memory.
        if (received.size() < std::exchange(wanted, opening.wanted)) {
            pause.expires_after(early_pause);
            (void)co_await pause.async_wait(use_result);
            continue;
        }
        wake_at(client, wanted);
        const auto [error] = co_await client.async_wait(Socket::wait_read, use_result);
        if (error) {
            wake_at(client, 1);
            break;
        }
    }
    co_return ClientOpening{};
}

}  // namespace tcplock::io
