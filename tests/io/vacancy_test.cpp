#include "io/vacancy.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <array>

namespace tcplock::io {
namespace {

tcp::endpoint loopback(std::uint16_t port) {
    return {boost::asio::ip::address_v4::loopback(), port};
}

class Vacancy : public testing::Test {
protected:
    // A port that was free a moment ago.
    std::uint16_t free_port() {
        tcp::acceptor acceptor(io_, loopback(0));
        return acceptor.local_endpoint().port();
    }

    boost::asio::io_context io_;
};

TEST_F(Vacancy, IsWhereNobodyIs) {
    EXPECT_EQ(bind_error(loopback(free_port())), std::error_code());
}

TEST_F(Vacancy, IsNotUsedUpByAsking) {
    const auto address = loopback(free_port());
    EXPECT_EQ(bind_error(address), std::error_code());
    EXPECT_EQ(bind_error(address), std::error_code());
    EXPECT_NO_THROW(tcp::acceptor(io_, address));
}

TEST_F(Vacancy, IsNotWhereSomebodyListens) {
    const tcp::acceptor stranger(io_, loopback(0));
    EXPECT_EQ(bind_error(stranger.local_endpoint()), std::errc::address_in_use);
}

TEST_F(Vacancy, IsNotWhereSomebodyListensOnAllAddresses) {
    const tcp::acceptor stranger(io_, {tcp::v4(), 0});
    EXPECT_EQ(bind_error(loopback(stranger.local_endpoint().port())), std::errc::address_in_use);
}

TEST_F(Vacancy, IsNotWhereSomebodyIsAboutToListen) {
    tcp::socket stranger(io_, tcp::v4());
    stranger.bind(loopback(0));
    EXPECT_EQ(bind_error(stranger.local_endpoint()), std::errc::address_in_use);
}

// The side that closes first lingers in TIME_WAIT (tcp(7)); a server may bind there all the same.
TEST_F(Vacancy, IsWhereOnlyTheSessionsOfAPastServerLinger) {
    tcp::endpoint address;
    {
        tcp::acceptor server(io_, loopback(0));
        address = server.local_endpoint();
        tcp::socket client(io_);
        client.connect(address);
        tcp::socket session = server.accept();
        session.shutdown(tcp::socket::shutdown_send);
        std::array<char, 1> byte;
        boost::system::error_code error;
        client.read_some(boost::asio::buffer(byte), error);
        EXPECT_EQ(error, boost::asio::error::eof);
        client.close();
        session.read_some(boost::asio::buffer(byte), error);
        EXPECT_EQ(error, boost::asio::error::eof);
    }
    EXPECT_EQ(bind_error(address), std::error_code());
}

TEST_F(Vacancy, IsToldOfIPv6Too) {
    boost::system::error_code error;
    tcp::acceptor stranger(io_);
    stranger.open(tcp::v6(), error);
    if (!error) {
        stranger.bind({boost::asio::ip::address_v6::loopback(), 0}, error);
    }
    if (error) {
        GTEST_SKIP() << "no IPv6 on this machine";
    }
    stranger.listen();
    EXPECT_EQ(bind_error(stranger.local_endpoint()), std::errc::address_in_use);
    const auto address = stranger.local_endpoint();
    stranger.close();
    EXPECT_EQ(bind_error(address), std::error_code());
}

// 192.0.2.0/24 is nobody's (RFC 5737): the error is one the backend will meet and tell itself.
TEST_F(Vacancy, IsAnotherQuestionThanWhetherTheAddressIsOurs) {
    const tcp::endpoint address(boost::asio::ip::make_address("192.0.2.1"), free_port());
    const auto error = bind_error(address);
    EXPECT_TRUE(!error || error == std::errc::address_not_available) << error.message();
}

}  // namespace
}  // namespace tcplock::io
