#include "daemon/kinship.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

constexpr uid_t nobody_here = 4'000'000'001;
constexpr uid_t backends_user = 4'000'000'002;

io::Member member(pid_t pid) {
    io::Member member;
    member.pid = pid;
    return member;
}

io::SocketOwner visible(pid_t pid) {
    return {pid, "serve", nobody_here};
}

io::SocketOwner hidden(uid_t user) {
    return {std::nullopt, {}, user};
}

TEST(Kinship, OfAListenerIsToldByItsPid) {
    EXPECT_TRUE(is_own(visible(17), {member(16), member(17)}, backends_user));
    EXPECT_FALSE(is_own(visible(18), {member(16), member(17)}, backends_user));
    EXPECT_FALSE(is_own(visible(18), {}, nobody_here));
}

TEST(Kinship, OfAListenerThatCannotBeSeenWasNeverDoubtedWhoeverItsUserWas) {
    EXPECT_FALSE(is_own(hidden(nobody_here), {member(::getpid())}, backends_user));
    EXPECT_TRUE(is_own(hidden(backends_user), {}, backends_user));
    EXPECT_TRUE(is_own(hidden(::getuid()), {}, backends_user));
}

// A backend may become another user by itself, as with sudo.
TEST(Kinship, OfAListenerThatCannotBeSeenIsToldByAMembersUser) {
    if (::getuid() != 0) {
        GTEST_SKIP() << "only root can run something as somebody else";
    }
    const pid_t other = ::fork();
    ASSERT_GE(other, 0);
    if (other == 0) {
        if (::setuid(nobody_here) == 0) {
            ::execl("/bin/sleep", "sleep", "60", nullptr);
        }
        ::_exit(1);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    bool is_known = false;
    while (!is_known && std::chrono::steady_clock::now() < deadline) {
        is_known = is_own(hidden(nobody_here), {member(::getpid()), member(other)}, backends_user);
    }
    EXPECT_TRUE(is_known);
    ::kill(other, SIGKILL);
    ::waitpid(other, nullptr, 0);
}

}  // namespace
}  // namespace tcplock::daemon
