#include "admin/ask.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <sys/socket.h>
#include <sys/time.h>

namespace tcplock::admin {
namespace {

namespace http = boost::beast::http;
using boost::asio::local::stream_protocol;
using boost::system::error_code;
namespace errc = boost::system::errc;

constexpr timeval longest_wait{10, 0};
constexpr std::uint64_t reply_bytes_max = 64 * 1024 * 1024;

std::string what_to_do(const error_code& error) {
    if (error == errc::permission_denied) {
        return "Its mode and group say who may (admin.socket_mode, admin.socket_group).";
    }
    if (error == errc::no_such_file_or_directory || error == errc::connection_refused) {
        return "Is a supervisor running? Name its admin.socket with -s, or in TCPLOCK_SOCKET.";
    }
    return "The supervisor is there, but does not answer in time: its log may say why.";
}

void check(const error_code& error, const std::string& socket) {
    if (error) {
        throw NoAnswer("no answer at " + socket + ": " + error.message() + ". " +
                       what_to_do(error));
    }
}

}  // namespace

Reply ask(const std::string& socket, const std::string& method, const std::string& path,
          const std::string& body) {
    constexpr unsigned http_1_1 = 11;
    boost::asio::io_context io;
    stream_protocol::socket peer(io);
    error_code error;
    if (socket.size() >= sizeof(sockaddr_un{}.sun_path)) {
        check(errc::make_error_code(errc::filename_too_long), socket);
    }
    peer.connect(stream_protocol::endpoint(socket), error);
    check(error, socket);
    for (const int which : {SO_RCVTIMEO, SO_SNDTIMEO}) {
        ::setsockopt(peer.native_handle(), SOL_SOCKET, which, &longest_wait, sizeof longest_wait);
    }
    http::request<http::string_body> request;
    request.method_string(method);
    request.target(path);
    request.version(http_1_1);
    request.set(http::field::host, "tcplock-supervisor");
    request.keep_alive(false);
    request.body() = body;
    request.prepare_payload();
    http::write(peer, request, error);
    check(error, socket);
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> reply;
    reply.body_limit(reply_bytes_max);
    http::read(peer, buffer, reply, error);
    check(error, socket);
    return {reply.get().result_int(), reply.get().body()};
}

}  // namespace tcplock::admin
