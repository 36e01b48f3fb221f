#include "io/opening.hpp"

#include "io/socket.hpp"
#include "uno/block.hpp"
#include "uno/opening.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace tcplock::io {
namespace {

using How = ClientOpening::How;
using Verdict = uno::Opening::Verdict;

constexpr auto early_pause = std::chrono::milliseconds(50);

// Readable means from now on: so many bytes have come, or an end.
void wake_at(int client, std::size_t bytes) {
    const int mark = static_cast<int>(bytes);
    // If that fails we are woken more often.
    (void)::setsockopt(client, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark);
}

// Empty also when there is nothing: whether an end has come is seen elsewhere.
uno::Buffer peek(int client) {
    uno::Buffer bytes(uno::block_head_size + uno::opening_max);
    const ssize_t size = ::recv(client, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
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

boost::asio::awaitable<ClientOpening> await_uno_opening(News& news,
                                                        std::function<bool()> is_wanted) {
    WatchedDescriptor& client = news.descriptor();
    const auto executor = co_await boost::asio::this_coro::executor;
    boost::asio::steady_timer pause(executor);
    std::size_t wanted = 0;
    std::optional<ClientOpening> opening;
    while (client && !opening) {
        const bool has_ended = has_finished(client.get());  // Before what came, or that is missed.
        const uno::Buffer received = peek(client.get());
        const uno::Opening found = uno::judge_opening(received);
        if (found.verdict != Verdict::incomplete) {
            const bool is_uno = found.verdict == Verdict::uno;
            opening = {is_uno ? How::uno : How::foreign,
                       is_uno ? "" : uno::describe_opening(received)};
        } else if (has_ended) {
            opening = ended_early(received);
        } else if (!is_wanted()) {
            break;
        } else if (received.size() < std::exchange(wanted, found.wanted)) {
            // Urgent bytes wake us, and are not shown; so does a lack of memory.
            pause.expires_after(early_pause);
            (void)co_await pause.async_wait(use_result);
        } else {
            wake_at(client.get(), wanted);
            if (news.watch(EPOLLIN | EPOLLRDHUP)) {
                client.abort();  // For lack of memory: nobody would tell of what it says.
                break;
            }
            co_await news.wait();
        }
    }
    if (client && wanted > 0) {
        wake_at(client.get(), 1);
    }
    co_return opening.value_or(ClientOpening{});
}

}  // namespace tcplock::io
