// Numeric addresses, and sockets in the file system: read, written, and matched against the
// networks a listener allows.
//
// No names are looked up here, for a look-up may block. An IPv4 peer that reached an IPv6 socket is
// treated, and written, as the IPv4 peer it is.
#pragma once

#include "io/socket.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tcplock::io {

// "127.0.0.1:2002" or "[::1]:2002"; nothing when it is neither.
std::optional<tcp::endpoint> parse_endpoint(std::string_view text);

// The same, or "unix:/run/socket".
std::optional<Endpoint> parse_address(std::string_view text);

// "127.0.0.1:51234", "[::1]:5", "unix:/run/socket"
std::string describe(const Endpoint& endpoint);

// In the file system; empty of any other.
std::string path_of(const Endpoint& endpoint);

// Of one that is TCP's.
tcp::endpoint as_tcp(const Endpoint& endpoint);

// IPv4's own address for one that a socket of IPv6 tells of it; any other stays as it is.
boost::asio::ip::address unmapped(const boost::asio::ip::address& address);

// The networks whose peers may connect. An empty list permits nobody.
class Allow {
public:
    static Allow everybody();
    static Allow loopback();

    // "10.0.0.0/8", "fd00::/8", or one address. False, and nothing is added, when it is neither.
    [[nodiscard]] bool add(std::string_view network);

    bool permits(const boost::asio::ip::address& peer) const;

private:
    std::vector<boost::asio::ip::network_v4> v4_;
    std::vector<boost::asio::ip::network_v6> v6_;
};

}  // namespace tcplock::io
