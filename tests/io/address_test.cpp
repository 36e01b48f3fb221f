#include "io/address.hpp"

#include "io/own_address.hpp"

#include <gtest/gtest.h>

namespace tcplock::io {
namespace {

boost::asio::ip::address address(const char* text) {
    return boost::asio::ip::make_address(text);
}

TEST(Endpoint, IsReadAndWrittenTheSameWay) {
    for (const char* text :
         {"127.0.0.1:2002", "0.0.0.0:0", "[::1]:5", "[::]:65535", "[fd00::1:2]:80"}) {
        const auto endpoint = parse_endpoint(text);
        ASSERT_TRUE(endpoint) << text;
        EXPECT_EQ(describe(*endpoint), text);
    }
}

TEST(Endpoint, IsNotReadFromAnythingElse) {
    for (const char* text :
         {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
          "127.0.0.1: 1", "127.0.0.1:1 ", "::1:5", "[::1]", "[::1]5", "[127.0.0.1]:5", "[]:5",
          "localhost:5", "1.2.3:5", "127.0.0.1:2002x", "127.0.0.1:99999999999"}) {
        EXPECT_FALSE(parse_endpoint(text)) << text;
    }
}

TEST(Endpoint, OfAnIpv4PeerOnAnIpv6SocketIsWrittenAsIpv4) {
    EXPECT_EQ(describe(tcp::endpoint(address("::ffff:10.0.0.4"), 51234)), "10.0.0.4:51234");
}

TEST(Address, MayBeASocketInTheFileSystem) {
    for (const std::string text : {"unix:/run/office.sock", "127.0.0.1:2002", "[::1]:5"}) {
        const auto parsed = parse_address(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(describe(*parsed), text);
        EXPECT_EQ(is_in_file_system(*parsed), text.starts_with("unix:"));
    }
    EXPECT_TRUE(parse_address("unix:/" + std::string(106, 'x'))) << "107 bytes";
    for (const std::string& text : {std::string("unix:"), std::string("unix:run/office.sock"),
                                    "unix:/" + std::string(107, 'x'), std::string("localhost:5")}) {
        EXPECT_FALSE(parse_address(text)) << text;
    }
}

TEST(Allow, PermitsNobodyUnlessTold) {
    const Allow allow;
    EXPECT_FALSE(allow.permits(address("127.0.0.1")));
    EXPECT_FALSE(allow.permits(address("::1")));
}

TEST(Allow, PermitsEverybodyWhenTold) {
    const Allow allow = Allow::everybody();
    for (const char* peer : {"0.0.0.0", "255.255.255.255", "::", "fe80::1%1", "::ffff:1.2.3.4"}) {
        EXPECT_TRUE(allow.permits(address(peer))) << peer;
    }
}

TEST(Allow, PermitsLoopbackOnly) {
    const Allow allow = Allow::loopback();
    EXPECT_TRUE(allow.permits(address("127.0.0.1")));
    EXPECT_TRUE(allow.permits(address("127.200.0.1")));
    EXPECT_TRUE(allow.permits(address("::1")));
    EXPECT_TRUE(allow.permits(address("::ffff:127.0.0.1")));
    EXPECT_FALSE(allow.permits(address("128.0.0.1")));
    EXPECT_FALSE(allow.permits(address("::2")));
}

TEST(Allow, PermitsTheNetworkFromItsFirstAddressToItsLast) {
    Allow allow;
    ASSERT_TRUE(allow.add("10.1.2.3/23"));  // host bits do not matter
    EXPECT_TRUE(allow.permits(address("10.1.2.0")));
    EXPECT_TRUE(allow.permits(address("10.1.3.255")));
    EXPECT_FALSE(allow.permits(address("10.1.1.255")));
    EXPECT_FALSE(allow.permits(address("10.1.4.0")));
    EXPECT_FALSE(allow.permits(address("::10.1.2.0")));
}

TEST(Allow, TakesOneAddressAsANetworkOfOne) {
    Allow allow;
    ASSERT_TRUE(allow.add("192.168.7.7"));
    ASSERT_TRUE(allow.add("fd00::7"));
    EXPECT_TRUE(allow.permits(address("192.168.7.7")));
    EXPECT_TRUE(allow.permits(address("fd00::7")));
    EXPECT_FALSE(allow.permits(address("192.168.7.8")));
    EXPECT_FALSE(allow.permits(address("fd00::8")));
}

TEST(Allow, MatchesIpv6ByPrefixOnEveryLink) {
    Allow allow;
    ASSERT_TRUE(allow.add("fe80::/10"));
    EXPECT_TRUE(allow.permits(address("fe80::1%2")));
    EXPECT_TRUE(allow.permits(address("febf::1")));
    EXPECT_FALSE(allow.permits(address("fec0::1")));
}

TEST(Allow, TakesAMappedNetworkAsTheIpv4NetworkItIs) {
    Allow allow;
    ASSERT_TRUE(allow.add("::ffff:10.0.0.0/104"));
    EXPECT_TRUE(allow.permits(address("10.9.9.9")));
    EXPECT_TRUE(allow.permits(address("::ffff:10.9.9.9")));
    EXPECT_FALSE(allow.permits(address("11.0.0.0")));
}

TEST(Allow, IsNotReadFromAnythingElse) {
    Allow allow;
    for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
                             "10.0.0/8", "::/129", "any", "10.0.0.0/255.0.0.0"}) {
        EXPECT_FALSE(allow.add(text)) << text;
    }
    EXPECT_FALSE(allow.permits(address("10.0.0.1")));
}

TEST(OwnAddress, IsLoopbackAndWhatAnInterfaceHas) {
    const auto is_ours = [](const char* address) {
        return is_of_this_machine(boost::asio::ip::make_address(address));
    };
    EXPECT_TRUE(is_ours("127.0.0.1"));
    EXPECT_TRUE(is_ours("127.3.2.1"));
    EXPECT_TRUE(is_ours("::1"));
    // Set aside for documentation, and so nobody's.
    EXPECT_FALSE(is_ours("192.0.2.7"));
    EXPECT_FALSE(is_ours("2001:db8::7"));
}

TEST(OwnAddress, OfTheUnspecifiedOneIsWhereAConnectionToItArrives) {
    const auto reached = [](const char* address) {
        return reached_by(boost::asio::ip::make_address(address)).to_string();
    };
    EXPECT_EQ(reached("0.0.0.0"), "127.0.0.1");
    EXPECT_EQ(reached("::"), "::1");
    EXPECT_EQ(reached("192.0.2.7"), "192.0.2.7");
}

}  // namespace
}  // namespace tcplock::io
