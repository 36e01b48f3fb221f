#include "io/socket_file.hpp"

#include "io/unix_socket.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <grp.h>
#include <optional>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <variant>

namespace tcplock::io {
namespace {

class SocketFileTest : public testing::Test {
protected:
    SocketFileTest() {
        std::string name = (std::filesystem::temp_directory_path() / "tcplock-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        path_ = folder_ / "admin.sock";
    }
    ~SocketFileTest() override { std::filesystem::remove_all(folder_); }

    bool is_answered() const {
        return std::holds_alternative<Listening>(ask_who_listens(*unix_endpoint(path_.string())));
    }
    std::string why_not(const std::filesystem::path& path, std::optional<gid_t> group = {}) const {
        try {
            const SocketFile file(path, 0600, group);
        } catch (const std::exception& error) {
            return error.what();
        }
        return "";
    }

    std::filesystem::path folder_;
    std::filesystem::path path_;
};

TEST_F(SocketFileTest, HasItsModeAndIsGoneWithItsOwner) {
    {
        SocketFile file(path_, 0640, {});
        const Descriptor socket = file.take();
        struct stat about {};
        ASSERT_EQ(::lstat(path_.c_str(), &about), 0);
        EXPECT_EQ(about.st_mode & 07777U, 0640U);
        EXPECT_TRUE(is_answered());
    }
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SocketFileTest, ReplacesWhatAKilledOneHasLeft) {
    {
        const Descriptor left(::socket(AF_UNIX, SOCK_STREAM, 0));
        const auto address = unix_endpoint(path_.string());
        ASSERT_EQ(::bind(left.get(), address->data(), static_cast<socklen_t>(address->size())), 0);
    }
    SocketFile file(path_, 0600, {});
    const Descriptor socket = file.take();
    EXPECT_TRUE(is_answered());
}

TEST_F(SocketFileTest, DoesNotTouchWhatSomebodyListensOnOrWhatIsNoSocket) {
    SocketFile other(path_, 0600, {});
    const Descriptor socket = other.take();
    EXPECT_EQ(why_not(path_), "cannot listen on " + path_.string() + ": process " +
                                  std::to_string(::getpid()) + " does so already");
    EXPECT_TRUE(is_answered());
    const auto file = folder_ / "file";
    std::ofstream(file) << "something";
    EXPECT_EQ(why_not(file),
              "cannot listen on " + file.string() + ": there is something that is no socket");
    EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(SocketFileTest, LeavesAloneWhatHasTakenItsPlace) {
    {
        SocketFile file(path_, 0600, {});
        std::filesystem::remove(path_);
        std::ofstream(path_) << "somebody else's";
    }
    EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(SocketFileTest, MakesItsFolderButNoMore) {
    EXPECT_EQ(why_not(folder_ / "one" / "admin.sock"), "");
    EXPECT_NE(why_not(folder_ / "two" / "three" / "admin.sock").find("No such file"),
              std::string::npos);
}

// As for a service that the system forbids to change the owners of files.
TEST_F(SocketFileTest, SaysThatItsGroupCannotBeHad) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root can become somebody who is in no group";
    }
    std::filesystem::permissions(folder_, std::filesystem::perms::all);
    EXPECT_EXIT(
        {
            const bool is_nobody =
                ::setgroups(0, nullptr) == 0 && ::setgid(65534) == 0 && ::setuid(65534) == 0;
            const std::string why = is_nobody ? why_not(path_, gid_t{0}) : "cannot become nobody";
            std::fputs(why.c_str(), stderr);
            std::exit(std::filesystem::exists(path_) ? 1 : 0);
        },
        testing::ExitedWithCode(0),
        "cannot change the group of .*/admin.sock: Operation not permitted");
}

}  // namespace
}  // namespace tcplock::io
