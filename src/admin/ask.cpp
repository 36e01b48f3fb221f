#include "admin/ask.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <sys/un.h>

namespace tcplock::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace errc = boost::system::errc;
using boost::system::error_code;
using Stream = beast::basic_stream<asio::local::stream_protocol>;

constexpr std::chrono::seconds longest_wait{10};
constexpr std::uint64_t reply_bytes_max = 64 * 1024 * 1024;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

std::string what_to_do(const error_code& error) {
    if (error == errc::permission_denied) {
        return "Its mode and group say who may (admin.socket_mode, admin.socket_group).";
    }
    if (error == errc::no_such_file_or_directory || error == errc::connection_refused) {
        return "Is a supervisor running? Name its admin.socket with -s, or in TCPLOCK_SOCKET.";
    }
    return "The supervisor is there, but does not answer: it may be stopped, or have too many "
           "visitors.";
}

void check(const error_code& error, const std::string& socket) {
    if (error) {
        throw NoAnswer("no answer at " + socket + ": " + error.message() + ". " +
                       what_to_do(error));
    }
}

// All of it within the time.
asio::awaitable<Reply> exchange(std::string socket, http::request<http::string_body> request) {
    Stream stream(co_await asio::this_coro::executor);
    stream.expires_after(longest_wait);
    const asio::local::stream_protocol::endpoint there(socket);
    const auto [unreachable] = co_await stream.async_connect(there, use_result);
    check(unreachable, socket);
    const auto [unsent, written] = co_await http::async_write(stream, request, use_result);
    check(unsent, socket);
    beast::flat_buffer buffer;
    http::response_parser<http::string_body> reply;
    reply.body_limit(reply_bytes_max);
    const auto [unread, size] = co_await http::async_read(stream, buffer, reply, use_result);
    check(unread, socket);
    co_return Reply{reply.get().result_int(), reply.get().body()};
}

}  // namespace

Reply ask(const std::string& socket, const std::string& method, const std::string& path,
          const std::string& body) {
    constexpr unsigned http_1_1 = 11;
    if (socket.size() >= sizeof(sockaddr_un{}.sun_path)) {
        check(errc::make_error_code(errc::filename_too_long), socket);
    }
    http::request<http::string_body> request;
    request.method_string(method);
    request.target(path);
    request.version(http_1_1);
    request.set(http::field::host, "tcplock-supervisor");
    request.keep_alive(false);
    request.body() = body;
    request.prepare_payload();
    asio::io_context io{1};
    Reply reply;
    std::exception_ptr failure;
    asio::co_spawn(io, exchange(socket, std::move(request)),
                   [&](std::exception_ptr error, Reply answered) {
                       failure = error;
                       reply = std::move(answered);
                   });
    io.run();
    if (failure) {
        std::rethrow_exception(failure);
    }
    return reply;
}

}  // namespace tcplock::admin
