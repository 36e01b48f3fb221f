// What is said of addresses that overlap, against what the system lets listen beside one another.

#include "config/address.hpp"
#include "daemon/passed.hpp"
#include "io/address.hpp"
#include "io/descriptor.hpp"
#include "io/reach.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <ostream>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace tcplock::daemon {
namespace {

using io::Descriptor;
using io::tcp;

struct Place {
    std::string_view address;
    bool takes_ipv4 = false;  // as well
};

std::ostream& operator<<(std::ostream& out, const Place& place) {
    return out << place.address << (place.takes_ipv4 ? " with IPv4" : "");
}

// 0, or errno: EADDRINUSE where somebody is in the way. Port 0 is any that is free.
int listen_at(const Place& place, std::uint16_t port, Descriptor& socket) {
    const tcp::endpoint where =
        *io::parse_endpoint(std::string(place.address) + ":" + std::to_string(port));
    socket = Descriptor(::socket(where.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    const int only = place.takes_ipv4 ? 0 : 1;
    const bool is_prepared =
        socket && ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (where.address().is_v4() ||
         ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0);
    const bool listens =
        is_prepared &&
        ::bind(socket.get(), where.data(), static_cast<socklen_t>(where.size())) == 0 &&
        ::listen(socket.get(), 1) == 0;
    return listens ? 0 : errno;
}

// Where the second would be, seen at a port where nobody is in its way.
bool is_said_to_overlap(const Descriptor& one, const Place& other, std::uint16_t port) {
    Descriptor elsewhere;
    EXPECT_EQ(listen_at(other, 0, elsewhere), 0);
    const auto first = io::endpoints_of(one);
    return std::ranges::any_of(io::endpoints_of(elsewhere), [&](auto would_be) {
        would_be.port(port);
        return std::ranges::any_of(first, [&would_be](const auto& is) {
            return config::overlap(as_configured(is), as_configured(would_be));
        });
    });
}

bool has_ipv6() {
    Descriptor socket;
    return listen_at({"[::1]"}, 0, socket) == 0;
}

// A port may be somebody else's where the second would be: then another shows what is so.
bool is_as_said(const Place& one, const Place& other) {
    constexpr int ports_max = 4;
    for (int tried = 0; tried < ports_max; ++tried) {
        Descriptor first;
        Descriptor second;
        EXPECT_EQ(listen_at(one, 0, first), 0) << std::strerror(errno);
        const std::uint16_t port = io::endpoints_of(first).at(0).port();
        const int error = listen_at(other, port, second);
        EXPECT_TRUE(error == 0 || error == EADDRINUSE) << std::strerror(error);
        if (is_said_to_overlap(first, other, port) == (error == EADDRINUSE)) {
            return true;
        }
    }
    return false;
}

void compare_all(const std::vector<Place>& places) {
    for (const Place& one : places) {
        for (const Place& other : places) {
            EXPECT_TRUE(is_as_said(one, other)) << one << " and then " << other;
        }
    }
}

TEST(Overlap, IsWhereTheSystemLetsNoTwoSocketsListen) {
    compare_all({{"127.0.0.1"}, {"127.0.0.2"}, {"0.0.0.0"}});
}

TEST(Overlap, IsWhereTheSystemLetsNoTwoSocketsOfIpv6Listen) {
    if (!has_ipv6()) {
        GTEST_SKIP() << "no IPv6 here";
    }
    compare_all({{"127.0.0.1"},
                 {"127.0.0.2"},
                 {"0.0.0.0"},
                 {"[::1]"},
                 {"[::1]", true},
                 {"[::]"},
                 {"[::]", true},
                 {"[::ffff:127.0.0.1]", true},
                 {"[::ffff:0.0.0.0]", true}});
}

}  // namespace
}  // namespace tcplock::daemon
