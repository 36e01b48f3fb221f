// A io_context to step by hand, and sockets whose far ends a test plays itself.
//
// The far ends are non-blocking; receive() and the like run the context until what they wait for
// has come, or fail after a few seconds. So a test reads as a script, and never sleeps.
#pragma once

#include "io/socket.hpp"
#include "io/task_group.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace tcplock::io::test {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;

constexpr auto patience = 30s;

inline tcp::endpoint any_port() {
    return {boost::asio::ip::address_v4::loopback(), 0};
}

// Two ends of one loopback connection.
struct Pair {
    Socket near;
    Socket far;
};

// Whether the other end has sent all it had, of which nothing is left, and that has arrived.
inline bool has_been_closed(Socket& socket) {
    char byte = 0;
    return ::recv(socket.native_handle(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

// How a peer's stream ended.
enum class Ending { fin, reset };

template <class Result>
boost::asio::awaitable<void> store(boost::asio::awaitable<Result> operation,
                                   std::optional<Result>& result) {
    result.emplace(co_await std::move(operation));
}

class Loopback : public testing::Test {
protected:
    ~Loopback() override {
        tasks.cancel_all();
        run_until([this] { return tasks.size() == 0; });
    }

    // Runs the context until the condition holds; false when it does not in good time.
    bool run_until(const std::function<bool()>& condition,
                   std::chrono::nanoseconds limit = patience) {
        const auto end = std::chrono::steady_clock::now() + limit;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
            context.restart();
            context.run_one_for(5ms);
        }
        return true;
    }

    // Lets everything happen that can happen now.
    void settle() {
        context.restart();
        context.poll();
    }

    template <class Result>
    Result await(boost::asio::awaitable<Result> operation) {
        std::optional<Result> result;
        tasks.spawn("operation", store(std::move(operation), result));
        EXPECT_TRUE(run_until([&] { return result.has_value(); }));
        return std::move(result.value());
    }

    Pair connected() {
        tcp::acceptor acceptor(context, any_port());
        tcp::socket far(context);
        far.connect(acceptor.local_endpoint());
        far.non_blocking(true);
        far.set_option(tcp::no_delay(true));
        return {Socket(acceptor.accept()), Socket(std::move(far))};
    }

    Pair connected_in_file_system() {
        boost::asio::local::stream_protocol::socket near(context);
        boost::asio::local::stream_protocol::socket far(context);
        boost::asio::local::connect_pair(near, far);
        far.non_blocking(true);
        return {Socket(std::move(near)), Socket(std::move(far))};
    }

    static void send(Socket& socket, std::string_view bytes) {
        ASSERT_EQ(socket.send(boost::asio::buffer(bytes)), bytes.size());
    }

    std::string receive(Socket& socket, std::size_t size) {
        std::string bytes;
        const bool complete = run_until([&] {
            std::array<char, 65536> some;
            boost::system::error_code error;
            const std::size_t count = socket.receive(
                boost::asio::buffer(some.data(), std::min(some.size(), size - bytes.size())), 0,
                error);
            bytes.append(some.data(), count);
            return bytes.size() == size || (error && error != boost::asio::error::would_block);
        });
        EXPECT_TRUE(complete && bytes.size() == size) << "got " << bytes.size() << " of " << size;
        return bytes;
    }

    // Reads whatever comes until the stream ends, and says how it did.
    std::pair<std::string, Ending> receive_all(Socket& socket) {
        std::string bytes;
        Ending ending = Ending::fin;
        EXPECT_TRUE(run_until([&] {
            std::array<char, 65536> some;
            boost::system::error_code error;
            const std::size_t count = socket.receive(boost::asio::buffer(some), 0, error);
            bytes.append(some.data(), count);
            if (error && error != boost::asio::error::would_block) {
                ending = error == boost::asio::error::eof ? Ending::fin : Ending::reset;
                return true;
            }
            return false;
        })) << "the stream did not end";
        return {bytes, ending};
    }

    static void finish(Socket& socket) { socket.shutdown(Socket::shutdown_send); }

    boost::asio::io_context context;
    TaskGroup tasks{context.get_executor(),
                    [](const std::string& name, std::exception_ptr failure) {
                        try {
                            std::rethrow_exception(std::move(failure));
                        } catch (const std::exception& exception) {
                            ADD_FAILURE() << name << ": " << exception.what();
                        }
                    }};
};

}  // namespace tcplock::io::test
