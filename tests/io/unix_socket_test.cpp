#include "io/unix_socket.hpp"

#include "io/connecting.hpp"
#include "io/probe.hpp"
#include "io/socket_owner.hpp"
#include "io/vacancy.hpp"
#include "loopback.hpp"

#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace tcplock::io {
namespace {

namespace local = boost::asio::local;
using namespace std::chrono_literals;
using test::patience;

class FileSystem : public test::Loopback {
protected:
    FileSystem() {
        std::string pattern = (std::filesystem::temp_directory_path() / "tcplock-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        path_ = folder_ / "socket";
        endpoint_ = *unix_endpoint(path_.string());
    }
    ~FileSystem() override { std::filesystem::remove_all(folder_); }

    void somebody_listens(int backlog = 5) {
        acceptor_ = std::make_unique<local::stream_protocol::acceptor>(context);
        acceptor_->open();
        acceptor_->bind(local::stream_protocol::endpoint(path_.string()));
        acceptor_->listen(backlog);
    }
    void it_ends() { acceptor_.reset(); }  // and leaves the name behind

    std::filesystem::path folder_;
    std::filesystem::path path_;
    Endpoint endpoint_;
    std::unique_ptr<local::stream_protocol::acceptor> acceptor_;
};

TEST_F(FileSystem, TellsWhoListens) {
    somebody_listens();
    const auto asked = ask_who_listens(endpoint_);
    ASSERT_TRUE(std::holds_alternative<Listening>(asked));
    EXPECT_EQ(std::get<Listening>(asked).pid, ::getpid());
    EXPECT_EQ(std::get<Listening>(asked).uid, ::getuid());
    const auto owner = socket_owner(endpoint_);
    ASSERT_TRUE(owner && *owner);
    EXPECT_EQ((*owner)->pid, ::getpid());
    EXPECT_EQ(listens(endpoint_), Listens::yes);
    EXPECT_EQ(bind_error(endpoint_), std::errc::address_in_use);
}

TEST_F(FileSystem, TellsThatNobodyListensWhetherTheNameIsThereOrNot) {
    EXPECT_EQ(listens(endpoint_), Listens::no);
    somebody_listens();
    it_ends();
    ASSERT_TRUE(std::filesystem::exists(path_));
    EXPECT_EQ(listens(endpoint_), Listens::no);
    const auto owner = socket_owner(endpoint_);
    ASSERT_TRUE(owner);
    EXPECT_FALSE(*owner);
    EXPECT_EQ(bind_error(endpoint_), std::error_code());
    EXPECT_TRUE(std::filesystem::exists(path_)) << "asking leaves it alone";
}

// The one who called listen() has ended, as a server does that becomes a daemon: its child goes on.
TEST_F(FileSystem, GoesByTheUserWhenWhoCalledListenHasEnded) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();  // Those who come of it have a process group of their own.
        somebody_listens();
        if (::fork() == 0) {
            ::pause();
        }
        ::_exit(0);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    const auto owner = socket_owner(endpoint_);
    ::kill(-child, SIGKILL);
    ASSERT_TRUE(owner && *owner);
    EXPECT_FALSE((*owner)->pid);
    EXPECT_EQ((*owner)->uid, ::getuid());
}

TEST_F(FileSystem, KnowsWhichPathsAProcessListensOn) {
    somebody_listens();
    const auto myself = read_stat(::getpid());
    ASSERT_TRUE(myself);
    EXPECT_EQ(sockets_of({*myself}), std::vector<std::string>{path_.string()});
    EXPECT_TRUE(sockets_of({}).empty());
    it_ends();
    EXPECT_TRUE(sockets_of({*myself}).empty());
}

TEST(ListeningPath, IsReadFromTheKernelsTable) {
    const auto listening = parse_listening_path(
        "0000000000000000: 00000002 00000000 00010000 0001 01 28511 /tmp/OSL PIPE_0_x");
    ASSERT_TRUE(listening);
    EXPECT_EQ(listening->path, "/tmp/OSL PIPE_0_x");
    EXPECT_EQ(listening->inode, 28511U);
    for (const auto* const other :
         {"", "Num       RefCount Protocol Flags    Type St Inode Path",
          "0000000000000000: 00000003 00000000 00000000 0001 03 28511 /tmp/connected",
          "0000000000000000: 00000002 00000000 00010000 0001 01 28511 @abstract",
          "0000000000000000: 00000002 00000000 00010000 0001 01 28511",
          "0000000000000000: 00000002 00000000 00010000 0001 01 28x11 /tmp/x"}) {
        EXPECT_FALSE(parse_listening_path(other)) << other;
    }
}

TEST_F(FileSystem, IsOpenedLikeAnyAddress) {
    somebody_listens();
    Socket socket(context);
    ASSERT_EQ(await(open_backend(socket, endpoint_, OpenWay::connect, patience)), "");
    Socket backend(acceptor_->accept());
    backend.non_blocking(true);
    send(socket, "hello");
    EXPECT_EQ(receive(backend, 5), "hello");
    EXPECT_TRUE(await(accepts(endpoint_, patience)));
    it_ends();
    EXPECT_FALSE(await(accepts(endpoint_, patience)));
    std::filesystem::remove(path_);
    EXPECT_FALSE(await(accepts(endpoint_, patience)));
}

// Somebody else may have put his own there, or a link to one.
TEST_F(FileSystem, IsNotOpenedWhereSomebodyElseListens) {
    somebody_listens();
    const Destination ours(endpoint_, ::getuid());
    const Destination anothers(endpoint_, ::getuid() + 1);
    const std::string why =
        "is answered by user " + std::to_string(::getuid()) + ", who is not the backend's";
    EXPECT_EQ(await(probe(ConnectProbe{}, ours, patience)).detail, "");
    EXPECT_EQ(await(probe(ConnectProbe{}, anothers, patience)).detail, why);
    Socket socket(context);
    EXPECT_EQ(await(open_backend(socket, anothers, OpenWay::connect, patience)), why);
    EXPECT_FALSE(socket.is_open());
}

// A frozen backend takes nobody from its queue, and the kernel says so at once, unlike over TCP.
TEST_F(FileSystem, WaitsWhileTheQueueIsFull) {
    somebody_listens(1);
    std::vector<Attempt> in_the_queue;
    do {
        in_the_queue.push_back(begin_connect(endpoint_));
    } while (!in_the_queue.back().error);
    ASSERT_EQ(in_the_queue.back().error, std::errc::resource_unavailable_try_again);
    EXPECT_EQ(listens(endpoint_), Listens::yes);
    EXPECT_EQ(await(probe(ConnectProbe{}, endpoint_, 100ms)).detail, "did not accept within 0.1 s");
    EXPECT_TRUE(await(accepts(endpoint_, 100ms))) << "that is no proof that nobody is there";

    Socket socket(context);
    std::optional<std::string> why;
    tasks.spawn("open", test::store(open_backend(socket, endpoint_, OpenWay::connect, 5s), why));
    run_until([&] { return why.has_value(); }, 50ms);
    EXPECT_FALSE(why) << "it waits";
    (void)acceptor_->accept();
    ASSERT_TRUE(run_until([&] { return why.has_value(); }));
    EXPECT_EQ(*why, "");
}

}  // namespace
}  // namespace tcplock::io
