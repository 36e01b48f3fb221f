// Numeric addresses with a port, sockets in the file system, and networks, checked and brought into
// their usual notation.
//
// Names are never looked up here: what a listener binds must not depend on a resolver. Only a
// service that somebody else runs may be named.
#pragma once

#include "config/config.hpp"
#include "config/problem.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tcplock::config {

inline constexpr std::string_view expected_endpoint =
    "a numeric address and a port like 127.0.0.1:2002 or [::1]:2002";
inline constexpr std::string_view expected_listener =
    "a numeric address and a port like 127.0.0.1:2002 or [::1]:2002, or systemd";
inline constexpr std::string_view expected_service =
    "an address or a name, and a port, like 127.0.0.1:8100, [::1]:8100 or localhost:8100, or a "
    "socket's path like unix:/run/service.sock";
inline constexpr std::string_view unix_prefix = "unix:";  // of a socket in the file system
inline constexpr std::string_view expected_network =
    "a network or an address like 10.0.0.0/8, 192.168.1.7 or fd00::/8";

enum class Family { v4, v6 };

// Who can reach a socket bound to an address.
enum class Reach { loopback, one_address, every_address };

struct Endpoint {
    std::string host;  // without brackets
    std::uint16_t port = 0;
    Family family = Family::v4;
    Reach reach = Reach::loopback;
    bool operator==(const Endpoint&) const = default;
};

// IPv4's address in IPv6's notation, ::ffff:127.0.0.1, is the IPv4 address that it stands for.
Parsed<Endpoint> parse_endpoint(std::string_view text);

// "unix:/run/service.sock"; nothing if it is one, and what is wrong with it otherwise. The kernel
// takes no path of more than 107 bytes (sun_path in unix(7)).
std::optional<Wrong> wrong_socket_path(std::string_view text);

// A numeric address and a port, a host's name and a port like localhost:8100, or a socket's path.
// As it was written.
Parsed<std::string> parse_service(std::string_view text);

// "127.0.0.1:2002", "[::1]:2002".
std::string to_text(const Endpoint& endpoint);

// Whether a client of the one may come to the other: the system lets no two sockets listen so. What
// listens at [::] is taken to be of IPv6 alone, as our own listeners are.
bool overlap(const Endpoint& one, const Endpoint& other);

// A bare address is the network of that address alone.
Parsed<Network> parse_network(std::string_view text);

Family family_of(const Network& network);

// "2100-2199", or one port alone.
Parsed<PortRange> parse_ports(std::string_view text);

}  // namespace tcplock::config
