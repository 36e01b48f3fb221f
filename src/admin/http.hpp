// HTTP/1.1 for operators, on a connection that somebody has accepted.
//
// It knows neither what is asked nor who may ask. What a peer can cost is bounded: 8 KiB of header,
// 64 KiB of body, and 5 s for each request, its wait included, and for each answer; whoever breaks
// a bound gets one answer that says which, and is closed. After a
// hundred requests everybody is.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>

#include <functional>
#include <string>

namespace tcplock::admin {

struct Request {
    std::string method;
    std::string path;  // without what follows a question mark
    std::string body;
};

struct Response {
    unsigned status = 200;
    std::string type = "text/plain; charset=utf-8";
    std::string body;
    std::string allow = {};  // with 405: the methods there are
};

using Answer = std::function<Response(const Request&)>;

// Answers one request after the other, until the peer has gone or has to go. To a HEAD it leaves
// the body out by itself.
boost::asio::awaitable<void> serve(boost::asio::generic::stream_protocol::socket peer,
                                   Answer answer);

}  // namespace tcplock::admin
