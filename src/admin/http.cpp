#include "admin/http.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <utility>

namespace tcplock::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;

using Stream = beast::basic_stream<asio::generic::stream_protocol>;
using Message = http::response<http::string_body>;

constexpr std::uint32_t header_bytes_max = 8 * 1024;
constexpr std::uint64_t body_bytes_max = 64 * 1024;
constexpr std::chrono::seconds limit{5};
constexpr int requests_max = 100;  // on one connection: others want to come in as well
// Of the status page: it may use what comes from here, and nothing that is written into it.
constexpr auto policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

Request request_of(http::request<http::string_body>&& message) {
    const auto target = message.target();
    const auto path = target.substr(0, target.find('?'));
    return {std::string(message.method_string()), std::string(path), std::move(message.body())};
}

// Nothing that is said here is to be kept, guessed at, or framed.
Message message_of(Response response, unsigned version, bool is_head) {
    Message message{static_cast<http::status>(response.status), version};
    message.set(http::field::server, "tcplock-supervisor");
    message.set(http::field::content_type, response.type);
    message.set(http::field::cache_control, "no-store");
    message.set("X-Content-Type-Options", "nosniff");
    message.set("Content-Security-Policy", policy);
    message.set("Referrer-Policy", "no-referrer");
    if (!response.allow.empty()) {
        message.set(http::field::allow, response.allow);
    }
    message.content_length(response.body.size());
    if (!is_head) {
        message.body() = std::move(response.body);
    }
    return message;
}

// What a request that could not be read is told.
Response refusal_of(const beast::error_code& error) {
    if (error == http::error::header_limit) {
        return {431, {}, "the header is larger than 8 KiB\n"};
    }
    if (error == http::error::body_limit) {
        return {413, {}, "the body is larger than 64 KiB\n"};
    }
    return {400, {}, "this is no HTTP request: " + error.message() + "\n"};
}

// Or was too slow: then the stream has closed it.
bool has_gone(const beast::error_code& error) {
    return error == beast::error::timeout || error == http::error::end_of_stream ||
           error == http::error::partial_message ||
           error.category() == asio::error::get_system_category() ||
           error.category() == asio::error::get_misc_category();
}

// A bug must not cost the supervisor its life.
Response answer_of(const Answer& answer, const Request& request) {
    try {
        return answer(request);
    } catch (const std::exception& error) {
        return {500, "text/plain; charset=utf-8",
                std::string("internal error: ") + error.what() + "\n"};
    }
}

asio::awaitable<bool> send(Stream& stream, Message& message) {
    http::response_serializer<http::string_body> serializer(message);
    stream.expires_after(limit);
    const auto [failure, size] = co_await http::async_write(stream, serializer, use_result);
    co_return !failure;
}

asio::awaitable<bool> send_head(Stream& stream, Message& message) {
    http::response_serializer<http::string_body> serializer(message);
    stream.expires_after(limit);
    const auto [failure, size] = co_await http::async_write_header(stream, serializer, use_result);
    co_return !failure;
}

asio::awaitable<void> refuse(Stream& stream, beast::error_code error) {
    constexpr unsigned http_1_1 = 11;
    Response response = refusal_of(error);
    response.type = "text/plain; charset=utf-8";
    Message message = message_of(std::move(response), http_1_1, false);
    message.keep_alive(false);
    (void)co_await send(stream, message);
    beast::error_code ignored;
    stream.socket().shutdown(asio::socket_base::shutdown_send, ignored);
}

// True if the next request may come.
asio::awaitable<bool> serve_one(Stream& stream, beast::flat_buffer& buffer, const Answer& answer) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(header_bytes_max);
    parser.body_limit(body_bytes_max);
    stream.expires_after(limit);
    const auto [error, size] = co_await http::async_read(stream, buffer, parser, use_result);
    if (error) {
        const bool has_begun = size > 0 || buffer.size() > 0;
        if (has_begun && !has_gone(error)) {
            co_await refuse(stream, error);
        }
        co_return false;
    }
    const bool is_head = parser.get().method() == http::verb::head;
    const bool may_stay = parser.get().keep_alive();
    const unsigned version = parser.get().version();
    const Request request = request_of(parser.release());
    Message message = message_of(answer_of(answer, request), version, is_head);
    message.keep_alive(may_stay);
    bool was_sent = false;
    if (is_head) {
        was_sent = co_await send_head(stream, message);
    } else {
        was_sent = co_await send(stream, message);
    }
    if (!was_sent) {
        co_return false;
    }
    co_return may_stay;
}

}  // namespace

asio::awaitable<void> serve(asio::generic::stream_protocol::socket peer, Answer answer) {
    Stream stream(std::move(peer));
    beast::flat_buffer buffer(header_bytes_max + body_bytes_max);
    bool goes_on = true;
    for (int requests = 0; goes_on && requests < requests_max; ++requests) {
        goes_on = co_await serve_one(stream, buffer, answer);
    }
}

}  // namespace tcplock::admin
