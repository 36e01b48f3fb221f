#include "io/child.hpp"

#include "process_support.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <pwd.h>
#include <set>
#include <sys/resource.h>
#include <sys/socket.h>

namespace tcplock::io {
namespace {

class ChildTest : public ProcessTest {
protected:
    static Identity user(const std::string& name) { return std::get<Identity>(find_user(name)); }
};

TEST_F(ChildTest, HoldsOnlyItsStandardStreams) {
    std::vector<int> sockets;
    for (int count = 0; count < 200; ++count) {
        sockets.push_back(
            ::socket(AF_INET, SOCK_STREAM, 0));  // Not close-on-exec, as Asio's are not.
    }
    EXPECT_EQ(output_of(probe({"descriptors"})), "0\n1\n2\n");
    for (const int fd : sockets) {
        ::close(fd);
    }
}

TEST_F(ChildTest, ReadsNothingAndPrintsBothStreamsIntoOnePipe) {
    EXPECT_EQ(output_of(shell("cat; echo out; echo err >&2; readlink /proc/self/fd/0")),
              "out\nerr\n/dev/null\n");
}

TEST_F(ChildTest, ReadsWhatItIsGivenToItsEnd) {
    ChildSpec spec = shell("cat; echo end");
    spec.input = "one\n" + std::string(4091, 'x') + "\n";
    EXPECT_EQ(output_of(spec), spec.input + "end\n");
}

TEST_F(ChildTest, NeedNotReadWhatItIsGiven) {
    ChildSpec spec = shell("exec <&-; echo unread");
    spec.input = "one\n";
    EXPECT_EQ(output_of(spec), "unread\n");
}

TEST_F(ChildTest, IsNotStartedIfItIsToReadMoreThanAPipeHolds) {
    ChildSpec spec = shell("cat");
    spec.input = std::string(1 << 20, 'x');
    EXPECT_EQ(failure_of(spec).what,
              "cannot lay out what the program is to read: Message too long");
}

TEST_F(ChildTest, GetsExactlyTheEnvironmentNamed) {
    ChildSpec spec = probe({"environment"});
    spec.environment = {{"HOME", "/x y"}, {"EMPTY", ""}};
    EXPECT_EQ(output_of(spec), "EMPTY=\nHOME=/x y\n");
}

TEST_F(ChildTest, GetsItsArgumentsUnchanged) {
    EXPECT_EQ(output_of({{"printf", "[%s]", "a b", "", "$HOME"}, {}, {}, {}, 0, 0, {}, {}, {}}),
              "[a b][][$HOME]\n");
}

TEST_F(ChildTest, InheritsNeitherIgnoredSignalsNorTheMask) {
    const auto previous = ::signal(SIGPIPE, SIG_IGN);
    sigset_t blocked;
    sigset_t before;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &blocked, &before);

    const std::string told = output_of(shell("exec grep -E '^Sig(Ign|Blk)' /proc/self/status"));
    EXPECT_EQ(told, "SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n");

    // And ours are as they were.
    sigset_t now;
    ::sigprocmask(SIG_SETMASK, &before, &now);
    EXPECT_TRUE(::sigismember(&now, SIGUSR1));
    EXPECT_FALSE(::sigismember(&now, SIGTERM));
    ::signal(SIGPIPE, previous);
}

TEST_F(ChildTest, LeadsASessionOfItsOwn) {
    EXPECT_EQ(output_of(probe({"session"})), "own\n");
}

TEST_F(ChildTest, IsLimited) {
    ChildSpec spec = shell("ulimit -n; ulimit -Hn; ulimit -v; ulimit -c");
    spec.open_files = 77;
    spec.address_space = 1U << 30U;
    spec.core_size = 0;
    EXPECT_EQ(output_of(spec), "77\n77\n1048576\n0\n");
}

TEST_F(ChildTest, KeepsOurLimitsWhereNoneAreNamed) {
    rlimit ours{};
    ::getrlimit(RLIMIT_NOFILE, &ours);
    const std::string told = output_of(probe({"limits"}));
    EXPECT_TRUE(told.starts_with(std::to_string(ours.rlim_cur) + " ")) << told;
}

TEST_F(ChildTest, IsNicerAndMoreExpendable) {
    ChildSpec spec = shell("nice; cat /proc/self/oom_score_adj");
    spec.nice = 3;
    spec.oom_score_adjust = 500;
    EXPECT_EQ(output_of(spec), std::to_string(::getpriority(PRIO_PROCESS, 0) + 3) + "\n500\n");
}

TEST_F(ChildTest, StartsInItsDirectory) {
    ChildSpec spec = shell("pwd");
    spec.directory = "/usr/share";
    EXPECT_EQ(output_of(spec), "/usr/share\n");
}

TEST_F(ChildTest, BecomesTheUserWithTheUsersGroupsOnly) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, to become somebody else";
    }
    const passwd* nobody = ::getpwnam("nobody");
    ASSERT_NE(nobody, nullptr);
    const std::string uid = std::to_string(nobody->pw_uid);
    const std::string gid = std::to_string(nobody->pw_gid);
    ChildSpec spec = shell("id -ru; id -u; id -rg; id -g; id -G; echo opened > /dev/stderr");
    spec.user = user("nobody");
    EXPECT_EQ(output_of(spec),
              uid + "\n" + uid + "\n" + gid + "\n" + gid + "\n" + gid + "\nopened\n");
}

TEST_F(ChildTest, MayBeTheUserWeAreWithoutPrivilege) {
    ChildSpec spec = shell("id -u");
    spec.user = user(::getpwuid(::geteuid())->pw_name);
    EXPECT_EQ(output_of(spec), std::to_string(::geteuid()) + "\n");
}

TEST_F(ChildTest, IsToldToDieWithUs) {
    EXPECT_EQ(output_of(probe({"death-signal"})), std::to_string(SIGTERM) + "\n");
}

TEST_F(ChildTest, IsToldToDieWithUsAlsoAsAnotherUser) {
    ChildSpec spec = probe({"death-signal"});
    spec.user = user("nobody");
    auto spawned = spawn(io_, spec);
    if (std::holds_alternative<SpawnFailure>(spawned)) {
        GTEST_SKIP() << std::get<SpawnFailure>(spawned).what;
    }
    reaper_.own(std::get<Child>(spawned).pid, [](ExitStatus) {});
    EXPECT_EQ(output_of(spec), std::to_string(SIGTERM) + "\n");
}

TEST_F(ChildTest, DiesWhenItsSupervisorIsKilled) {
    Running& supervisor = start(probe({"supervisor"}));
    ASSERT_TRUE(until([&] { return supervisor.has_said("\n"); }));
    const pid_t grandchild = std::stoi(supervisor.output);
    ASSERT_FALSE(is_gone(grandchild));
    ::kill(supervisor.pid, SIGKILL);
    EXPECT_TRUE(until([&] { return is_gone(grandchild); }));
}

TEST_F(ChildTest, ThatCannotBeRunIsNamed) {
    const auto missing = failure_of({{"/usr/bin/no-office"}, {}, {}, {}, 0, 0, {}, {}, {}});
    EXPECT_EQ(missing.what, "cannot run /usr/bin/no-office: No such file or directory");
    EXPECT_EQ(missing.code, std::errc::no_such_file_or_directory);

    const auto not_a_program = failure_of({{"/etc/passwd"}, {}, {}, {}, 0, 0, {}, {}, {}});
    EXPECT_EQ(not_a_program.what, "cannot run /etc/passwd: Permission denied");

    const auto not_found =
        failure_of({{"no-office"}, {{"PATH", "/usr/bin:/bin"}}, {}, {}, 0, 0, {}, {}, {}});
    EXPECT_EQ(not_found.what, "cannot run no-office: there is no such program in /usr/bin:/bin");

    const auto nothing = failure_of({{}, {}, {}, {}, 0, 0, {}, {}, {}});
    EXPECT_EQ(nothing.what, "cannot run a backend: the command is empty: Invalid argument");
}

TEST_F(ChildTest, ThatLacksItsInterpreterIsNamedAsSuch) {
    const auto script = std::filesystem::temp_directory_path() /
                        ("tcplock-child-test-" + std::to_string(::getpid()));
    std::ofstream(script) << "#!/no/such/shell\n";
    std::filesystem::permissions(script, std::filesystem::perms::owner_all);
    const auto failed = failure_of({{script.string()}, {}, {}, {}, 0, 0, {}, {}, {}});
    EXPECT_NE(failed.what.find("what it asks to be run with is not"), std::string::npos)
        << failed.what;
    std::filesystem::remove(script);
}

TEST_F(ChildTest, WithoutItsDirectoryIsNotStarted) {
    ChildSpec spec = shell("true");
    spec.directory = "/no/such/place";
    EXPECT_EQ(failure_of(spec).what,
              "cannot enter directory /no/such/place: No such file or directory");
}

TEST_F(ChildTest, CannotBeOfAnUnknownUser) {
    const auto found = find_user("no-such-user");
    ASSERT_TRUE(std::holds_alternative<std::error_code>(found));
    EXPECT_EQ(std::get<std::error_code>(found), std::errc::no_such_file_or_directory);
}

TEST_F(ChildTest, ThatFailsToStartLeavesNothingBehind) {
    const ChildSpec spec{{"/no/such/program"}, {}, {}, {}, 0, 0, {}, {}, {}};
    failure_of(spec);
    ASSERT_TRUE(until([] { return children_of_ours() == 0; }));
    const std::size_t before = open_descriptors();
    for (int count = 0; count < 500; ++count) {
        failure_of(spec);
    }
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_TRUE(until([] { return children_of_ours() == 0; }));
}

TEST_F(ChildTest, StartsAlsoWhenOurOwnStandardStreamsAreClosed) {
    const int input = ::dup(STDIN_FILENO);
    ::close(STDIN_FILENO);
    EXPECT_EQ(output_of(probe({"descriptors"})), "0\n1\n2\n");
    EXPECT_EQ(failure_of({{"/no/such/program"}, {}, {}, {}, 0, 0, {}, {}, {}}).code,
              std::errc::no_such_file_or_directory);
    if (input >= 0) {
        ::dup2(input, STDIN_FILENO);
        ::close(input);
    }
}

TEST_F(ChildTest, StartsAndIsKeptFromOurDescriptorsWhereTheNewerCallsAreRefused) {
    EXPECT_EQ(output_of(probe({"filtered"})), "0\n1\n2\n");
}

// Boost's launcher waits for its own pipe without a limit, so the child must close it before what
// may hang.
TEST_F(ChildTest, IsAFailureWhenTheStartHangs) {
    for (const char* command : {"hanging", "hanging-filtered"}) {
        EXPECT_EQ(output_of(probe({command})),
                  "the start of /proc/self/exe hangs, perhaps its files do: Connection timed out\n")
            << command;
    }
}

TEST_F(ChildTest, IsAFailureNotAnExceptionWhenDescriptorsRunOut) {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the sanitizer itself needs a pipe to look at an exception";
#endif
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit few = before;
    for (rlim_t spare = 0; spare < 16; ++spare) {
        few.rlim_cur = open_descriptors() + spare;
        ::setrlimit(RLIMIT_NOFILE, &few);
        auto spawned = spawn(io_, shell("exit 0"));
        ::setrlimit(RLIMIT_NOFILE, &before);
        if (const auto* failure = std::get_if<SpawnFailure>(&spawned)) {
            EXPECT_EQ(failure->code, std::errc::too_many_files_open) << failure->what;
        }
    }
    EXPECT_TRUE(until([] { return children_of_ours() == 0; }));
}

}  // namespace
}  // namespace tcplock::io
