#include "daemon/probe_command.hpp"

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

constexpr auto patience = 10s;

boost::asio::awaitable<void> store(boost::asio::awaitable<io::ProbeResult> probe,
                                   std::optional<io::ProbeResult>& result) {
    result.emplace(co_await std::move(probe));
}

class ProbeCommand : public testing::Test {
protected:
    ProbeCommand() { reaper_.start(); }
    ~ProbeCommand() override {
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
                             {supervisor_variable, "probe-test-" + std::to_string(::getpid())}};
        return child;
    }
    static io::ChildSpec script(const std::string& text) { return command({"sh", "-c", text}); }

    io::ProbeResult result_of(io::ChildSpec child, std::chrono::nanoseconds timeout = patience) {
        std::optional<io::ProbeResult> result;
        boost::asio::co_spawn(io_, store(commands_.run(std::move(child), timeout), result),
                              [](std::exception_ptr error) { EXPECT_FALSE(error); });
        EXPECT_TRUE(until([&] { return result.has_value(); })) << "the probe does not end";
        return result.value_or(io::ProbeResult{});
    }

    // No child of ours is there any more, nor a dead one.
    static bool nothing_is_left() { return ::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD; }

    // The pids that the program printed as its last line are all gone.
    static void expect_gone(const std::string& detail) {
        const auto colon = detail.rfind(": ");
        ASSERT_NE(colon, std::string::npos) << detail;
        std::istringstream pids(detail.substr(colon + 2));
        int count = 0;
        for (pid_t pid = 0; pids >> pid; ++count) {
            EXPECT_TRUE(::kill(pid, 0) < 0 && errno == ESRCH) << "pid " << pid << " is left";
        }
        EXPECT_GT(count, 0) << detail;
    }

    boost::asio::io_context io_{1};
    io::Reaper reaper_{io_};
    ProbeCommands commands_{io_, reaper_};
};

TEST_F(ProbeCommand, IsAnsweredByExitStatus0) {
    const auto result = result_of(script("echo fine"));
    EXPECT_TRUE(result.answered);
    EXPECT_EQ(result.detail, "");
    EXPECT_GT(result.duration, 0ns);
}

TEST_F(ProbeCommand, SaysTheExitStatusAndTheLastLine) {
    const auto result = result_of(script("echo first; echo 'no more room' >&2; exit 3"));
    EXPECT_FALSE(result.answered);
    EXPECT_EQ(result.detail, "exited with status 3: no more room");
}

TEST_F(ProbeCommand, SaysTheExitStatusAloneOfASilentProgram) {
    EXPECT_EQ(result_of(script("exit 1")).detail, "exited with status 1");
}

TEST_F(ProbeCommand, SaysBySignalWhatWasKilled) {
    EXPECT_EQ(result_of(script("kill -9 $$")).detail, "killed by signal 9 (KILL)");
}

TEST_F(ProbeCommand, IsNotAnsweredByAMissingProgram) {
    const auto result = result_of(command({"no-such-program-anywhere"}));
    EXPECT_FALSE(result.answered);
    EXPECT_NE(result.detail.find("no-such-program-anywhere"), std::string::npos) << result.detail;
}

TEST_F(ProbeCommand, KillsAHangingProgramInTimeWithItsChildren) {
    const auto result =
        result_of(script("sleep 1000 & a=$!; setsid sleep 1000 & echo $a $! $$; wait"), 300ms);
    EXPECT_FALSE(result.answered);
    EXPECT_EQ(result.detail.substr(0, 21), "did not end in time: ");
    EXPECT_GE(result.duration, 300ms);
    EXPECT_LT(result.duration, 5s);
    expect_gone(result.detail);
}

TEST_F(ProbeCommand, KillsWhatIgnoresItsSignals) {
    const auto result =
        result_of(script("trap '' TERM INT HUP; echo $$; sleep 1000; sleep 1000"), 300ms);
    EXPECT_FALSE(result.answered);
    EXPECT_LT(result.duration, 5s);
    expect_gone(result.detail);
}

TEST_F(ProbeCommand, KillsWhatOutlivesTheProgram) {
    const auto result =
        result_of(script("setsid sleep 1000 & a=$!; (sleep 1000 &) ; echo $a; exit 4"));
    EXPECT_EQ(result.detail.substr(0, 22), "exited with status 4: ");
    EXPECT_LT(result.duration, 10s);
    expect_gone(result.detail);
}

TEST_F(ProbeCommand, IsAnsweredThoughSomethingOutlivesTheProgram) {
    EXPECT_TRUE(result_of(script("sleep 1000 & exit 0")).answered);
    EXPECT_TRUE(until([] { return nothing_is_left(); }));
}

TEST_F(ProbeCommand, IsNotHeldUpByAFloodOfOutput) {
    const auto result = result_of(script("yes"), 500ms);
    EXPECT_EQ(result.detail, "did not end in time: y");
    EXPECT_LT(result.duration, 10s);
}

TEST_F(ProbeCommand, CarriesTheSupervisorsCookieAndOneOfItsOwn) {
    const auto first = result_of(script("echo $TCPLOCK_SUPERVISOR $TCPLOCK_PROBE; exit 1")).detail;
    const auto second = result_of(script("echo $TCPLOCK_SUPERVISOR $TCPLOCK_PROBE; exit 1")).detail;
    EXPECT_NE(first.find(": probe-test-"), std::string::npos) << first;
    EXPECT_NE(first, second);
}

TEST_F(ProbeCommand, RunsBesideAnother) {
    std::optional<io::ProbeResult> slow;
    boost::asio::co_spawn(io_, store(commands_.run(script("sleep 1000"), 1s), slow),
                          [](std::exception_ptr error) { EXPECT_FALSE(error); });
    EXPECT_TRUE(result_of(script("exit 0")).answered);
    EXPECT_TRUE(until([&] { return slow.has_value(); }));
    EXPECT_EQ(slow->detail, "did not end in time");
}

// Of our own end there may be no time to tell the probe.
TEST_F(ProbeCommand, WentOnWhenEverythingWasKilledAtOnce) {
    std::optional<io::ProbeResult> result;
    boost::asio::co_spawn(io_, store(commands_.run(script("sleep 1000"), patience), result),
                          [](std::exception_ptr error) { EXPECT_FALSE(error); });
    ASSERT_TRUE(until([] { return !nothing_is_left(); })) << "it does not begin";
    commands_.kill_all();
    EXPECT_TRUE(until([&] { return result.has_value(); }));
    EXPECT_EQ(result.value_or(io::ProbeResult{}).detail, "killed by signal 9 (KILL)");
}

TEST_F(ProbeCommand, LeavesNothingBehindWhenItIsCancelled) {
    std::optional<io::ProbeResult> result;
    bool has_ended = false;
    boost::asio::cancellation_signal cancel;
    const auto mark = std::filesystem::temp_directory_path() /
                      ("tcplock-cancelled-" + std::to_string(::getpid()));
    boost::asio::co_spawn(
        io_,
        store(commands_.run(script("sleep 1000 & echo $$ > " + mark.string() + "; wait"), patience),
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
