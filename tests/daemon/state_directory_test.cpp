#include "daemon/state_directory.hpp"

#include "folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

constexpr uid_t nobody = 65534;

// What the operator is told; empty if the directory can be used.
std::string complaint_about(const std::filesystem::path& path) {
    try {
        const StateDirectory state(path);
        return {};
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

// The same, for somebody without privileges: a root may write anywhere.
std::string complaint_of_nobody_about(const std::filesystem::path& path) {
    int ends[2];
    if (::pipe(ends) != 0) {
        return "no pipe";
    }
    const pid_t child = ::fork();
    if (child == 0) {
        if (::geteuid() == 0 && (::setgid(nobody) != 0 || ::setuid(nobody) != 0)) {
            ::_exit(1);
        }
        const std::string complaint = complaint_about(path);
        ::_exit(::write(ends[1], complaint.data(), complaint.size()) < 0 ? 1 : 0);
    }
    ::close(ends[1]);
    std::string complaint(4096, '\0');
    const ssize_t size = ::read(ends[0], complaint.data(), complaint.size());
    complaint.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return complaint;
}

bool is_hex(char c) {
    return std::string_view("0123456789abcdef").find(c) != std::string_view::npos;
}

bool is_identity(const std::string& text) {
    return text.size() == 32 && std::all_of(text.begin(), text.end(), is_hex);
}

void write(const std::filesystem::path& path, std::string_view text) {
    std::ofstream(path) << text;
}

class StateDirectoryTest : public testing::Test {
protected:
    std::string identity() const { return StateDirectory(path_).identity(); }

    test::Folder folder_;
    std::filesystem::path path_ = folder_.path() / "deep" / "state";
};

TEST_F(StateDirectoryTest, IsMadeWithAllItsParents) {
    const StateDirectory state(path_);
    EXPECT_TRUE(std::filesystem::is_directory(path_));
    EXPECT_EQ(state.path(), path_);
}

TEST_F(StateDirectoryTest, IsKnownByItsAbsolutePath) {
    std::filesystem::create_directories(path_);
    std::filesystem::create_directory_symlink(path_, folder_.path() / "link");
    EXPECT_EQ(StateDirectory(folder_.path() / "link").path(), path_);
    EXPECT_EQ(StateDirectory(path_ / ".." / "state").path(), path_);
}

TEST_F(StateDirectoryTest, BelongsToOneSupervisorAndNamesItToTheSecond) {
    const StateDirectory first(path_);
    EXPECT_EQ(complaint_about(path_),
              "backend.state_directory " + path_.string() + ": another supervisor (pid " +
                  std::to_string(::getpid()) +
                  ") is using it. Each needs a state directory of its own.");
}

TEST_F(StateDirectoryTest, IsFreeAgainWhenItsSupervisorIsGone) {
    std::optional<StateDirectory> first;
    first.emplace(path_);
    first.reset();
    EXPECT_EQ(complaint_about(path_), "");
}

TEST_F(StateDirectoryTest, ThatWasRemovedIsMadeAnewAsItWas) {
    StateDirectory state(path_);
    const std::string identity = state.identity();
    EXPECT_TRUE(state.is_there());
    std::filesystem::remove_all(path_);
    EXPECT_FALSE(state.is_there());
    state.make_anew();
    EXPECT_TRUE(state.is_there());
    EXPECT_EQ(state.identity(), identity);
    EXPECT_NE(complaint_about(path_), "") << "it is locked again";
}

TEST_F(StateDirectoryTest, ThatWasRemovedAndIsAnothersNowIsNotTakenFromHim) {
    StateDirectory state(path_);
    std::filesystem::remove_all(path_);
    const StateDirectory other(path_);
    EXPECT_FALSE(state.is_there());
    EXPECT_THROW(state.make_anew(), std::runtime_error);
    EXPECT_FALSE(state.is_there());
}

TEST_F(StateDirectoryTest, ThatCannotBeMadeIsNamed) {
    write(folder_.path() / "deep", "in the way");
    EXPECT_EQ(complaint_about(path_),
              "backend.state_directory " + path_.string() +
                  ": cannot be made: Not a directory. Name one in the configuration that this user "
                  "may write to.");
}

TEST_F(StateDirectoryTest, ThatMayNotBeMadeIsNamed) {
    std::filesystem::permissions(folder_.path(), std::filesystem::perms{0555});
    EXPECT_EQ(complaint_of_nobody_about(path_),
              "backend.state_directory " + path_.string() +
                  ": cannot be made: Permission denied. Name one in the configuration that this "
                  "user may write to.");
    std::filesystem::permissions(folder_.path(), std::filesystem::perms{0755});
}

TEST_F(StateDirectoryTest, ThatMayNotBeWrittenToIsNamed) {
    std::filesystem::create_directories(path_);
    std::filesystem::permissions(folder_.path(), std::filesystem::perms{0755});
    std::filesystem::permissions(path_, std::filesystem::perms{0555});
    EXPECT_EQ(complaint_of_nobody_about(path_), "backend.state_directory " + path_.string() +
                                                    ": cannot be written to: Permission denied.");
    std::filesystem::permissions(path_, std::filesystem::perms{0755});
}

TEST_F(StateDirectoryTest, HasAnIdentityOf32HexDigits) {
    EXPECT_TRUE(is_identity(identity())) << identity();
}

TEST_F(StateDirectoryTest, KeepsItsIdentity) {
    const std::string first = identity();
    EXPECT_EQ(identity(), first);
}

TEST_F(StateDirectoryTest, HasAnIdentityOfItsOwn) {
    EXPECT_NE(identity(), StateDirectory(folder_.path() / "other").identity());
}

TEST_F(StateDirectoryTest, MakesANewIdentityWhenTheOldOneWasTruncated) {
    const std::string first = identity();
    for (const std::string& left : {std::string(), first.substr(0, 31), first + "0"}) {
        write(path_ / "identity", left);
        const std::string second = identity();
        EXPECT_TRUE(is_identity(second)) << second;
        EXPECT_NE(second, first);
        EXPECT_EQ(identity(), second) << "the new one was not kept";
    }
}

TEST_F(StateDirectoryTest, MakesANewIdentityWhenTheOldOneIsNotHexDigits) {
    identity();
    write(path_ / "identity", std::string(31, '0') + "/");
    EXPECT_TRUE(is_identity(identity())) << identity();
}

}  // namespace
}  // namespace tcplock::daemon
