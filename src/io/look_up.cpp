#include "io/look_up.hpp"

#include "io/address.hpp"
#include "io/timeout.hpp"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace tcplock::io {
namespace {

constexpr std::size_t endpoints_max = 8;

boost::asio::awaitable<LookUp> resolve(std::string host, std::string port) {
    tcp::resolver resolver(co_await boost::asio::this_coro::executor);
    const auto [error, results] =
        co_await resolver.async_resolve(host, port, tcp::resolver::numeric_service, use_result);
    LookUp found;
    found.why = error ? error.message() : "";
    for (const auto& result : results) {
        if (found.endpoints.size() < endpoints_max) {
            found.endpoints.push_back(result.endpoint());
        }
    }
    co_return found;
}

}  // namespace

boost::asio::awaitable<LookUp> look_up(std::string service, std::chrono::nanoseconds limit) {
    if (const auto numeric = parse_endpoint(service)) {
        co_return LookUp{{*numeric}, {}};
    }
    const std::size_t colon = service.rfind(':');
    auto resolution = resolve(service.substr(0, colon), service.substr(colon + 1));
    auto found = co_await with_timeout(std::move(resolution), limit);
    if (!found) {
        co_return LookUp{{}, "no answer from the name service in time"};
    }
    co_return std::move(*found);
}

}  // namespace tcplock::io
