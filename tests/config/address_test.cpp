#include "config/address.hpp"

#include <gtest/gtest.h>

namespace tcplock::config {
namespace {

template <class T>
std::string refusal(const Parsed<T>& parsed) {
    const auto* const wrong = std::get_if<Wrong>(&parsed);
    return wrong == nullptr ? "" : wrong->message;
}

Endpoint endpoint(std::string_view text) {
    const auto parsed = parse_endpoint(text);
    EXPECT_EQ(refusal(parsed), "");
    const auto* const value = std::get_if<Endpoint>(&parsed);
    return value == nullptr ? Endpoint{} : *value;
}

std::string network(std::string_view text) {
    const auto parsed = parse_network(text);
    const auto* const value = std::get_if<Network>(&parsed);
    return value == nullptr ? refusal(parsed) : value->text;
}

TEST(Endpoint, IsANumericAddressAndAPort) {
    EXPECT_EQ(to_text(endpoint("127.0.0.1:2002")), "127.0.0.1:2002");
    EXPECT_EQ(to_text(endpoint("[::]:2002")), "[::]:2002");
    EXPECT_EQ(to_text(endpoint("[0:0::0:1]:65535")), "[::1]:65535");
}

TEST(Endpoint, KnowsWhoReachesIt) {
    EXPECT_EQ(endpoint("127.0.0.1:1").reach, Reach::loopback);
    EXPECT_EQ(endpoint("127.9.9.9:1").reach, Reach::loopback);
    EXPECT_EQ(endpoint("[::1]:1").reach, Reach::loopback);
    EXPECT_EQ(endpoint("0.0.0.0:1").reach, Reach::every_address);
    EXPECT_EQ(endpoint("[::]:1").reach, Reach::every_address);
    EXPECT_EQ(endpoint("10.0.0.1:1").reach, Reach::one_address);
    EXPECT_EQ(endpoint("[fe80::1]:1").reach, Reach::one_address);
    EXPECT_EQ(endpoint("[::ffff:127.0.0.1]:1").reach, Reach::loopback);
}

TEST(Endpoint, OfIpv4InIpv6sNotationIsOfIpv4) {
    EXPECT_EQ(to_text(endpoint("[::ffff:127.0.0.1]:2002")), "127.0.0.1:2002");
    EXPECT_EQ(to_text(endpoint("[::ffff:0:0]:2002")), "0.0.0.0:2002");
    EXPECT_EQ(to_text(endpoint("[::127.0.0.1]:2002")), "[::127.0.0.1]:2002");
    EXPECT_EQ(endpoint("[::ffff:10.0.0.1]:2002"), endpoint("10.0.0.1:2002"));
}

TEST(Endpoint, OverlapsWhereAClientOfTheOneMayComeToTheOther) {
    const auto overlaps = [](std::string_view one, std::string_view other) {
        EXPECT_EQ(overlap(endpoint(one), endpoint(other)), overlap(endpoint(other), endpoint(one)));
        return overlap(endpoint(one), endpoint(other));
    };
    EXPECT_TRUE(overlaps("127.0.0.1:7", "127.0.0.1:7"));
    EXPECT_TRUE(overlaps("127.0.0.1:7", "0.0.0.0:7"));
    EXPECT_TRUE(overlaps("127.0.0.1:7", "[::ffff:127.0.0.1]:7"));
    EXPECT_TRUE(overlaps("[::]:7", "[0:0:0:0:0:0:0:1]:7"));
    EXPECT_FALSE(overlaps("127.0.0.1:7", "127.0.0.2:7"));
    EXPECT_FALSE(overlaps("127.0.0.1:7", "0.0.0.0:8"));
    EXPECT_FALSE(overlaps("127.0.0.1:7", "[::]:7"));
    EXPECT_FALSE(overlaps("0.0.0.0:7", "[::]:7"));
}

TEST(Endpoint, IsNamedWhenWrong) {
    const std::string form =
        ", expected a numeric address and a port like 127.0.0.1:2002 or [::1]:2002";
    EXPECT_EQ(refusal(parse_endpoint("127.0.0.1")), "\"127.0.0.1\" has no port" + form);
    EXPECT_EQ(refusal(parse_endpoint("[::1]")), "\"[::1]\" has no port" + form);
    EXPECT_EQ(refusal(parse_endpoint("")), "\"\" has no port" + form);
    EXPECT_EQ(refusal(parse_endpoint("::1:2002")),
              "\"::1:2002\" is an IPv6 address without brackets" + form);
    EXPECT_EQ(refusal(parse_endpoint("localhost:2002")),
              "\"localhost:2002\" does not begin with a numeric address" + form);
    for (const char* text : {"[127.0.0.1]:1", "127.1:1", ":1", "[]:1", "256.0.0.1:1", "1.2.3.4.5:1",
                             "[::1%lo]:1", "[::1]x:1", "0x7f.0.0.1:1"}) {
        EXPECT_NE(refusal(parse_endpoint(text)), "") << text;
    }
    for (const char* port : {"0", "65536", "", "http", "-1", "+1", "1 ", "99999999999"}) {
        const std::string text = "127.0.0.1:" + std::string{port};
        EXPECT_EQ(refusal(parse_endpoint(text)),
                  "\"" + text + "\" has no possible port, expected a port from 1 to 65535");
    }
}

TEST(NetworkText, IsBroughtIntoItsUsualNotation) {
    EXPECT_EQ(network("10.0.0.0/8"), "10.0.0.0/8");
    EXPECT_EQ(network("192.168.1.7"), "192.168.1.7/32");
    EXPECT_EQ(network("0.0.0.0/0"), "0.0.0.0/0");
    EXPECT_EQ(network("::/0"), "::/0");
    EXPECT_EQ(network("FD00:0::/8"), "fd00::/8");
    EXPECT_EQ(network("::1"), "::1/128");
    EXPECT_EQ(network("10.1.2.128/25"), "10.1.2.128/25");
}

TEST(NetworkText, NamesTheNetworkThatWasMeant) {
    EXPECT_EQ(network("10.0.0.1/8"),
              "\"10.0.0.1/8\" has bits set beyond its prefix, expected 10.0.0.0/8");
    EXPECT_EQ(network("10.1.2.129/25"),
              "\"10.1.2.129/25\" has bits set beyond its prefix, expected 10.1.2.128/25");
    EXPECT_EQ(network("fd00::1/8"),
              "\"fd00::1/8\" has bits set beyond its prefix, expected fd00::/8");
    EXPECT_EQ(network("1.2.3.4/0"),
              "\"1.2.3.4/0\" has bits set beyond its prefix, expected 0.0.0.0/0");
}

TEST(NetworkText, IsNamedWhenWrong) {
    EXPECT_EQ(
        network("10.0.0.0/33"),
        "\"10.0.0.0/33\" has an impossible prefix, expected a number from 0 to 32 after the /");
    EXPECT_EQ(network("::/129"),
              "\"::/129\" has an impossible prefix, expected a number from 0 to 128 after the /");
    EXPECT_EQ(network("10.0.0.0/"),
              "\"10.0.0.0/\" has an impossible prefix, expected a number from 0 to 32 after the /");
    EXPECT_EQ(network("office"),
              "\"office\" is not a network, expected a network or an address like 10.0.0.0/8, "
              "192.168.1.7 or fd00::/8");
    EXPECT_NE(network("10.0.0/8"), "10.0.0.0/8");
}

TEST(PortRangeText, IsOnePortOrTwo) {
    const auto both = std::get<PortRange>(parse_ports("2100-2199"));
    EXPECT_EQ(both.first, 2100);
    EXPECT_EQ(both.last, 2199);
    const auto one = std::get<PortRange>(parse_ports("7"));
    EXPECT_EQ(one.first, 7);
    EXPECT_EQ(one.last, 7);
}

TEST(PortRangeText, IsNamedWhenWrong) {
    EXPECT_EQ(refusal(parse_ports("2199-2100")),
              "\"2199-2100\" runs backwards, expected 2100-2199");
    for (const char* text : {"", "-", "0-5", "1-65536", "1-", "-1", "1-2-3", "1 - 2", "any"}) {
        EXPECT_EQ(refusal(parse_ports(text)),
                  "\"" + std::string{text} +
                      "\" is not a range of ports, expected ports from 1 to 65535 like 2100-2199");
    }
}

}  // namespace
}  // namespace tcplock::config
