#include "io/orphans.hpp"

#include "few_descriptors.hpp"
#include "process_support.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <sys/prctl.h>

namespace tcplock::io {
namespace {

using namespace std::chrono_literals;

// The orphans here are nobody's children that we know: so no reaper, and no adoption.
class OrphansTest : public ::testing::Test {
protected:
    OrphansTest() { ::prctl(PR_SET_CHILD_SUBREAPER, 0); }

    void SetUp() override {
        if (::getpid() == 1) {
            GTEST_SKIP() << "as process 1 we adopt every orphan, so none is a stranger";
        }
    }

    ~OrphansTest() override {
        for (const pid_t pid : started_) {
            ::kill(pid, SIGKILL);
        }
    }

    // Becomes `command`, by a script if there is one.
    pid_t leave_behind(const std::string& name, const std::string& value,
                       const std::string& command, const std::string& script = {}) {
        const std::string start = script.empty() ? command : "sh -c '" + script + "'";
        ChildSpec spec = shell("setsid " + start + " > /dev/null 2>&1 & echo $!");
        spec.environment[name] = value;
        auto spawned = spawn(io_, spec);
        auto& child = std::get<Child>(spawned);
        ::waitpid(child.pid, nullptr, 0);
        std::array<char, 32> told{};
        [[maybe_unused]] const auto size =
            ::read(child.output.native_handle(), told.data(), told.size() - 1);
        started_.push_back(std::stoi(told.data()));
        // Until the shell has given way to the command, the command line is the shell's.
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (command_line(started_.back()) != command &&
               std::chrono::steady_clock::now() < deadline) {
            ::usleep(1000);
        }
        return started_.back();
    }

    // Until they run; and they end with the test.
    void await(std::set<std::string> commands) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!commands.empty() && std::chrono::steady_clock::now() < deadline) {
            for (const ProcessStat& process :
                 all_processes().value_or(std::vector<ProcessStat>{})) {
                if (commands.erase(command_line(process.pid)) == 1) {
                    started_.push_back(process.pid);
                }
            }
        }
    }

    OrphanReport end(const std::string& id, std::chrono::nanoseconds limit = patience) {
        OrphanReport report;
        boost::asio::co_spawn(io_, end_orphans({"TCPLOCK_SUPERVISOR=" + id, {}, limit}),
                              [&](std::exception_ptr error, OrphanReport told) {
                                  EXPECT_FALSE(error);
                                  report = std::move(told);
                              });
        io_.restart();
        io_.run_for(patience + 5s);
        return report;
    }

    static bool is_ended(pid_t pid) {
        const auto stat = read_stat(pid);
        return !stat || stat->is_dead();
    }

    std::string id_ = "orphans-test-" + std::to_string(::getpid());
    boost::asio::io_context io_{1};
    std::vector<pid_t> started_;
};

TEST_F(OrphansTest, AreEndedByTheirCookieAndStrangersAreNot) {
    const pid_t one = leave_behind("TCPLOCK_SUPERVISOR", id_, "sleep 1001");
    const pid_t two = leave_behind("TCPLOCK_SUPERVISOR", id_, "sleep 1002");
    const pid_t longer = leave_behind("TCPLOCK_SUPERVISOR", id_ + "x", "sleep 1003");
    const pid_t other = leave_behind("X_TCPLOCK_SUPERVISOR", id_, "sleep 1004");

    const auto report = end(id_);
    EXPECT_TRUE(is_ended(one));
    EXPECT_TRUE(is_ended(two));
    EXPECT_FALSE(is_ended(longer));
    EXPECT_FALSE(is_ended(other));
    EXPECT_TRUE(report.still_there.empty());
    ASSERT_EQ(report.ended.size(), 2U);
    for (const auto& orphan : report.ended) {
        EXPECT_EQ(orphan.command_line, orphan.pid == one ? "sleep 1001" : "sleep 1002");
    }
}

TEST_F(OrphansTest, AreEndedThoughTheyIgnoreTermOrAreStopped) {
    const pid_t orphan = leave_behind("TCPLOCK_SUPERVISOR", id_, "sleep 1005");
    ::kill(orphan, SIGSTOP);
    EXPECT_EQ(end(id_).ended.size(), 1U);
    EXPECT_TRUE(is_ended(orphan));
}

TEST_F(OrphansTest, TakeTheirChildrenAndSessionsWithThemAndNobodyElse) {
    // One is in its session alone, the other is its child alone.
    const std::string script = "(env -i sleep 1011 &) ; setsid env -i sleep 1012 & exec sleep 1010";
    const pid_t orphan = leave_behind("TCPLOCK_SUPERVISOR", id_, "sleep 1010", script);
    await({"sleep 1011", "sleep 1012"});
    const pid_t stranger = leave_behind("OTHER", id_, "sleep 1013");
    const auto report = end(id_);
    EXPECT_TRUE(is_ended(orphan));
    EXPECT_FALSE(is_ended(stranger));
    std::multiset<std::string> ended;
    for (const auto& one : report.ended) {
        ended.insert(one.command_line);
    }
    EXPECT_EQ(ended, (std::multiset<std::string>{"sleep 1010", "sleep 1011", "sleep 1012"}));
}

TEST_F(OrphansTest, AreNotLookedForAmongOurOwnDescendants) {
    ChildSpec spec{{"/bin/sleep", "1006"}, {{"TCPLOCK_SUPERVISOR", id_}}, {}, {}, 0, 0, {}, {}, {}};
    auto spawned = spawn(io_, spec);
    const pid_t ours = std::get<Child>(spawned).pid;
    const auto report = end(id_, 200ms);
    EXPECT_TRUE(report.ended.empty());
    EXPECT_FALSE(is_ended(ours));
    ::kill(ours, SIGKILL);
    ::waitpid(ours, nullptr, 0);
}

TEST_F(OrphansTest, AreLookedForUntilWeCanLook) {
    if (!may_run_out_of_descriptors) {
        GTEST_SKIP() << "the sanitizers need descriptors of their own for what they check";
    }
    const pid_t orphan = leave_behind("TCPLOCK_SUPERVISOR", id_, "sleep 1007");
    std::optional<FewDescriptors> none(std::in_place, lowest_free_descriptor());
    boost::asio::steady_timer relief(io_, 100ms);
    relief.async_wait([&none](boost::system::error_code) { none.reset(); });
    EXPECT_EQ(end(id_).ended.size(), 1U);
    EXPECT_TRUE(is_ended(orphan));
}

TEST_F(OrphansTest, AreSaidNotToHaveBeenLookedForIfWeNeverCould) {
    if (!may_run_out_of_descriptors) {
        GTEST_SKIP() << "the sanitizers need descriptors of their own for what they check";
    }
    const boost::asio::steady_timer timer(io_);  // The context needs descriptors of its own.
    const FewDescriptors none(lowest_free_descriptor());
    EXPECT_FALSE(end(id_, 200ms).has_looked);
}

TEST_F(OrphansTest, AreEndedWithTheLastDescriptor) {
    if (!may_run_out_of_descriptors) {
        GTEST_SKIP() << "the sanitizers need descriptors of their own for what they check";
    }
    const pid_t orphan = leave_behind("TCPLOCK_SUPERVISOR", id_, "sleep 1008");
    const FewDescriptors one(lowest_free_descriptor() + 1);
    EXPECT_EQ(end(id_).ended.size(), 1U);
    EXPECT_TRUE(is_ended(orphan));
}

TEST_F(OrphansTest, TakeNoTimeIfThereAreNone) {
    const auto began = std::chrono::steady_clock::now();
    const auto report = end(id_, 1h);
    EXPECT_TRUE(report.has_looked && report.ended.empty() && report.still_there.empty());
    EXPECT_LT(std::chrono::steady_clock::now() - began, 60s);
}

}  // namespace
}  // namespace tcplock::io
