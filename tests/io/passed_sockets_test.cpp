#include "io/passed_sockets.hpp"

#include "io/address.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

namespace tcplock::io {
namespace {

// Plays the service manager: sockets from descriptor 3 on, and the variables that tell of them.
class PassedSockets : public testing::Test {
protected:
    PassedSockets() {
        for (int i = 0; i < most; ++i) {
            in_the_way_[i] = ::fcntl(first + i, F_DUPFD_CLOEXEC, 100);
            ::close(first + i);
        }
    }
    ~PassedSockets() override {
        for (const char* const name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
            ::unsetenv(name);
        }
        for (int i = 0; i < most; ++i) {
            ::close(first + i);
            if (in_the_way_[i] >= 0) {
                ::dup2(in_the_way_[i], first + i);
                ::close(in_the_way_[i]);
            }
        }
    }

    void pass(int fd) {
        ASSERT_GE(fd, 0);
        const int number = first + passed_++;
        if (fd != number) {
            ASSERT_EQ(::dup2(fd, number), number);
            ::close(fd);
        }
    }

    static int opened(int family, int type, bool is_listening) {
        const int fd = ::socket(family, type, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        sockaddr_in6 address6{};
        address6.sin6_family = AF_INET6;
        address6.sin6_addr = in6addr_loopback;
        const auto* const where = family == AF_INET6 ? reinterpret_cast<const sockaddr*>(&address6)
                                                     : reinterpret_cast<const sockaddr*>(&address);
        const socklen_t size = family == AF_INET6 ? sizeof address6 : sizeof address;
        EXPECT_EQ(::bind(fd, where, size), 0) << std::strerror(errno);
        if (is_listening) {
            EXPECT_EQ(::listen(fd, 1), 0);
        }
        return fd;
    }

    static void tell(int count, const char* names = nullptr, pid_t whom = ::getpid()) {
        ::setenv("LISTEN_PID", std::to_string(whom).c_str(), 1);
        ::setenv("LISTEN_FDS", std::to_string(count).c_str(), 1);
        if (names != nullptr) {
            ::setenv("LISTEN_FDNAMES", names, 1);
        }
    }

    static constexpr int first = 3;
    static constexpr int most = 4;

private:
    int in_the_way_[most] = {};  // what has these numbers otherwise
    int passed_ = 0;
};

TEST_F(PassedSockets, AreTakenInTheirOrderWithTheirNames) {
    pass(opened(AF_INET, SOCK_STREAM, true));
    pass(opened(AF_INET6, SOCK_STREAM, true));
    tell(2, "tcplock-supervisor.socket:inner");
    const auto passed = take_passed_sockets();
    ASSERT_EQ(passed.size(), 2U);
    EXPECT_EQ(passed[0].name, "tcplock-supervisor.socket");
    EXPECT_EQ(passed[1].name, "inner");
    EXPECT_TRUE(passed[0].address.address().is_v4());
    EXPECT_EQ(passed[1].what, describe(passed[1].address) + " (inner)");
    EXPECT_TRUE(passed[1].what.starts_with("[::1]:"));
    for (const PassedSocket& one : passed) {
        EXPECT_EQ(one.why_not, "");
        EXPECT_GT(one.address.port(), 0);
        EXPECT_TRUE(::fcntl(one.socket.get(), F_GETFD) & FD_CLOEXEC);
        EXPECT_TRUE(::fcntl(one.socket.get(), F_GETFL) & O_NONBLOCK);
    }
}

TEST_F(PassedSockets, NeedNoNames) {
    pass(opened(AF_INET, SOCK_STREAM, true));
    tell(1);
    const auto passed = take_passed_sockets();
    ASSERT_EQ(passed.size(), 1U);
    EXPECT_EQ(passed[0].name, "");
    EXPECT_EQ(passed[0].what, describe(passed[0].address));
}

TEST_F(PassedSockets, AreLeftAloneIfSomebodyElseIsMeant) {
    pass(opened(AF_INET, SOCK_STREAM, true));
    tell(1, nullptr, ::getppid());
    EXPECT_TRUE(take_passed_sockets().empty());
    EXPECT_FALSE(::fcntl(first, F_GETFD) & FD_CLOEXEC);
    ::unsetenv("LISTEN_PID");
    EXPECT_TRUE(take_passed_sockets().empty());
}

TEST_F(PassedSockets, AreNoneIfTheirNumberIsNone) {
    pass(opened(AF_INET, SOCK_STREAM, true));
    tell(1);
    for (const char* const text : {"", "0", "-1", "1x", "99999999999"}) {
        ::setenv("LISTEN_FDS", text, 1);
        EXPECT_TRUE(take_passed_sockets().empty()) << text;
    }
    ::unsetenv("LISTEN_FDS");
    EXPECT_TRUE(take_passed_sockets().empty());
}

TEST_F(PassedSockets, ThatAreFewerThanToldAreNamed) {
    pass(opened(AF_INET, SOCK_STREAM, true));
    tell(2'000'000'000);
    const auto passed = take_passed_sockets();
    ASSERT_EQ(passed.size(), 2U) << "one that is missing is enough";
    EXPECT_EQ(passed[0].why_not, "");
    EXPECT_EQ(passed[1].what, "descriptor 4");
    EXPECT_EQ(passed[1].why_not, "is not open, expected as many sockets as LISTEN_FDS says");
    EXPECT_EQ(passed[0].no_socket, "");
    EXPECT_EQ(passed[1].no_socket, "is not open");
}

TEST_F(PassedSockets, FromWhichNoClientCanBeAcceptedAreNamed) {
    pass(opened(AF_INET, SOCK_DGRAM, false));
    pass(opened(AF_INET, SOCK_STREAM, false));
    pass(::open("/dev/null", O_RDWR));
    tell(3, "a:b:c");
    const auto passed = take_passed_sockets();
    ASSERT_EQ(passed.size(), 3U);
    EXPECT_EQ(passed[0].why_not,
              "is no socket of TCP, expected ListenStream= with an address and a port");
    EXPECT_TRUE(passed[0].what.starts_with("127.0.0.1:"));
    EXPECT_EQ(passed[1].why_not,
              "does not listen, it is one client's connection perhaps, expected Accept=no");
    EXPECT_EQ(passed[2].what, "descriptor 5 (c)");
    EXPECT_EQ(passed[2].why_not,
              "is no socket, expected one of TCP: ListenStream= with an address and a port");
    EXPECT_EQ(passed[0].no_socket, "");
    EXPECT_EQ(passed[1].no_socket, "");
    EXPECT_EQ(passed[2].no_socket, "is no socket");
}

TEST_F(PassedSockets, InTheFileSystemAreNamed) {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = testing::TempDir() + "passed-" + std::to_string(::getpid());
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(fd, 1), 0);
    ::unlink(path.c_str());
    pass(fd);
    tell(1);
    const auto passed = take_passed_sockets();
    ASSERT_EQ(passed.size(), 1U);
    EXPECT_EQ(passed[0].what, "unix:" + path);
    EXPECT_EQ(passed[0].why_not,
              "is no socket of TCP, expected ListenStream= with an address and a port");
}

}  // namespace
}  // namespace tcplock::io
