#include "io/notify_socket.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace tcplock::io {
namespace {

// A service manager that reads only when it is told to.
class NotifySocketTest : public testing::Test {
protected:
    NotifySocketTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "tcplock-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
        path_ = (folder_ / "notify").string();
    }
    ~NotifySocketTest() override { std::filesystem::remove_all(folder_); }

    void somebody_is_there(const std::string& name) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        name.copy(address.sun_path, name.size());
        manager_ = Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        ASSERT_EQ(::bind(manager_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    }

    std::optional<std::string> heard() {
        char text[256];
        const ssize_t size = ::recv(manager_.get(), text, sizeof text, 0);
        return size < 0 ? std::nullopt
                        : std::optional(std::string(text, static_cast<std::size_t>(size)));
    }

    std::filesystem::path folder_;
    std::string path_;
    Descriptor manager_;
};

TEST_F(NotifySocketTest, SendsOneDatagramAMessage) {
    somebody_is_there(path_);
    const auto socket = NotifySocket::open(path_);
    ASSERT_TRUE(socket);
    EXPECT_TRUE(socket->send("READY=1"));
    EXPECT_TRUE(socket->send("STATUS=two words\nWATCHDOG=1"));
    EXPECT_EQ(heard(), "READY=1");
    EXPECT_EQ(heard(), "STATUS=two words\nWATCHDOG=1");
    EXPECT_EQ(heard(), std::nullopt);
}

TEST_F(NotifySocketTest, FindsANameThatIsInNoFileSystem) {
    const std::string name = "tcplock-notify-" + std::to_string(::getpid());
    somebody_is_there(std::string(1, '\0') + name);
    const auto socket = NotifySocket::open("@" + name);
    ASSERT_TRUE(socket);
    EXPECT_TRUE(socket->send("READY=1"));
    EXPECT_EQ(heard(), "READY=1");
}

TEST_F(NotifySocketTest, IsNotMadeOfWhatIsNoName) {
    for (const std::string& name :
         {std::string(), std::string("/"), std::string("@"), std::string("notify"),
          std::string("vsock:2:1234"), "/" + std::string(sizeof(sockaddr_un::sun_path), 'x')}) {
        EXPECT_FALSE(NotifySocket::open(name)) << name;
    }
}

// Here sd_notify() would wait for ever.
TEST_F(NotifySocketTest, DoesNotWaitForOneThatDoesNotRead) {
    somebody_is_there(path_);
    const auto socket = NotifySocket::open(path_);
    ASSERT_TRUE(socket);
    int taken = 0;
    while (taken < 100'000 && socket->send("WATCHDOG=1")) {
        ++taken;
    }
    EXPECT_GT(taken, 0);
    EXPECT_LT(taken, 100'000) << "its queue has no end";
    EXPECT_TRUE(heard());
    EXPECT_TRUE(socket->send("WATCHDOG=1"));
}

TEST_F(NotifySocketTest, OutlivesItsManagerAndFindsTheNextOne) {
    const auto socket = NotifySocket::open(path_);
    ASSERT_TRUE(socket);
    EXPECT_FALSE(socket->send("READY=1")) << "nobody is there yet";
    somebody_is_there(path_);
    EXPECT_TRUE(socket->send("READY=1"));
    manager_.close();
    EXPECT_FALSE(socket->send("READY=1"));
    std::filesystem::remove(path_);
    somebody_is_there(path_);
    EXPECT_TRUE(socket->send("STATUS=again"));
    EXPECT_EQ(heard(), "STATUS=again");
}

}  // namespace
}  // namespace tcplock::io
