#include "io/socket_owner.hpp"

#include "few_descriptors.hpp"
#include "process_support.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include <vector>

namespace tcplock::io {
namespace {

using boost::asio::ip::make_address;
using boost::asio::ip::tcp;

tcp::endpoint at(const char* address, std::uint16_t port) {
    return {make_address(address), port};
}

// Samples as a little-endian machine prints them.
constexpr const char* v4_listening =
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
    "12345 1 ffff8c1b00000000 100 0 0 10 0";
constexpr const char* v4_established =
    "   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 "
    "22222 1 ffff8c1b00000000 20 4 30 10 -1";
constexpr const char* v6_listening =
    "   0: 00000000000000000000000001000000:07D2 00000000000000000000000000000000:0000 0A "
    "00000000:00000000 00:00000000 00000000     0        0 777 1 ffff8c1b00000000 100 0 0 10 0";

TEST(SocketTable, IsReadLineByLine) {
    const auto four = parse_listening_socket(v4_listening, AddressFamily::v4);
    ASSERT_TRUE(four);
    EXPECT_EQ(four->address, at("127.0.0.1", 8080));
    EXPECT_EQ(four->uid, 1000U);
    EXPECT_EQ(four->inode, 12345U);

    const auto six = parse_listening_socket(v6_listening, AddressFamily::v6);
    ASSERT_TRUE(six);
    EXPECT_EQ(six->address, at("::1", 2002));
    EXPECT_EQ(six->inode, 777U);
}

TEST(SocketTable, HasOtherLinesToo) {
    EXPECT_FALSE(parse_listening_socket(v4_established, AddressFamily::v4));
    EXPECT_FALSE(parse_listening_socket(v4_listening, AddressFamily::v6));
    EXPECT_FALSE(parse_listening_socket(v6_listening, AddressFamily::v4));
    for (const char* line : {"", "  sl  local_address rem_address   st tx_queue rx_queue tr",
                             "0: x", "0: 0100007F 0 0A", "0: 0100007F:1F90 0 0A 0 0 0 x 0 y"}) {
        EXPECT_FALSE(parse_listening_socket(line, AddressFamily::v4)) << line;
    }
}

TEST(SocketTable, CountsWildcards) {
    EXPECT_TRUE(covers(at("127.0.0.1", 1), at("127.0.0.1", 1)));
    EXPECT_TRUE(covers(at("0.0.0.0", 1), at("127.0.0.1", 1)));
    EXPECT_TRUE(covers(at("::", 1), at("127.0.0.1", 1)));
    EXPECT_TRUE(covers(at("::", 1), at("::1", 1)));
    EXPECT_TRUE(covers(at("::ffff:127.0.0.1", 1), at("127.0.0.1", 1)));
    EXPECT_TRUE(covers(at("127.0.0.1", 1), at("0.0.0.0", 1)));
    EXPECT_FALSE(covers(at("127.0.0.1", 1), at("127.0.0.1", 2)));
    EXPECT_FALSE(covers(at("127.0.0.2", 1), at("127.0.0.1", 1)));
    EXPECT_FALSE(covers(at("0.0.0.0", 1), at("::1", 1)));
    EXPECT_FALSE(covers(at("::1", 1), at("127.0.0.1", 1)));
}

class SocketOwnerTest : public ProcessTest {};

TEST_F(SocketOwnerTest, IsNobodyWhereNobodyListens) {
    tcp::acceptor bound(io_);
    bound.open(tcp::v4());
    bound.bind(at("127.0.0.1", 0));  // Ours, so nobody else takes it; but not listening.
    EXPECT_EQ(listens(bound.local_endpoint()), Listens::no);
    EXPECT_FALSE(socket_owner(bound.local_endpoint()).value());
}

TEST_F(SocketOwnerTest, IsWhoListensOnTheWildcard) {
    for (const char* address : {"0.0.0.0", "::"}) {
        tcp::acceptor acceptor(io_, at(address, 0));
        const auto owner = socket_owner(at("127.0.0.1", acceptor.local_endpoint().port())).value();
        ASSERT_TRUE(owner) << address;
        EXPECT_EQ(owner->pid, ::getpid());
        EXPECT_EQ(owner->uid, ::getuid());
    }
}

// The system gives what comes to 127.0.0.1 to whom is there, not to who has [::] for IPv6 alone.
TEST_F(SocketOwnerTest, OfAnIpv4AddressIsNotWhoListensOnIpv6Alone) {
    Running& stranger = start(probe({"listen"}));
    ASSERT_TRUE(until([&] { return stranger.has_said("\n"); }));
    const auto port = static_cast<std::uint16_t>(std::stoi(stranger.output));
    tcp::acceptor six(io_);
    six.open(tcp::v6());
    six.set_option(boost::asio::ip::v6_only(true));
    six.bind(at("::", port));
    six.listen();
    const auto self = read_stat(::getpid());
    ASSERT_TRUE(self);
    const auto owner = socket_owner_among({*self}, at("127.0.0.1", port)).value();
    ASSERT_TRUE(owner);
    EXPECT_FALSE(owner->pid);
    EXPECT_EQ(socket_owner(at("127.0.0.1", port)).value()->pid, stranger.pid);
    EXPECT_EQ(socket_owner(at("::1", port)).value()->pid, ::getpid());
}

TEST_F(SocketOwnerTest, IsNamed) {
    Running& stranger = start(probe({"listen"}));
    ASSERT_TRUE(until([&] { return stranger.has_said("\n"); }));
    const auto address = at("127.0.0.1", static_cast<std::uint16_t>(std::stoi(stranger.output)));
    EXPECT_EQ(listens(address), Listens::yes);
    const auto owner = socket_owner(address).value();
    ASSERT_TRUE(owner);
    EXPECT_EQ(owner->pid, stranger.pid);
    EXPECT_EQ(in_words(*owner), "process " + std::to_string(stranger.pid) + " (" +
                                    std::string(CHILD_PROBE) + " listen)");
    ::kill(stranger.pid, SIGKILL);
    EXPECT_TRUE(until([&] { return stranger.status.has_value(); }));
    EXPECT_EQ(listens(address), Listens::no);
}

// The table has more rows of each kind than are read at once.
TEST_F(SocketOwnerTest, IsFoundBehindManyThatListenAndManyConnections) {
    std::vector<tcp::acceptor> listening;
    std::vector<tcp::socket> connections;
    for (int i = 0; i < 100; ++i) {
        listening.emplace_back(io_, at("127.0.0.1", 0));
        connections.emplace_back(io_).connect(listening.back().local_endpoint());
        connections.emplace_back(listening.back().accept());
    }
    for (const auto& acceptor : listening) {
        EXPECT_EQ(listens(acceptor.local_endpoint()), Listens::yes);
    }
    const auto last = listening.back().local_endpoint();
    listening.pop_back();
    EXPECT_EQ(listens(last), Listens::no);
}

TEST_F(SocketOwnerTest, AmongSomeProcessesIsOneOfThemOrNoProcess) {
    const tcp::acceptor acceptor(io_, at("127.0.0.1", 0));
    const auto self = read_stat(::getpid());
    const auto parent = read_stat(::getppid());
    ASSERT_TRUE(self && parent);
    const auto found = socket_owner_among({*parent, *self}, acceptor.local_endpoint()).value();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->pid, ::getpid());
    const auto not_found = socket_owner_among({*parent}, acceptor.local_endpoint()).value();
    ASSERT_TRUE(not_found);
    EXPECT_FALSE(not_found->pid);
    EXPECT_EQ(not_found->uid, ::getuid());
}

TEST_F(SocketOwnerTest, IsNotNobodyIfWeCouldNotLook) {
    if (!may_run_out_of_descriptors) {
        GTEST_SKIP() << "the sanitizers need descriptors of their own for what they check";
    }
    tcp::acceptor acceptor(io_, at("127.0.0.1", 0));
    const FewDescriptors none(lowest_free_descriptor());
    EXPECT_EQ(listens(acceptor.local_endpoint()), Listens::could_not_look);
    EXPECT_FALSE(socket_owner(acceptor.local_endpoint()));
}

TEST(SocketOwner, IsAtLeastAUserIfNotAProcess) {
    EXPECT_EQ(in_words(SocketOwner{std::nullopt, "", 33}),
              "a process of user 33 that we may not look into");
}

}  // namespace
}  // namespace tcplock::io
