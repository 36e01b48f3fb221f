#include "daemon/command.hpp"

#include "daemon/place.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

using Outliving = Commands::Outliving;

constexpr auto patience = 30s;
// Of a program that hangs: a busy machine may need seconds to begin it.
constexpr auto limit = 5s;

boost::asio::awaitable<void> store(boost::asio::awaitable<CommandResult> run,
                                   std::optional<CommandResult>& result) {
    result.emplace(co_await std::move(run));
}

class Command : public testing::Test {
protected:
    Command() { reaper_.start(); }
    ~Command() override {
        EXPECT_TRUE(until([] { return nothing_is_left(); }));
    }

    bool until(const std::function<bool()>& condition) {
        const auto end = steady_clock::now() + patience;
        while (!condition()) {
            if (steady_clock::now() > end) {
                return false;
            }
            io_.restart();
            io_.run_one_for(5ms);
        }
        return true;
    }

    static io::ChildSpec command(std::vector<std::string> words) {
        io::ChildSpec child;
        child.command = std::move(words);
        child.environment = {{"PATH", "/usr/bin:/bin"},
                             {supervisor_variable, "command-test-" + std::to_string(::getpid())}};
        return child;
    }
    static io::ChildSpec script(const std::string& text) { return command({"sh", "-c", text}); }

    CommandResult result_of(io::ChildSpec child, std::chrono::nanoseconds timeout = patience,
                            Outliving outliving = Outliving::killed) {
        std::optional<CommandResult> result;
        boost::asio::co_spawn(io_,
                              store(commands_.run(std::move(child), timeout, outliving), result),
                              [](std::exception_ptr error) { EXPECT_FALSE(error); });
        EXPECT_TRUE(until([&] { return result.has_value(); })) << "it does not end";
        return result.value_or(CommandResult{});
    }

    // No child of ours is there any more, nor a dead one.
    static bool nothing_is_left() { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }

    // The pids that the program printed as its last line are all gone.
    void expect_gone(const std::string& detail) {
        const auto colon = detail.rfind(": ");
        ASSERT_NE(colon, std::string::npos) << detail;
        std::istringstream pids(detail.substr(colon + 2));
        int count = 0;
        for (pid_t pid = 0; pids >> pid; ++count) {
            EXPECT_TRUE(until([pid] { return ::kill(pid, 0) < 0 && errno == ESRCH; }))
                << "pid " << pid << " is left";
        }
        EXPECT_GT(count, 0) << detail;
    }

    boost::asio::io_context io_{1};
    io::Reaper reaper_{io_};
    Commands commands_{io_, reaper_};
};

TEST_F(Command, SucceedsByExitStatus0) {
    const auto result = result_of(script("echo fine"));
    EXPECT_TRUE(result.succeeded);
    EXPECT_EQ(result.why, "");
    EXPECT_GT(result.took, 0ns);
}

TEST_F(Command, SaysTheExitStatusAndTheLastLine) {
    const auto result = result_of(script("echo first; echo 'no more room' >&2; exit 3"));
    EXPECT_FALSE(result.succeeded);
    EXPECT_EQ(result.why, "exited with status 3: no more room");
}

TEST_F(Command, SaysTheExitStatusAloneOfASilentProgram) {
    EXPECT_EQ(result_of(script("exit 1")).why, "exited with status 1");
}

TEST_F(Command, SaysBySignalWhatWasKilled) {
    EXPECT_EQ(result_of(script("kill -9 $$")).why, "killed by signal 9 (KILL)");
}

TEST_F(Command, FailsForAMissingProgram) {
    const auto result = result_of(command({"no-such-program-anywhere"}));
    EXPECT_FALSE(result.succeeded);
    EXPECT_NE(result.why.find("no-such-program-anywhere"), std::string::npos) << result.why;
}

TEST_F(Command, KillsAHangingProgramInTimeWithItsChildren) {
    const auto result =
        result_of(script("sleep 1000 & a=$!; setsid sleep 1000 & echo $a $! $$; wait"), limit);
    EXPECT_FALSE(result.succeeded);
    EXPECT_EQ(result.why.substr(0, 21), "did not end in time: ");
    EXPECT_GE(result.took, limit);
    EXPECT_LT(result.took, patience);
    expect_gone(result.why);
}

TEST_F(Command, KillsWhatIgnoresItsSignals) {
    const auto result =
        result_of(script("trap '' TERM INT HUP; echo $$; sleep 1000; sleep 1000"), limit);
    EXPECT_FALSE(result.succeeded);
    EXPECT_LT(result.took, patience);
    expect_gone(result.why);
}

TEST_F(Command, KillsWhatOutlivesTheProgram) {
    const auto result =
        result_of(script("setsid sleep 1000 & a=$!; (sleep 1000 &) ; echo $a; exit 4"));
    EXPECT_EQ(result.why.substr(0, 22), "exited with status 4: ");
    EXPECT_LT(result.took, patience);
    expect_gone(result.why);
}

TEST_F(Command, SucceedsThoughSomethingOutlivesTheProgram) {
    EXPECT_TRUE(result_of(script("sleep 1000 & exit 0")).succeeded);
    EXPECT_TRUE(until([] { return nothing_is_left(); }));
}

TEST_F(Command, IsNotHeldUpByAFloodOfOutput) {
    const auto result = result_of(script("yes"), limit);
    EXPECT_EQ(result.why, "did not end in time: y");
    EXPECT_LT(result.took, patience);
}

TEST_F(Command, CarriesTheSupervisorsCookieAndOneOfItsOwn) {
    const auto first = result_of(script("echo $TCPLOCK_SUPERVISOR $TCPLOCK_COMMAND; exit 1")).why;
    const auto second = result_of(script("echo $TCPLOCK_SUPERVISOR $TCPLOCK_COMMAND; exit 1")).why;
    EXPECT_NE(first.find(": command-test-"), std::string::npos) << first;
    EXPECT_NE(first, second);
}

// A hook may start a service, which holds its output for as long as it runs.
TEST_F(Command, LeavesAloneWhatOutlivesTheProgramIfItIsTold) {
    const auto mark = std::filesystem::temp_directory_path() /
                      ("tcplock-outliving-" + std::to_string(::getpid()));
    const auto result =
        result_of(script("setsid sleep 1000 & echo $! > " + mark.string() + "; echo fine"),
                  patience, Outliving::left_alone);
    EXPECT_TRUE(result.succeeded) << result.why;
    EXPECT_LT(result.took, patience);
    pid_t service = 0;
    EXPECT_TRUE(static_cast<bool>(std::ifstream(mark) >> service));
    std::filesystem::remove(mark);
    ASSERT_GT(service, 0);
    EXPECT_EQ(::kill(service, 0), 0) << "it was ended";
    ::kill(service, SIGKILL);
}

TEST_F(Command, KillsEverythingAtItsLimitWhateverItIsTold) {
    const auto result = result_of(script("setsid sleep 1000 & echo $! $$; sleep 1000"), limit,
                                  Outliving::left_alone);
    EXPECT_FALSE(result.succeeded);
    EXPECT_LT(result.took, patience);
    expect_gone(result.why);
}

TEST_F(Command, TellsEachLineItPrints) {
    std::vector<std::string> lines;
    std::optional<CommandResult> result;
    auto run =
        commands_.run(script("echo one; echo two >&2; exit 1"), patience, Outliving::left_alone,
                      [&lines](std::string_view line) { lines.emplace_back(line); });
    boost::asio::co_spawn(io_, store(std::move(run), result),
                          [](std::exception_ptr error) { EXPECT_FALSE(error); });
    EXPECT_TRUE(until([&] { return result.has_value(); }));
    EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
    EXPECT_EQ(result.value_or(CommandResult{}).why, "exited with status 1: two");
}

TEST_F(Command, RunsBesideAnother) {
    std::optional<CommandResult> slow;
    boost::asio::co_spawn(io_,
                          store(commands_.run(script("sleep 1000"), 1s, Outliving::killed), slow),
                          [](std::exception_ptr error) { EXPECT_FALSE(error); });
    EXPECT_TRUE(result_of(script("exit 0")).succeeded);
    EXPECT_TRUE(until([&] { return slow.has_value(); }));
    EXPECT_EQ(slow->why, "did not end in time");
}

// Of our own end there may be no time to tell it.
TEST_F(Command, WentOnWhenEverythingWasKilledAtOnce) {
    std::optional<CommandResult> result;
    boost::asio::co_spawn(
        io_, store(commands_.run(script("sleep 1000"), patience, Outliving::killed), result),
        [](std::exception_ptr error) { EXPECT_FALSE(error); });
    ASSERT_TRUE(until([] { return !nothing_is_left(); })) << "it does not begin";
    commands_.kill_all();
    EXPECT_TRUE(until([&] { return result.has_value(); }));
    EXPECT_EQ(result.value_or(CommandResult{}).why, "killed by signal 9 (KILL)");
}

TEST_F(Command, LeavesNothingBehindWhenItIsCancelled) {
    std::optional<CommandResult> result;
    bool has_ended = false;
    boost::asio::cancellation_signal cancel;
    const auto mark = std::filesystem::temp_directory_path() /
                      ("tcplock-cancelled-" + std::to_string(::getpid()));
    boost::asio::co_spawn(
        io_,
        store(commands_.run(script("sleep 1000 & echo $$ > " + mark.string() + "; wait"), patience,
                            Outliving::killed),
              result),
        boost::asio::bind_cancellation_slot(
            cancel.slot(), [&has_ended](std::exception_ptr) { has_ended = true; }));
    pid_t program = 0;
    EXPECT_TRUE(until([&] { return static_cast<bool>(std::ifstream(mark) >> program); }));
    std::filesystem::remove(mark);
    cancel.emit(boost::asio::cancellation_type::terminal);
    EXPECT_TRUE(until([&] { return has_ended; }));
    EXPECT_TRUE(until([] { return nothing_is_left(); })) << "something goes on";
    if (program > 0 && HasFailure()) {
        ::kill(-program, SIGKILL);
    }
}

}  // namespace
}  // namespace tcplock::daemon
