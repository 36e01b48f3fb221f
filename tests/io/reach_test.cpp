#include "io/reach.hpp"

#include "io/address.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace tcplock::io {
namespace {

tcp::endpoint at(std::string_view text) {
    return *parse_endpoint(text);
}

// Of a listener at any port of that address, written with port 0.
std::vector<std::string> endpoints_at(std::string_view address, bool is_ipv6_only = true) {
    const tcp::endpoint where = at(address);
    const Descriptor socket(::socket(where.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int value = is_ipv6_only ? 1 : 0;
    if (where.address().is_v6()) {
        EXPECT_EQ(::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &value, sizeof value), 0);
    }
    EXPECT_EQ(::bind(socket.get(), where.data(), static_cast<socklen_t>(where.size())), 0);
    EXPECT_EQ(::listen(socket.get(), 1), 0);
    std::vector<std::string> all;
    for (tcp::endpoint endpoint : endpoints_of(socket)) {
        EXPECT_GT(endpoint.port(), 0);
        endpoint.port(0);
        all.push_back(describe(endpoint));
        EXPECT_EQ(endpoint.address().is_v4(), !all.back().starts_with('['));
    }
    return all;
}

TEST(Reach, IsOneAddressAsARule) {
    using Texts = std::vector<std::string>;
    EXPECT_EQ(endpoints_at("127.0.0.1:0"), Texts{"127.0.0.1:0"});
    EXPECT_EQ(endpoints_at("0.0.0.0:0"), Texts{"0.0.0.0:0"});
    EXPECT_EQ(endpoints_at("[::1]:0"), Texts{"[::1]:0"});
    EXPECT_EQ(endpoints_at("[::1]:0", false), Texts{"[::1]:0"});
    EXPECT_EQ(endpoints_at("[::]:0"), Texts{"[::]:0"});
    EXPECT_EQ(endpoints_at("[::ffff:127.0.0.1]:0", false), Texts{"127.0.0.1:0"});
}

TEST(Reach, IsTwoWhereIpv6TakesIpv4AsWell) {
    EXPECT_EQ(endpoints_at("[::]:0", false), (std::vector<std::string>{"[::]:0", "0.0.0.0:0"}));
}

TEST(Reach, IsNowhereWithoutIp) {
    EXPECT_TRUE(endpoints_of(Descriptor()).empty());
    EXPECT_TRUE(endpoints_of(Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0))).empty());
}

TEST(Reach, LeadsToWhereAConnectionArrives) {
    const auto leads = [](std::string_view address, std::string_view gate) {
        return leads_to(at(address), at(gate));
    };
    EXPECT_TRUE(leads("127.0.0.1:7", "127.0.0.1:7"));
    EXPECT_TRUE(leads("127.0.0.2:7", "0.0.0.0:7"));
    EXPECT_TRUE(leads("0.0.0.0:7", "127.0.0.1:7"));
    EXPECT_TRUE(leads("[::ffff:127.0.0.1]:7", "0.0.0.0:7"));
    EXPECT_TRUE(leads("[::1]:7", "[::]:7"));
    EXPECT_FALSE(leads("127.0.0.1:7", "127.0.0.2:7"));
    EXPECT_FALSE(leads("127.0.0.1:7", "127.0.0.1:8"));
    EXPECT_FALSE(leads("127.0.0.1:7", "[::]:7"));
    EXPECT_FALSE(leads("192.0.2.1:7", "0.0.0.0:7")) << "another machine (RFC 5737)";
}

}  // namespace
}  // namespace tcplock::io
