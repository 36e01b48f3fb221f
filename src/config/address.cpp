#include "config/address.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>

namespace tcplock::config {
namespace {

struct Address {
    Family family = Family::v4;
    std::array<unsigned char, 16> bytes{};

    std::size_t size() const { return family == Family::v4 ? 4 : 16; }
    unsigned bits() const { return family == Family::v4 ? 32 : 128; }
    bool operator==(const Address&) const = default;
};

std::optional<Address> parse_address(std::string_view text) {
    const std::string terminated{text};
    Address address;
    address.family = text.find(':') == std::string_view::npos ? Family::v4 : Family::v6;
    const int domain = address.family == Family::v4 ? AF_INET : AF_INET6;
    // A NUL inside would end the text early for inet_pton.
    if (text.find('\0') != std::string_view::npos ||
        inet_pton(domain, terminated.c_str(), address.bytes.data()) != 1) {
        return std::nullopt;
    }
    return address;
}

std::string to_text(const Address& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int domain = address.family == Family::v4 ? AF_INET : AF_INET6;
    inet_ntop(domain, address.bytes.data(), text.data(), text.size());
    return text.data();
}

// IPv4's own address for one in IPv6's notation.
Address unmapped(const Address& address) {
    constexpr std::size_t prefix = 12;
    constexpr std::array<unsigned char, prefix> of_ipv4{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (address.family == Family::v4 ||
        !std::equal(of_ipv4.begin(), of_ipv4.end(), address.bytes.begin())) {
        return address;
    }
    Address plain{Family::v4, {}};
    std::copy(address.bytes.begin() + prefix, address.bytes.end(), plain.bytes.begin());
    return plain;
}

Reach reach_of(const Address& address) {
    if (address == Address{address.family, {}}) {
        return Reach::every_address;
    }
    if (address.family == Family::v4) {
        return address.bytes[0] == 127 ? Reach::loopback : Reach::one_address;
    }
    Address loopback{Family::v6, {}};
    loopback.bytes.back() = 1;
    return address == loopback ? Reach::loopback : Reach::one_address;
}

std::optional<unsigned> parse_number(std::string_view text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
    const auto value = parse_number(text);
    if (!value || *value == 0 || *value > 65535) {
        return std::nullopt;
    }
    return static_cast<std::uint16_t>(*value);
}

// As in DNS. Digits and dots alone would be an address, and a wrong one.
bool is_host_name(std::string_view text) {
    constexpr std::size_t longest = 253;
    const auto may_be_in_name = [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_';
    };
    const auto is_letter = [](unsigned char c) { return std::isalpha(c) != 0; };
    return text.size() <= longest && std::ranges::all_of(text, may_be_in_name) &&
           std::ranges::any_of(text, is_letter) && text.front() != '-';
}

Address masked(Address address, unsigned prefix) {
    for (std::size_t i = 0; i < address.size(); ++i) {
        const unsigned first_bit = static_cast<unsigned>(i) * 8;
        const unsigned kept = prefix > first_bit ? std::min(prefix - first_bit, 8U) : 0;
        address.bytes[i] &= static_cast<unsigned char>(0xffU << (8 - kept));
    }
    return address;
}

}  // namespace

Parsed<Endpoint> parse_endpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || text.ends_with(']')) {
        return wrong(text, "has no port", expected_endpoint);
    }
    std::string_view host = text.substr(0, colon);
    const bool is_bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (is_bracketed) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return wrong(text, "is an IPv6 address without brackets", expected_endpoint);
    }
    const auto address = parse_address(host);
    if (!address || is_bracketed != (address->family == Family::v6)) {
        return wrong(text, "does not begin with a numeric address", expected_endpoint);
    }
    const auto port = parse_port(text.substr(colon + 1));
    if (!port) {
        return wrong(text, "has no possible port", "a port from 1 to 65535");
    }
    const Address plain = unmapped(*address);
    return Endpoint{to_text(plain), *port, plain.family, reach_of(plain)};
}

std::optional<Wrong> wrong_socket_path(std::string_view text) {
    constexpr std::size_t longest = 107;
    const std::string_view path = text.substr(unix_prefix.size());
    if (!path.starts_with('/')) {
        return wrong(text, "has no absolute path", "one like unix:/run/service.sock");
    }
    if (path.size() > longest) {
        return wrong(text, "is too long by " + std::to_string(path.size() - longest) + " bytes",
                     "a path of at most 107 bytes");
    }
    return std::nullopt;
}

Parsed<std::string> parse_service(std::string_view text) {
    if (text.starts_with(unix_prefix)) {
        if (auto problem = wrong_socket_path(text)) {
            return std::move(*problem);
        }
        return std::string{text};
    }
    const auto numeric = parse_endpoint(text);
    if (std::holds_alternative<Endpoint>(numeric)) {
        return to_text(std::get<Endpoint>(numeric));
    }
    const std::size_t colon = text.rfind(':');
    const std::string_view host = text.substr(0, colon);
    if (colon == std::string_view::npos || !is_host_name(host)) {
        return wrong(text, "is not the address of a service", expected_service);
    }
    if (!parse_port(text.substr(colon + 1))) {
        return wrong(text, "has no possible port", "a port from 1 to 65535");
    }
    return std::string{text};
}

std::string to_text(const Endpoint& endpoint) {
    const std::string port = std::to_string(endpoint.port);
    return endpoint.family == Family::v6 ? "[" + endpoint.host + "]:" + port
                                         : endpoint.host + ":" + port;
}

bool overlap(const Endpoint& one, const Endpoint& other) {
    const bool is_one_of_all =
        one.reach == Reach::every_address || other.reach == Reach::every_address;
    return one.port == other.port && one.family == other.family &&
           (one.host == other.host || is_one_of_all);
}

Parsed<Network> parse_network(std::string_view text) {
    const std::size_t slash = std::min(text.find('/'), text.size());
    const auto address = parse_address(text.substr(0, slash));
    if (!address) {
        return wrong(text, "is not a network", expected_network);
    }
    unsigned prefix = address->bits();
    if (slash < text.size()) {
        const auto written = parse_number(text.substr(slash + 1));
        if (!written || *written > address->bits()) {
            return wrong(text, "has an impossible prefix",
                         "a number from 0 to " + std::to_string(address->bits()) + " after the /");
        }
        prefix = *written;
    }
    const Address network = masked(*address, prefix);
    const std::string usual = to_text(network) + "/" + std::to_string(prefix);
    if (network != *address) {
        return wrong(text, "has bits set beyond its prefix", usual);
    }
    return Network{usual};
}

Family family_of(const Network& network) {
    return network.text.find(':') == std::string::npos ? Family::v4 : Family::v6;
}

Parsed<PortRange> parse_ports(std::string_view text) {
    const std::size_t dash = std::min(text.find('-'), text.size());
    const auto first = parse_port(text.substr(0, dash));
    const auto last = dash == text.size() ? first : parse_port(text.substr(dash + 1));
    if (!first || !last) {
        return wrong(text, "is not a range of ports", "ports from 1 to 65535 like 2100-2199");
    }
    if (*first > *last) {
        return wrong(text, "runs backwards", std::to_string(*last) + "-" + std::to_string(*first));
    }
    return PortRange{*first, *last};
}

}  // namespace tcplock::config
