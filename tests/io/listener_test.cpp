#include "io/listener.hpp"

#include "few_descriptors.hpp"
#include "io/address.hpp"
#include "loopback.hpp"

#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <netinet/tcp.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

// What accept4 fails with; 0 lets the system answer.
int accept_error = 0;
int accept_calls = 0;
int accepts_that_would_block = 0;

}  // namespace

// Takes the place of the C library's, so that accepting can fail in every way the manual knows.
extern "C" int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
    ++accept_calls;
    if ((::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0) {
        ++accepts_that_would_block;  // It does not, so that the test comes to an end.
        errno = EAGAIN;
        return -1;
    }
    if (accept_error != 0) {
        errno = accept_error;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_accept4, fd, address, size, flags));
}

namespace tcplock::io {
namespace {

using namespace std::chrono_literals;
using test::any_port;

// A blocking client without Asio, so that it may live in a thread of its own.
Descriptor connect_to(const tcp::endpoint& address) {
    Descriptor client(::socket(address.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (client &&
        ::connect(client.get(), address.data(), static_cast<socklen_t>(address.size())) < 0) {
        client.close();
    }
    return client;
}

int option(const Descriptor& socket, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    EXPECT_EQ(::getsockopt(socket.get(), level, name, &value, &size), 0);
    return value;
}

Descriptor opened_by_somebody_else() {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const tcp::endpoint address = any_port();
    EXPECT_EQ(::bind(socket.get(), address.data(), static_cast<socklen_t>(address.size())), 0);
    EXPECT_EQ(::listen(socket.get(), 100), 0);
    return socket;
}

// In all of this process' sets (proc(5)).
std::size_t descriptors_watched() {
    std::size_t count = 0;
    std::error_code ignored;
    for (const auto& set : std::filesystem::directory_iterator("/proc/self/fd")) {
        if (std::filesystem::read_symlink(set, ignored) != "anon_inode:[eventpoll]") {
            continue;
        }
        std::ifstream watched("/proc/self/fdinfo/" + set.path().filename().string());
        for (std::string line; std::getline(watched, line);) {
            count += line.starts_with("tfd:") ? 1 : 0;
        }
    }
    return count;
}

class Listening : public test::Loopback {
protected:
    Listening() { tasks.spawn("watcher", watcher.run()); }
    ~Listening() override {
        if (listener) {
            listener->close();
        }
        watcher.close();
        run_until([this] { return tasks.size() == 0; });
    }

    // More often than anything needs that does not wait for time to pass.
    void settle_often() {
        for (int turn = 0; turn < 10; ++turn) {
            settle();
        }
    }

    Listener& listen(const tcp::endpoint& address = any_port()) { return listen_over(address); }

    // An address, or a socket.
    template <class Over>
    Listener& listen_over(Over over) {
        listener = std::make_unique<Listener>(
            context.get_executor(), watcher, std::move(over),
            Listener::Callbacks{[this](Descriptor client, tcp::endpoint peer) {
                                    clients.push_back(std::move(client));
                                    peers.push_back(peer);
                                    if (on_accepted) {
                                        on_accepted();
                                    }
                                },
                                [this](std::error_code error) { complaints.push_back(error); }});
        return *listener;
    }

    Watcher watcher{context.get_executor()};
    std::unique_ptr<Listener> listener;
    std::vector<Descriptor> clients;
    std::vector<tcp::endpoint> peers;
    std::vector<std::error_code> complaints;
    std::function<void()> on_accepted;
};

TEST_F(Listening, HandsOverClientsInTheOrderTheyConnected) {
    listen();
    std::vector<Descriptor> callers;
    std::vector<tcp::endpoint> expected;
    for (int i = 0; i < 100; ++i) {
        callers.push_back(connect_to(listener->local_endpoint()));
        tcp::endpoint local;
        auto size = static_cast<socklen_t>(local.capacity());
        ASSERT_EQ(::getsockname(callers.back().get(), local.data(), &size), 0);
        expected.push_back(local);
    }
    listener->start();
    ASSERT_TRUE(run_until([&] { return clients.size() == 100; }));
    EXPECT_EQ(peers, expected);
}

TEST_F(Listening, GivesOthersTheirTurnWhileManyCome) {
    listen();
    std::vector<Descriptor> callers;
    for (int i = 0; i < 40; ++i) {
        callers.push_back(connect_to(listener->local_endpoint()));
    }
    listener->start();
    std::size_t steps = 0;
    while (clients.size() < 40 && ++steps < 100) {
        const std::size_t before = clients.size();
        context.restart();
        context.run_one_for(100ms);
        EXPECT_LE(clients.size() - before, 16U);
    }
    EXPECT_EQ(clients.size(), 40U);
}

TEST_F(Listening, SetsWhatAClientsSocketNeeds) {
    listen();
    const Descriptor caller = connect_to(listener->local_endpoint());
    listener->start();
    ASSERT_TRUE(run_until([&] { return clients.size() == 1; }));
    const Descriptor& client = clients.front();
    EXPECT_TRUE(::fcntl(client.get(), F_GETFD) & FD_CLOEXEC);
    EXPECT_TRUE(::fcntl(client.get(), F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(option(client, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(client, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(client, IPPROTO_TCP, TCP_KEEPINTVL), 5);
    EXPECT_EQ(option(client, IPPROTO_TCP, TCP_KEEPCNT), 6);
}

TEST_F(Listening, AsksThoseWhoCameTogetherForASignOfLifeAtDifferentTimes) {
    constexpr std::size_t together = 90;
    listen();
    std::vector<Descriptor> callers;
    while (callers.size() < together) {
        callers.push_back(connect_to(listener->local_endpoint()));
    }
    listener->start();
    ASSERT_TRUE(run_until([&] { return clients.size() == together; }));
    std::map<int, std::size_t> asked_after;
    for (const Descriptor& client : clients) {
        ++asked_after[option(client, IPPROTO_TCP, TCP_KEEPIDLE)];
    }
    EXPECT_GE(asked_after.begin()->first, 20);
    EXPECT_LT(asked_after.rbegin()->first, 50);
    for (const auto& [seconds, count] : asked_after) {
        EXPECT_EQ(count, together / 30) << seconds;
    }
}

TEST_F(Listening, NamesTheAddressThatIsTaken) {
    const auto taken = listen().local_endpoint();
    try {
        const Listener second(context.get_executor(), watcher, taken, {});
        FAIL() << "two listeners on one address";
    } catch (const std::system_error& error) {
        EXPECT_EQ(std::string(error.what()),
                  "cannot listen on " + describe(taken) + ": Address already in use");
    }
}

TEST_F(Listening, OnIpv6LeavesTheSamePortOfIpv4Free) {
    try {
        listen({boost::asio::ip::address_v6::any(), 0});
    } catch (const std::system_error& error) {
        GTEST_SKIP() << "no IPv6 here: " << error.what();
    }
    const auto port = listener->local_endpoint().port();
    const tcp::endpoint same_port(boost::asio::ip::address_v4::any(), port);
    EXPECT_NO_THROW(Listener(context.get_executor(), watcher, same_port, {}));
    listener->start();
    const Descriptor caller = connect_to({boost::asio::ip::address_v6::loopback(), port});
    ASSERT_TRUE(run_until([&] { return clients.size() == 1; }));
    EXPECT_TRUE(describe(peers.front()).starts_with("[::1]:"));
}

TEST_F(Listening, PausesWhenTheSystemHasNothingLeftAndGoesOn) {
    for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
        clients.clear();
        complaints.clear();
        listen();
        listener->start();
        const Descriptor caller = connect_to(listener->local_endpoint());
        accept_error = error;
        accept_calls = 0;
        const auto began = std::chrono::steady_clock::now();
        EXPECT_TRUE(run_until([] { return accept_calls >= 4; })) << "it must try again";
        // Three pauses lie between four.
        EXPECT_GE(std::chrono::steady_clock::now() - began, 290ms) << "it must not spin";
        accept_error = 0;
        EXPECT_TRUE(clients.empty());
        ASSERT_EQ(complaints.size(), 1U) << "once a minute";
        EXPECT_EQ(complaints.front().value(), error);
        EXPECT_TRUE(run_until([&] { return clients.size() == 1; }));
        listener->close();
    }
}

TEST_F(Listening, PassesOverWhoDidNotMakeIt) {
    for (const int error : {ECONNABORTED, EINTR, EPROTO, EPERM, ENETUNREACH}) {
        clients.clear();
        listen();
        listener->start();
        const Descriptor caller = connect_to(listener->local_endpoint());
        accept_error = error;
        accept_calls = 0;
        EXPECT_TRUE(run_until([] { return accept_calls > 0; }));
        accept_error = 0;
        settle_often();
        EXPECT_EQ(clients.size(), 1U) << "without a pause";
        listener->close();
    }
    EXPECT_TRUE(complaints.empty());
}

TEST_F(Listening, SurvivesARealLackOfDescriptors) {
    if (!may_run_out_of_descriptors) {
        GTEST_SKIP() << "the sanitizers need descriptors of their own for what they check";
    }
    listen();
    listener->start();
    const Descriptor caller = connect_to(listener->local_endpoint());
    {
        const FewDescriptors none(static_cast<rlim_t>(caller.get()));
        EXPECT_TRUE(run_until([&] { return !complaints.empty(); }));
        EXPECT_TRUE(clients.empty());
    }
    EXPECT_EQ(complaints.front(), std::errc::too_many_files_open);
    EXPECT_TRUE(run_until([&] { return clients.size() == 1; }));
}

TEST_F(Listening, CanBeClosedDuringThatPause) {
    listen();
    listener->start();
    const Descriptor caller = connect_to(listener->local_endpoint());
    accept_error = EMFILE;
    EXPECT_TRUE(run_until([&] { return !complaints.empty(); }));
    accept_error = 0;
    listener->close();
    EXPECT_EQ(clients.size(), 1U);
    listener.reset();
    settle_often();
}

TEST_F(Listening, TakesEverybodyWhoHadConnectedWhenItCloses) {
    listen();
    std::vector<Descriptor> callers;
    for (int i = 0; i < 200; ++i) {
        callers.push_back(connect_to(listener->local_endpoint()));
        ASSERT_TRUE(callers.back());
    }
    const auto address = listener->local_endpoint();
    listener->close();
    EXPECT_EQ(clients.size(), 200U);
    listener->close();
    EXPECT_FALSE(connect_to(address)) << "closed, but somebody could connect";
    listener->start();
    settle_often();
}

// Clients storm it while it closes: each of them is either handed over or refused.
TEST_F(Listening, ResetsNobodyByClosing) {
    allow_many_descriptors();
    for (int round = 0; round < 5; ++round) {
        clients.clear();
        listen();
        listener->start();
        const auto address = listener->local_endpoint();
        std::atomic<int> connected = 0;
        std::vector<Descriptor> callers;
        std::thread storm([&] {
            for (Descriptor caller = connect_to(address); caller; caller = connect_to(address)) {
                callers.push_back(std::move(caller));
                ++connected;
            }
        });
        EXPECT_TRUE(run_until([&] { return connected > 300; }));
        listener->close();
        storm.join();
        EXPECT_EQ(clients.size(), callers.size());
    }
}

TEST_F(Listening, OverASocketThatWasPassedSetsWhatAClientsSocketNeeds) {
    listen_over(opened_by_somebody_else());
    const Descriptor caller = connect_to(listener->local_endpoint());
    ASSERT_TRUE(caller) << "at " << describe(listener->local_endpoint());
    listener->start();
    ASSERT_TRUE(run_until([&] { return clients.size() == 1; }));
    EXPECT_EQ(option(clients.front(), IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(clients.front(), SOL_SOCKET, SO_OOBINLINE), 1);
    EXPECT_EQ(option(clients.front(), SOL_SOCKET, SO_KEEPALIVE), 1);
}

// The system hands on what the listening socket had when they connected.
TEST_F(Listening, OverASocketThatWasPassedSetsItForThoseWhoConnectedBeforeAsWell) {
    constexpr std::size_t more_than_in_one_go = 20;
    Descriptor passed = opened_by_somebody_else();
    tcp::endpoint address;
    auto size = static_cast<socklen_t>(address.capacity());
    ASSERT_EQ(::getsockname(passed.get(), address.data(), &size), 0);
    std::vector<Descriptor> callers;
    while (callers.size() < more_than_in_one_go) {
        callers.push_back(connect_to(address));
        ASSERT_TRUE(callers.back());
    }
    callers.front().close();  // Who has left is handed over as well.
    listen_over(std::move(passed));
    listener->start();
    ASSERT_TRUE(run_until([&] { return clients.size() == more_than_in_one_go; }));
    for (std::size_t i = 1; i < more_than_in_one_go; ++i) {
        EXPECT_EQ(option(clients[i], IPPROTO_TCP, TCP_NODELAY), 1) << i;
        EXPECT_EQ(option(clients[i], SOL_SOCKET, SO_OOBINLINE), 1) << i;
        EXPECT_EQ(option(clients[i], SOL_SOCKET, SO_KEEPALIVE), 1) << i;
        EXPECT_EQ(option(clients[i], IPPROTO_TCP, TCP_KEEPINTVL), 5) << i;
    }
}

// Whoever else has the socket can make it block, and the daemon would stand still in its accept.
TEST_F(Listening, OverASocketThatWasPassedBlocksNobodyWhateverOthersDoToIt) {
    const Descriptor kept = opened_by_somebody_else();
    listen_over(Descriptor(::dup(kept.get())));
    listener->start();
    accepts_that_would_block = 0;
    const int flags = ::fcntl(kept.get(), F_GETFL);
    for (std::size_t i = 1; i <= 3; ++i) {
        ASSERT_EQ(::fcntl(kept.get(), F_SETFL, flags & ~O_NONBLOCK), 0);
        const Descriptor caller = connect_to(listener->local_endpoint());
        ASSERT_TRUE(run_until([&] { return clients.size() == i; }));
    }
    EXPECT_EQ(accepts_that_would_block, 0);
}

TEST_F(Listening, ThatIsLetGoOfLeavesThoseWhoComeToWhoeverElseHasTheSocket) {
    Descriptor kept = opened_by_somebody_else();
    listen_over(Descriptor(::dup(kept.get())));
    const auto address = listener->local_endpoint();
    listener->start();
    const Descriptor accepted = connect_to(address);
    ASSERT_TRUE(run_until([&] { return clients.size() == 1; }));
    const Descriptor not_accepted = connect_to(address);
    listener->let_go();
    listener->let_go();
    const Descriptor late = connect_to(address);
    ASSERT_TRUE(not_accepted && late) << "it must go on listening";
    settle_often();
    EXPECT_EQ(clients.size(), 1U);

    listen_over(std::move(kept));
    listener->start();
    EXPECT_TRUE(run_until([&] { return clients.size() == 3; }));
}

// The kernel forgets a socket by itself only when it is closed everywhere. Until then whoever came
// would wake us, for nothing, on behalf of whatever is watched in its place.
TEST_F(Listening, ThatIsLetGoOfIsWatchedNoMore) {
    const Descriptor kept = opened_by_somebody_else();
    listen_over(Descriptor(::dup(kept.get())));
    listener->start();
    settle();
    const std::size_t before = descriptors_watched();
    listener->let_go();
    EXPECT_EQ(descriptors_watched() + 1, before);
}

TEST_F(Listening, MayBeClosedByTheClientItHandsOver) {
    listen();
    std::vector<Descriptor> callers;
    for (int i = 0; i < 50; ++i) {
        callers.push_back(connect_to(listener->local_endpoint()));
    }
    on_accepted = [this] {
        if (clients.size() == 3) {
            listener->close();
        }
    };
    listener->start();
    EXPECT_TRUE(run_until([&] { return clients.size() == 50U; }));
}

}  // namespace
}  // namespace tcplock::io
