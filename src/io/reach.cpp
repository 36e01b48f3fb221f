#include "io/reach.hpp"

#include "io/address.hpp"
#include "io/own_address.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

namespace tcplock::io {
namespace {

namespace ip = boost::asio::ip;

bool takes_ipv4(const Descriptor& of_ipv6) {
    int is_ipv6_only = 1;
    socklen_t size = sizeof is_ipv6_only;
    return ::getsockopt(of_ipv6.get(), IPPROTO_IPV6, IPV6_V6ONLY, &is_ipv6_only, &size) == 0 &&
           is_ipv6_only == 0;
}

}  // namespace

std::vector<tcp::endpoint> endpoints_of(const Descriptor& listening) {
    tcp::endpoint local;
    auto size = static_cast<socklen_t>(local.capacity());
    if (::getsockname(listening.get(), local.data(), &size) != 0) {
        return {};
    }
    const int family = local.data()->sa_family;
    if (family != AF_INET && family != AF_INET6) {
        return {};
    }
    local.resize(size);
    std::vector<tcp::endpoint> all = {{unmapped(local.address()), local.port()}};
    if (family == AF_INET6 && local.address().is_unspecified() && takes_ipv4(listening)) {
        all.emplace_back(ip::address_v4::any(), local.port());
    }
    return all;
}

bool leads_to(const tcp::endpoint& address, const tcp::endpoint& gate) {
    const ip::address reached = reached_by(unmapped(address.address()));
    const ip::address at = unmapped(gate.address());
    if (address.port() != gate.port() || reached.is_v4() != at.is_v4()) {
        return false;
    }
    return reached == at || (at.is_unspecified() && is_of_this_machine(reached));
}

}  // namespace tcplock::io
