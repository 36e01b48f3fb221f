#include "daemon/kinship.hpp"

#include "../io/few_descriptors.hpp"
#include "../io/process_support.hpp"
#include "io/socket.hpp"

#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

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

// Real processes: lives whose leaders are shells, and strays that carry no mark of anybody.
class Strayed : public io::ProcessTest {
protected:
    ~Strayed() override {
        const auto children = io::children_of(::getpid()).value();
        for (const io::ProcessStat& child : children) {
            ::kill(child.pid, SIGKILL);
        }
    }

    Life& begin(std::uint64_t number, const std::string& script) {
        const std::string value = std::to_string(::getpid()) + "-" + std::to_string(number);
        io::ChildSpec spec = io::shell(script);
        spec.environment[generation_variable] = value;
        Running& running = start(spec);
        leaders_[number] = &running;
        Setting setting;
        setting.cookie = std::string(generation_variable) + "=" + value;
        io::Tree tree(running.pid, setting.cookie);
        const core::Generation generation{number};
        const auto life = std::make_shared<Life>(
            Life{generation, core::PlaceId{}, std::move(setting), std::move(tree)});
        lives_[generation] = life;
        return *life;
    }

    // One that leaves a process behind when told to, outside its session and without a parent, with
    // its cookie.
    Life& begin_forker(std::uint64_t number) {
        Life& life = begin(number,
                           "trap '(setsid sleep 1001 > /dev/null 2>&1 & echo $!)' USR1; "
                           "sleep 1000 & echo; while :; do wait; done");
        EXPECT_TRUE(until([&] { return leaders_[number]->has_said("\n"); }));
        return life;
    }

    pid_t told_to_fork(std::uint64_t number) {
        Running& leader = *leaders_[number];
        ::kill(leader.pid, SIGUSR1);
        EXPECT_TRUE(until([&leader] { return leader.output.size() > 2; }));
        return settled(std::stoi(leader.output.substr(1)), "sleep 1001");
    }

    pid_t leave_a_stray(const std::string& as = "") {
        const Running& starter =
            start(io::shell("env -i setsid " + as + " sleep 1000 > /dev/null 2>&1 & echo $!"));
        EXPECT_TRUE(until([&starter] { return starter.has_ended(); }));
        return settled(std::stoi(starter.output), "sleep 1000");
    }

    pid_t settled(pid_t pid, const std::string& command) {
        EXPECT_TRUE(until([&] {
            const auto stat = io::read_stat(pid);
            return stat && stat->parent == ::getpid() && io::command_line(pid) == command;
        }));
        return pid;
    }

    pid_t leave_one_in_state_d() {
        const Running& starter =
            start(io::shell("env -i setsid " CHILD_PROBE " vfork > /dev/null 2>&1 & echo $!"));
        EXPECT_TRUE(until([&starter] { return starter.has_ended(); }));
        return in_state_d(std::stoi(starter.output));
    }

    pid_t in_state_d(pid_t pid) {
        EXPECT_TRUE(until([pid] {
            const auto stat = io::read_stat(pid);
            return stat && stat->parent == ::getpid() && stat->state == 'D';
        }));
        return pid;
    }

    // Whoever begins now is.
    void wait_until_younger_than(pid_t pid) {
        const auto ticks = [] {
            timespec now{};
            ::clock_gettime(CLOCK_BOOTTIME, &now);
            const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
            return (static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                    static_cast<std::uint64_t>(now.tv_nsec)) /
                   (1'000'000'000 / per_second);
        };
        ASSERT_TRUE(until([&] { return ticks() > io::read_stat(pid)->start_time; }));
    }

    static bool has(Life& life, pid_t pid) {
        const auto members = life.tree.scan().value();
        return std::any_of(members.begin(), members.end(),
                           [pid](const auto& member) { return member.pid == pid; });
    }

    static bool has_any_alive_beside_its_leader(Life& life) {
        const auto members = life.tree.scan().value();
        return std::any_of(members.begin(), members.end(), [&life](const auto& member) {
            return member.pid != life.tree.leader() && !member.is_dead();
        });
    }

    bool end(Life& life) {
        return until([&life] {
            life.tree.signal(SIGKILL);
            return life.tree.seems_empty();
        });
    }

    Lives lives_;
    std::map<std::uint64_t, Running*> leaders_;
    Commands commands_{io_, reaper_};
    Kinship kinship_{reaper_, lives_, commands_, ::getuid()};
};

TEST_F(Strayed, IsAdoptedOnceAndEndsWithTheGeneration) {
    Life& life = begin(1, "exec sleep 1000");
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::none);
    const pid_t stray = leave_a_stray();
    EXPECT_FALSE(has(life, stray));
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::some);
    EXPECT_TRUE(has(life, stray));
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::none) << "it is known";
    EXPECT_TRUE(end(life));
    EXPECT_TRUE(io::is_gone(stray));
}

TEST_F(Strayed, WasForgottenAtOnceIfItWasOlderThanTheGeneration) {
    const pid_t stray = leave_a_stray();
    wait_until_younger_than(stray);
    Life& life = begin(1, "exec sleep 1000");
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::some);
    EXPECT_TRUE(has(life, stray));
    EXPECT_TRUE(has(life, stray)) << "at the next scan as well";
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::none);
    EXPECT_TRUE(end(life));
    EXPECT_TRUE(io::is_gone(stray));
}

TEST_F(Strayed, IsNobodyWhomAReaperOwns) {
    Life& life = begin(1, "exec sleep 1000");
    const pid_t owned = start(io::shell("exec sleep 1000")).pid;
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::none);
    EXPECT_FALSE(has(life, owned));
    EXPECT_TRUE(end(life));
}

TEST_F(Strayed, WasWhoeverAnotherGenerationHadForkedSinceItsLastScan) {
    Life& ending = begin(1, "exec sleep 1000");
    Life& serving = begin_forker(2);
    ASSERT_TRUE(serving.tree.scan()) << "when it became ready";
    const pid_t forked = told_to_fork(2);
    EXPECT_EQ(kinship_.adopt_strays(ending), Strays::none);
    EXPECT_FALSE(has(ending, forked));
    EXPECT_TRUE(has(serving, forked));
    EXPECT_TRUE(end(ending));
    EXPECT_FALSE(io::is_gone(forked));
    EXPECT_TRUE(end(serving));
}

TEST_F(Strayed, IsNotAdoptedFromQuarantineWhileAnotherGenerationIsThere) {
    Life& quarantined = begin(1, "exec sleep 1000");
    quarantined.is_quarantined = true;
    Life& serving = begin(2, "exec sleep 1000");
    const pid_t stray = leave_a_stray();
    EXPECT_EQ(kinship_.adopt_strays(quarantined), Strays::none);
    EXPECT_FALSE(has(quarantined, stray));
    EXPECT_EQ(kinship_.adopt_strays(serving), Strays::some);
    EXPECT_TRUE(end(serving));
    EXPECT_TRUE(io::is_gone(stray));
    EXPECT_TRUE(end(quarantined));
}

TEST_F(Strayed, IsAdoptedFromQuarantineIfNobodyElseIsThere) {
    Life& quarantined = begin(1, "exec sleep 1000");
    quarantined.is_quarantined = true;
    const pid_t stray = leave_a_stray();
    EXPECT_EQ(kinship_.adopt_strays(quarantined), Strays::some);
    EXPECT_TRUE(end(quarantined));
    EXPECT_TRUE(io::is_gone(stray));
}

TEST_F(Strayed, IsNobodyWhoRunsAsNeitherUsNorTheBackends) {
    if (::getuid() != 0) {
        GTEST_SKIP() << "only root can run something as somebody else";
    }
    constexpr uid_t other = 4'000'000'003;
    Life& life = begin(1, "exec sleep 1000");
    const pid_t foreign = leave_a_stray("setpriv --clear-groups --reuid " + std::to_string(other));
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::none);
    EXPECT_FALSE(has(life, foreign));
    EXPECT_TRUE(end(life));
    EXPECT_FALSE(io::is_gone(foreign));
}

TEST_F(Strayed, MayRunAsTheBackends) {
    if (::getuid() != 0) {
        GTEST_SKIP() << "only root can run something as somebody else";
    }
    Kinship kinship(reaper_, lives_, commands_, backends_user);
    Life& life = begin(1, "exec sleep 1000");
    const pid_t stray =
        leave_a_stray("setpriv --clear-groups --reuid " + std::to_string(backends_user));
    EXPECT_EQ(kinship.adopt_strays(life), Strays::some);
    EXPECT_TRUE(has(life, stray));
    EXPECT_TRUE(end(life));
}

TEST_F(Strayed, CannotBeToldIfWeBeganWithChildrenOfOurOwn) {
    const pid_t stray = leave_a_stray();
    Kinship began_late(reaper_, lives_, commands_, ::getuid());
    Life& life = begin(1, "exec sleep 1000");
    EXPECT_EQ(began_late.adopt_strays(life), Strays::none);
    EXPECT_FALSE(has(life, stray));
    EXPECT_TRUE(end(life));
}

TEST_F(Strayed, CountsWhenDeadUntilItIsReaped) {
    Life& life = begin(1, "exec sleep 1000");
    const pid_t stray = leave_a_stray();
    ::kill(stray, SIGKILL);
    siginfo_t dead{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(stray), &dead, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::some);
    EXPECT_TRUE(has(life, stray));
    ASSERT_TRUE(until([stray] { return io::is_gone(stray); }));
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::none);
    EXPECT_TRUE(end(life));
}

// Nothing can be read of one in state D, as in the middle of an exec: here, while its child by
// vfork lives.
TEST_F(Strayed, IsLeftAloneForAWhileIfItMightBeAnothers) {
    Life& life = begin(1, "exec sleep 1000");
    Life& other = begin(2, "exec sleep 1000");
    const pid_t stray = leave_one_in_state_d();
    const auto met = std::chrono::steady_clock::now();
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::could_not_look);
    EXPECT_FALSE(has(life, stray));
    EXPECT_TRUE(until([&] { return kinship_.adopt_strays(life) == Strays::some; }));
    EXPECT_GE(std::chrono::steady_clock::now() - met, std::chrono::seconds(1));
    EXPECT_TRUE(has(life, stray));
    EXPECT_TRUE(end(life));
    EXPECT_TRUE(io::is_gone(stray));
    EXPECT_TRUE(end(other));
}

TEST_F(Strayed, IsAdoptedAtOnceIfThereIsNobodyElse) {
    Life& life = begin(1, "exec sleep 1000");
    const pid_t stray = leave_one_in_state_d();
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::some);
    EXPECT_TRUE(has(life, stray));
    EXPECT_TRUE(end(life));
}

// The generation began after the stray, so that a command alone may be in doubt.
TEST_F(Strayed, IsLeftAloneIfItMightBeACommands) {
    bool has_ended = false;
    boost::asio::co_spawn(
        io_,
        commands_.run(io::shell("exec sleep 1000"), std::chrono::minutes(1),
                      Commands::Outliving::killed),
        [&has_ended](const std::exception_ptr&, const CommandResult&) { has_ended = true; });
    ASSERT_TRUE(until([this] { return commands_.is_any_running(); }));
    const pid_t stray = leave_one_in_state_d();
    wait_until_younger_than(stray);
    Life& life = begin(1, "exec sleep 1000");
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::could_not_look);
    EXPECT_FALSE(has(life, stray));
    commands_.kill_all();
    EXPECT_TRUE(until([&has_ended] { return has_ended; }));
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::some);
    EXPECT_TRUE(has(life, stray));
    EXPECT_TRUE(end(life));
}

TEST_F(Strayed, IsLeftAloneAnewIfTheLastWasLongAgo) {
    Life& life = begin(1, "exec sleep 1000");
    Life& other = begin(2, "exec sleep 1000");
    const pid_t first = leave_one_in_state_d();
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::could_not_look);
    const auto met = std::chrono::steady_clock::now();
    const std::vector<io::ProcessStat> children = io::children_of(first).value();
    ASSERT_EQ(children.size(), 1U);
    ::kill(first, SIGKILL);
    ::kill(children.front().pid, SIGKILL);
    ASSERT_TRUE(until([&] { return io::is_gone(first) && io::is_gone(children.front().pid); }));
    const pid_t second = leave_one_in_state_d();
    const auto long_ago = met + std::chrono::milliseconds(2500);
    ASSERT_TRUE(until([long_ago] { return std::chrono::steady_clock::now() > long_ago; }));
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::could_not_look);
    EXPECT_FALSE(has(life, second));
    EXPECT_TRUE(until([&] { return kinship_.adopt_strays(life) == Strays::some; }));
    EXPECT_TRUE(end(life));
    EXPECT_TRUE(end(other));
}

TEST_F(Strayed, IsLeftAloneNoLongerIfItHandsOnToTheNext) {
    Life& life = begin(1, "exec sleep 1000");
    Life& other = begin(2, "exec sleep 1000");
    const Running& first =
        start({.command = {CHILD_PROBE, "textless-on"}, .environment = {{"A", "1"}}});
    ASSERT_TRUE(until([&first] { return first.status.has_value(); }));
    EXPECT_TRUE(until([&] { return kinship_.adopt_strays(life) == Strays::could_not_look; }));
    EXPECT_TRUE(until([&] {
        kinship_.adopt_strays(life);
        return has_any_alive_beside_its_leader(life);
    }));
    EXPECT_TRUE(end(life));
    EXPECT_TRUE(end(other));
}

TEST_F(Strayed, IsNotWaitedForIfAnotherGenerationKnowsIt) {
    Life& ending = begin(1, "exec sleep 1000");
    Life& serving = begin(2, "(" CHILD_PROBE " vfork > /dev/null 2>&1 & echo $!); exec sleep 1000");
    EXPECT_TRUE(until([this] { return leaders_[2]->has_said("\n"); }));
    const pid_t stray = in_state_d(std::stoi(leaders_[2]->output));
    EXPECT_EQ(kinship_.adopt_strays(ending), Strays::none);
    EXPECT_TRUE(has(serving, stray));
    EXPECT_TRUE(end(ending));
    EXPECT_TRUE(end(serving));
}

TEST_F(Strayed, IsNotSaidToBeNobodyIfWeCouldNotLook) {
    if (!io::may_run_out_of_descriptors) {
        GTEST_SKIP() << "the sanitizers need descriptors of their own for what they check";
    }
    Life& life = begin(1, "exec sleep 1000");
    {
        const io::FewDescriptors none(io::lowest_free_descriptor());
        EXPECT_EQ(kinship_.adopt_strays(life), Strays::could_not_look);
        EXPECT_NE(kinship_.doubt_who_answers(life).find("could not be looked up"),
                  std::string::npos);
    }
    EXPECT_TRUE(end(life));
}

// Whoever answers: the generation itself, one who fled from it, or a stranger.
class Answering : public Strayed {
protected:
    static io::tcp::endpoint loopback(int port) {
        return {boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)};
    }
};

TEST_F(Answering, IsNotDoubtedOfTheGenerationItself) {
    Life& life = begin(1, std::string("exec ") + CHILD_PROBE + " listen");
    const Running& leader = *leaders_[1];
    ASSERT_TRUE(until([&leader] { return leader.has_said("\n"); }));
    life.setting.address = loopback(std::stoi(leader.output));
    EXPECT_EQ(kinship_.doubt_who_answers(life), "");
    EXPECT_TRUE(end(life));
}

TEST_F(Answering, IsNotDoubtedOfTheGenerationItselfWhoeverElseIsThere) {
    Life& life = begin(1, std::string("exec ") + CHILD_PROBE + " listen");
    Life& other = begin(2, "exec sleep 1000");
    const Running& leader = *leaders_[1];
    ASSERT_TRUE(until([&leader] { return leader.has_said("\n"); }));
    life.setting.address = loopback(std::stoi(leader.output));
    leave_one_in_state_d();
    EXPECT_EQ(kinship_.doubt_who_answers(life), "");
    EXPECT_EQ(kinship_.adopt_strays(life), Strays::could_not_look);
    EXPECT_TRUE(until([&] { return kinship_.adopt_strays(life) == Strays::some; }));
    EXPECT_TRUE(end(life));
    EXPECT_TRUE(end(other));
}

TEST_F(Answering, IsNotDoubtedOfAStray) {
    const Running& starter =
        start(io::shell(std::string("env -i setsid ") + CHILD_PROBE + " listen & exit 0"));
    ASSERT_TRUE(until([&] { return starter.status && starter.has_said("\n"); }));
    Life& life = begin(1, "exec sleep 1000");
    life.setting.address = loopback(std::stoi(starter.output));
    EXPECT_EQ(kinship_.doubt_who_answers(life), "");
    EXPECT_TRUE(end(life));
    EXPECT_TRUE(until([&starter] { return starter.is_drained; })) << "it has ended as well";
}

TEST_F(Answering, IsDoubtedOfAStranger) {
    Life& life = begin(1, "exec sleep 1000");
    io::tcp::acceptor stranger(io_, loopback(0));
    life.setting.address = stranger.local_endpoint();
    const std::string doubt = kinship_.doubt_who_answers(life);
    EXPECT_NE(doubt.find("is answered by a stranger, process " + std::to_string(::getpid())),
              std::string::npos)
        << doubt;
    EXPECT_TRUE(end(life));
}

TEST_F(Answering, IsDoubtedOfAnotherGeneration) {
    Life& other = begin(1, std::string("exec ") + CHILD_PROBE + " listen");
    const Running& leader = *leaders_[1];
    ASSERT_TRUE(until([&leader] { return leader.has_said("\n"); }));
    Life& life = begin(2, "exec sleep 1000");
    life.setting.address = loopback(std::stoi(leader.output));
    EXPECT_NE(kinship_.doubt_who_answers(life).find("is answered by a stranger"),
              std::string::npos);
    EXPECT_TRUE(end(life));
    EXPECT_TRUE(end(other));
}

}  // namespace
}  // namespace tcplock::daemon
