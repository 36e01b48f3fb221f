#include "io/address.hpp"

#include "io/unix_socket.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <sys/un.h>

namespace tcplock::io {
namespace {

namespace ip = boost::asio::ip;

constexpr std::string_view unix_prefix = "unix:";

std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
    unsigned value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value > max) {
        return std::nullopt;
    }
    return value;
}

std::optional<ip::address> parse_host(std::string_view text) {
    boost::system::error_code error;
    const auto address = ip::make_address(text, error);
    if (error) {
        return std::nullopt;
    }
    return address;
}

bool is_mapped(const ip::address& address) {
    return address.is_v6() && address.to_v6().is_v4_mapped();
}

// Without the scope: "fe80::/10" means every link.
ip::network_v6 network_of(const ip::address_v6& address, unsigned short prefix) {
    return ip::network_v6(ip::address_v6(address.to_bytes()), prefix);
}

}  // namespace

ip::address unmapped(const ip::address& address) {
    if (is_mapped(address)) {
        return ip::make_address_v4(ip::v4_mapped, address.to_v6());
    }
    return address;
}

std::optional<tcp::endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    const auto address = parse_host(host);
    const auto port = parse_number(text.substr(colon + 1), 65535);
    if (!address || !port || address->is_v6() != bracketed) {
        return std::nullopt;
    }
    return tcp::endpoint(*address, static_cast<std::uint16_t>(*port));
}

std::optional<Endpoint> parse_address(std::string_view text) {
    if (text.starts_with(unix_prefix)) {
        return unix_endpoint(text.substr(unix_prefix.size()));
    }
    const auto endpoint = parse_endpoint(text);
    return endpoint ? std::optional<Endpoint>(*endpoint) : std::nullopt;
}

tcp::endpoint as_tcp(const Endpoint& endpoint) {
    tcp::endpoint out;
    out.resize(endpoint.size());
    std::memcpy(out.data(), endpoint.data(), endpoint.size());
    return out;
}

std::string path_of(const Endpoint& endpoint) {
    if (!is_in_file_system(endpoint)) {
        return {};
    }
    constexpr std::size_t begin = offsetof(sockaddr_un, sun_path);
    sockaddr_un address{};
    std::memcpy(&address, endpoint.data(), std::min(endpoint.size(), sizeof address));
    const std::size_t room = std::max(endpoint.size(), begin) - begin;
    return {address.sun_path, ::strnlen(address.sun_path, room)};
}

std::string describe(const Endpoint& where) {
    if (is_in_file_system(where)) {
        return std::string(unix_prefix) + path_of(where);
    }
    const tcp::endpoint endpoint = as_tcp(where);
    const auto address = unmapped(endpoint.address());
    const auto port = std::to_string(endpoint.port());
    if (address.is_v6()) {
        return "[" + address.to_string() + "]:" + port;
    }
    return address.to_string() + ":" + port;
}

Allow Allow::everybody() {
    Allow allow;
    allow.v4_.emplace_back(ip::address_v4::any(), std::uint16_t{0});
    allow.v6_.emplace_back(ip::address_v6::any(), std::uint16_t{0});
    return allow;
}

Allow Allow::loopback() {
    Allow allow;
    allow.v4_.emplace_back(ip::address_v4::loopback(), std::uint16_t{8});
    allow.v6_.emplace_back(ip::address_v6::loopback(), std::uint16_t{128});
    return allow;
}

bool Allow::add(std::string_view network) {
    const auto slash = network.find('/');
    const auto address = parse_host(network.substr(0, slash));
    if (!address) {
        return false;
    }
    const unsigned longest = address->is_v4() ? 32 : 128;
    unsigned prefix = longest;
    if (slash != std::string_view::npos) {
        const auto length = parse_number(network.substr(slash + 1), longest);
        if (!length) {
            return false;
        }
        prefix = *length;
    }
    constexpr unsigned mapped_prefix = 96;  // of ::ffff:0:0/96, RFC 4291
    if (address->is_v4()) {
        v4_.emplace_back(address->to_v4(), static_cast<std::uint16_t>(prefix));
    } else if (is_mapped(*address) && prefix >= mapped_prefix) {
        v4_.emplace_back(unmapped(*address).to_v4(),
                         static_cast<std::uint16_t>(prefix - mapped_prefix));
    } else {
        v6_.push_back(network_of(address->to_v6(), static_cast<std::uint16_t>(prefix)));
    }
    return true;
}

bool Allow::permits(const ip::address& peer) const {
    const auto address = unmapped(peer);
    if (address.is_v4()) {
        return std::ranges::any_of(v4_, [&](const ip::network_v4& network) {
            return ip::network_v4(address.to_v4(), network.prefix_length()).canonical() ==
                   network.canonical();
        });
    }
    return std::ranges::any_of(v6_, [&](const ip::network_v6& network) {
        return network_of(address.to_v6(), network.prefix_length()).canonical() ==
               network.canonical();
    });
}

}  // namespace tcplock::io
