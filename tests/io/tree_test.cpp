#include "io/tree.hpp"

#include "few_descriptors.hpp"
#include "process_support.hpp"

#include <algorithm>
#include <chrono>
#include <sys/prctl.h>

namespace tcplock::io {
namespace {

using namespace std::chrono_literals;

constexpr const char* cookie_name = "TCPLOCK_GENERATION";
// Takes a shell some tenths of a second.
const std::string burn = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";

class TreeTest : public ProcessTest {
protected:
    struct Planted {
        Running& running;
        Tree tree;
    };

    // The pid tells the trees of tests apart that run at the same time.
    Planted plant(ChildSpec spec, const std::string& name = "tree-test") {
        const std::string cookie = std::to_string(::getpid()) + "-" + name;
        spec.environment[cookie_name] = cookie;
        Running& running = start(spec);
        return {running, Tree(running.pid, std::string(cookie_name) + "=" + cookie)};
    }

    // Here a look is always possible, unless a test is about that.
    static std::vector<Member> members_of(Tree& tree) { return tree.scan().value(); }

    static bool has(const std::vector<Member>& members, pid_t pid) {
        return std::any_of(members.begin(), members.end(),
                           [pid](const Member& member) { return member.pid == pid; });
    }

    bool end(Tree& tree) {
        return until([&] {
            tree.signal(SIGKILL);
            return is_gone_for_good(tree);
        });
    }

    bool is_gone_for_good(Tree& tree) {
        std::optional<bool> answer;
        boost::asio::co_spawn(io_, is_empty(tree),
                              [&](const std::exception_ptr&, bool told) { answer = told; });
        return until([&] { return answer.has_value(); }) && *answer;
    }
};

TEST_F(TreeTest, HoldsTheLeaderAndItsDescendants) {
    auto [running, tree] = plant(shell("sh -c 'sleep 1000 & sleep 1001 & wait' & echo up; wait"));
    auto* planted = &tree;
    EXPECT_TRUE(until([planted] { return members_of(*planted).size() == 4; }));
    EXPECT_TRUE(has(members_of(tree), running.pid));
    EXPECT_FALSE(has(members_of(tree), ::getpid()));
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, FindsAnOrphanInAnotherSessionByItsCookie) {
    auto [running, tree] = plant(shell("setsid sleep 1000 > /dev/null 2>&1 & echo $!"));
    ASSERT_TRUE(running.pid != 0);
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_ended(); }));
    const pid_t orphan = std::stoi(running.output);
    ASSERT_TRUE(until([orphan] { return command_line(orphan) == "sleep 1000"; }));
    EXPECT_EQ(read_stat(orphan)->parent, ::getpid());
    const auto members = members_of(tree);
    EXPECT_EQ(members.size(), 1U);
    EXPECT_TRUE(has(members, orphan));
    EXPECT_TRUE(end(tree));
    EXPECT_TRUE(is_gone(orphan));
}

TEST_F(TreeTest, RemembersAnOrphanThatShedItsCookie) {
    auto [running, tree] = plant(shell("env -i setsid sleep 1000 & echo $!; wait"));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("\n"); }));
    const pid_t orphan = std::stoi(running.output);
    ASSERT_TRUE(until([orphan] { return command_line(orphan) == "sleep 1000"; }));
    EXPECT_TRUE(has(members_of(tree), orphan));
    ::kill(running.pid, SIGKILL);
    ASSERT_TRUE(until([leader] { return leader->status.has_value(); }));
    EXPECT_TRUE(has(members_of(tree), orphan));
    EXPECT_TRUE(tree.knows(*read_stat(orphan)));
    EXPECT_TRUE(end(tree));
    EXPECT_TRUE(is_gone(orphan));
}

// Of one in state D, which one is while its child by vfork lives, and of one without arguments and
// environment, as in the middle of an exec; not of one that was given an empty environment.
TEST_F(TreeTest, IsUndecidedAboutWhomItCannotReadYet) {
    auto [running, tree] = plant(shell("exec sleep 1000"));
    const auto begin = [this](const std::string& program) {
        const Running& starter =
            start(shell("env -i setsid " + program + " > /dev/null 2>&1 & echo $!"));
        EXPECT_TRUE(until([&starter] { return starter.has_ended(); }));
        return std::stoi(starter.output);
    };
    const pid_t blocked = begin(CHILD_PROBE " vfork");
    const pid_t textless = begin("env A=1 " CHILD_PROBE " textless");
    const pid_t bare = begin("sleep 1000");
    ASSERT_TRUE(until([=] {
        return read_stat(blocked)->state == 'D' && command_line(textless).front() == '[' &&
               command_line(bare) == "sleep 1000" && carries(bare, {}) == Carries::no;
    }));
    EXPECT_EQ(members_of(tree).size(), 1U);
    EXPECT_TRUE(tree.is_undecided_about(*read_stat(blocked)));
    EXPECT_TRUE(tree.is_undecided_about(*read_stat(textless)));
    EXPECT_FALSE(tree.is_undecided_about(*read_stat(bare)));
    EXPECT_FALSE(tree.is_undecided_about(*read_stat(running.pid)));
    for (const pid_t pid : {blocked, textless, bare}) {
        tree.adopt(*read_stat(pid));
    }
    EXPECT_TRUE(end(tree));
}

// An exec that is under way has laid out the arguments, and not yet the environment.
TEST_F(TreeTest, NeverTakesAnEnvironmentToComeForAnEmptyOne) {
    constexpr int looks = 5000;
    auto [running, tree] = plant({.command = {CHILD_PROBE, "again"}});
    ASSERT_TRUE(running.pid != 0);
    const pid_t child = running.pid;
    ASSERT_TRUE(until([child] { return carries(child, "ENTRY_1=") == Carries::yes; }));
    int found = 0;
    for (int i = 0; i < looks; ++i) {
        const Carries answer = carries(child, "ENTRY_1=");
        found += answer == Carries::yes ? 1 : 0;
        EXPECT_NE(answer, Carries::no);
    }
    EXPECT_GT(found, 0);
    EXPECT_LT(found, looks) << "it was never met in the middle";
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, EndsAnAdoptedChildThatNobodyKnew) {
    auto [running, tree] = plant(shell("env -i setsid sleep 1000 > /dev/null 2>&1 & echo $!"));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_ended(); }));
    const pid_t orphan = std::stoi(running.output);
    ASSERT_TRUE(until([orphan] { return command_line(orphan) == "sleep 1000"; }));
    EXPECT_TRUE(is_gone_for_good(tree));
    const auto children = children_of(::getpid()).value();
    ASSERT_EQ(children.size(), 1U);
    EXPECT_FALSE(reaper_.owns(orphan));
    EXPECT_FALSE(tree.knows(children.front()));
    tree.adopt(children.front());
    EXPECT_FALSE(tree.seems_empty());
    EXPECT_TRUE(end(tree));
    EXPECT_TRUE(is_gone(orphan));
}

TEST_F(TreeTest, ForgotWhomItAdoptedIfThatWasOlderThanItsLeader) {
    const Running& elder = start(shell("sleep 1000 & echo; wait"));
    ASSERT_TRUE(until([&elder] { return elder.has_said("\n"); }));
    const auto is_younger = [&elder](pid_t pid) {
        return read_stat(pid)->start_time > read_stat(elder.pid)->start_time;
    };
    pid_t leader = 0;
    ASSERT_TRUE(until([&] {
        leader = start(shell("exec sleep 1000")).pid;
        return is_younger(leader);
    }));
    Tree tree(leader, "TCPLOCK_GENERATION=none");
    tree.adopt(*read_stat(elder.pid));
    EXPECT_EQ(members_of(tree).size(), 3U) << "with its child";
    EXPECT_EQ(members_of(tree).size(), 3U);
    EXPECT_TRUE(tree.knows(*read_stat(elder.pid)));
    EXPECT_TRUE(end(tree));
    EXPECT_TRUE(is_gone(elder.pid));
}

TEST_F(TreeTest, KnowsItsOwnFromThoseOfAnotherTree) {
    auto one = plant(shell("setsid sleep 1000 & wait"), "tree-test-1");
    auto other = plant(shell("setsid sleep 1000 & wait"), "tree-test-10");
    ASSERT_TRUE(until([&] { return members_of(one.tree).size() == 2; }));
    ASSERT_TRUE(until([&] { return members_of(other.tree).size() == 2; }));
    EXPECT_TRUE(end(one.tree));
    EXPECT_EQ(members_of(other.tree).size(), 2U);
    EXPECT_TRUE(end(other.tree));
}

TEST_F(TreeTest, IsNotEmptyWhileADeadMemberIsNotReaped) {
    auto spawned = spawn(io_, shell("exit 0"));
    const pid_t pid = std::get<Child>(spawned).pid;
    Tree tree(pid, "TCPLOCK_GENERATION=none");
    siginfo_t dead{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &dead, WEXITED | WNOWAIT), 0);
    EXPECT_FALSE(tree.seems_empty());
    EXPECT_TRUE(members_of(tree).front().is_dead());
    EXPECT_TRUE(tree.signal(SIGTERM).refused.empty());
    EXPECT_TRUE(until([&] { return tree.seems_empty(); }));
}

TEST_F(TreeTest, OutlivesTermThatIsIgnoredAndNotKill) {
    auto [running, tree] = plant(shell("trap '' TERM; echo up; while :; do sleep 1; done"));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("up"); }));
    EXPECT_GE(tree.signal(SIGTERM).reached, 1U);
    tree.signal(SIGCONT);
    io_.run_for(std::chrono::milliseconds(100));
    EXPECT_FALSE(tree.seems_empty());
    EXPECT_TRUE(end(tree));
    EXPECT_EQ(running.status->signal, SIGKILL);
}

TEST_F(TreeTest, EndsAStoppedMember) {
    auto [running, tree] = plant(shell("echo up; kill -STOP $$; sleep 1000"));
    const pid_t pid = running.pid;
    ASSERT_TRUE(until([pid] { return read_stat(pid)->state == 'T'; }));
    tree.signal(SIGTERM, SIGCONT);
    const auto* leader = &running;
    EXPECT_TRUE(until([leader] { return leader->status.has_value(); }));
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, EndsAStoppedMemberOfAnotherSession) {
    auto [running, tree] = plant(shell("setsid sh -c 'kill -STOP $$' & wait; echo ended"));
    const pid_t leader = running.pid;
    auto* planted = &tree;
    ASSERT_TRUE(until([planted, leader] {
        const auto members = members_of(*planted);
        return std::any_of(members.begin(), members.end(), [leader](const Member& member) {
            return member.session != leader && member.state == 'T';
        });
    }));
    tree.signal(0, SIGCONT);
    EXPECT_TRUE(until([&started = running] { return started.has_said("ended"); }));
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, SignalsEachMemberOnce) {
    auto [running, tree] =
        plant(shell("trap 'echo term' TERM; echo up; while :; do read x; sleep 0.05; done"));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("up"); }));
    tree.signal(SIGTERM);
    ASSERT_TRUE(until([leader] { return leader->has_said("term"); }));
    io_.run_for(std::chrono::milliseconds(200));
    EXPECT_EQ(running.output.find("term"), running.output.rfind("term")) << running.output;
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, BecomesEmptyThoughItForksWhileDying) {
    auto [running, tree] = plant(probe({"fork-on-term"}));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("ready"); }));
    auto* planted = &tree;
    for (std::size_t count = 1; count <= 5; ++count) {
        tree.signal(SIGTERM);
        ASSERT_TRUE(until([planted, count] { return members_of(*planted).size() > count; }));
    }
    EXPECT_TRUE(end(tree));
    EXPECT_EQ(children_of_ours(), 0U);
}

TEST_F(TreeTest, BecomesEmptyThoughItRunsAwayIntoNewSessions) {
    auto [running, tree] = plant(probe({"run-away"}));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("running"); }));
    EXPECT_TRUE(end(tree));
    EXPECT_EQ(children_of_ours(), 0U);
}

TEST_F(TreeTest, IsNotMisledByANameWithBrackets) {
    auto [running, tree] = plant(probe({"strange-name"}));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("named"); }));
    const auto members = members_of(tree);
    ASSERT_EQ(members.size(), 1U);
    EXPECT_EQ(members.front().name, ") (R 1 1\n");
    EXPECT_EQ(members.front().parent, ::getpid());
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, CountsTheMemoryOfAllMembers) {
    auto [running, tree] =
        plant(shell(std::string(CHILD_PROBE) + " memory & " + CHILD_PROBE + " memory & wait"));
    const auto* leader = &running;
    ASSERT_TRUE(until(
        [leader] { return std::count(leader->output.begin(), leader->output.end(), '\n') == 2; }));
    EXPECT_GE(tree.memory(Tree::Shared::shared_out).value(), 128U << 20U);
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, CountsTheMemoryOfDescendantsAtAGlance) {
    auto [running, tree] = plant(shell("setsid sh -c '" + std::string(CHILD_PROBE) +
                                       " memory; true' & " + CHILD_PROBE + " memory & wait"));
    const auto* leader = &running;
    ASSERT_TRUE(until(
        [leader] { return std::count(leader->output.begin(), leader->output.end(), '\n') == 2; }));
    EXPECT_GE(tree.at_a_glance().memory, 128U << 20U) << "although it has not been scanned";
    EXPECT_LT(tree.at_a_glance().memory, 256U << 20U) << "each once";
    EXPECT_TRUE(end(tree));
    EXPECT_EQ(tree.at_a_glance().memory, 0U);
}

TEST_F(TreeTest, CountsTheProcessorTimeOfDescendantsAlsoOfThoseWhoHaveEnded) {
    auto [running, tree] = plant(shell("sh -c '" + burn + "'; echo ended; sleep 1000"));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("ended"); }));
    const auto used = tree.at_a_glance().processor;
    EXPECT_GT(used, 10ms);
    EXPECT_LT(used, 10s);
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, CountsTheProcessorTimeOfTheDeadUntilTheyAreReaped) {
    auto spawned = spawn(io_, shell(burn));
    const pid_t pid = std::get<Child>(spawned).pid;
    Tree tree(pid, "TCPLOCK_GENERATION=none");
    siginfo_t dead{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &dead, WEXITED | WNOWAIT), 0);
    EXPECT_GT(tree.at_a_glance().processor, 10ms);
    EXPECT_EQ(tree.at_a_glance().memory, 0U);
    EXPECT_TRUE(end(tree));
    EXPECT_EQ(tree.at_a_glance().processor, 0ms);
}

TEST_F(TreeTest, HasNoMemoryToTellOfOnceNobodyIsAlive) {
    auto spawned = spawn(io_, shell("exit 0"));
    const pid_t pid = std::get<Child>(spawned).pid;
    Tree tree(pid, "TCPLOCK_GENERATION=none");
    siginfo_t dead{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &dead, WEXITED | WNOWAIT), 0);
    EXPECT_FALSE(tree.memory(Tree::Shared::shared_out)) << "of a zombie";
    EXPECT_TRUE(end(tree));
    EXPECT_FALSE(tree.memory(Tree::Shared::shared_out)) << "of nobody";
}

TEST_F(TreeTest, TellsWhomItMayNotSignal) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "needs root, to have somebody it may not signal once it is somebody else";
    }
    auto [running, tree] = plant(shell("sleep 1000 & exec setsid -w sleep 1001"));
    auto* planted = &tree;
    ASSERT_TRUE(until([planted] { return members_of(*planted).size() >= 3; }));
    constexpr uid_t nobody = 65534;
    ASSERT_EQ(::setresuid(nobody, nobody, 0), 0);
    const auto result = tree.signal(SIGKILL);
    ASSERT_EQ(::setresuid(0, 0, 0), 0);
    ::prctl(PR_SET_DUMPABLE, 1);  // The change of user took it, and the leak check needs it.
    EXPECT_EQ(result.reached, 0U);
    ASSERT_GE(result.refused.size(), 3U);
    EXPECT_EQ(result.refused.front().error, std::errc::operation_not_permitted);
    EXPECT_TRUE(end(tree));
}

constexpr auto no_lack = "the sanitizers need descriptors of their own for what they check";

TEST_F(TreeTest, ForgetsNobodyWhileItCannotLook) {
    if (!may_run_out_of_descriptors) {
        GTEST_SKIP() << no_lack;
    }
    auto [running, tree] = plant(shell("env -i setsid sleep 1000 & echo $!; wait"));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("\n"); }));
    const pid_t orphan = std::stoi(running.output);
    ASSERT_TRUE(until([orphan] { return command_line(orphan) == "sleep 1000"; }));
    EXPECT_TRUE(has(members_of(tree), orphan));
    ::kill(running.pid, SIGKILL);
    ASSERT_TRUE(until([leader] { return leader->status.has_value(); }));
    const pid_t stray = start(shell("exec sleep 1001")).pid;
    tree.adopt(*read_stat(stray));
    {
        const FewDescriptors none(lowest_free_descriptor());
        EXPECT_FALSE(tree.scan());
        EXPECT_FALSE(tree.seems_empty());
        EXPECT_FALSE(tree.memory(Tree::Shared::shared_out));
    }
    const auto members = members_of(tree);
    EXPECT_EQ(members.size(), 2U);
    EXPECT_TRUE(has(members, orphan));
    EXPECT_TRUE(has(members, stray));
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, KeepsTheLeadersNumberWhileItCannotLook) {
    if (!may_run_out_of_descriptors) {
        GTEST_SKIP() << no_lack;
    }
    // What it leaves behind when told to has no mark but its group.
    auto [running, tree] = plant(shell(
        "trap '(env -i sleep 1000 & echo $!)' USR1; sleep 1001 & echo; while :; do wait; done"));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("\n"); }));
    {
        const FewDescriptors none(lowest_free_descriptor());
        EXPECT_FALSE(tree.seems_empty());
    }
    ::kill(running.pid, SIGUSR1);
    ASSERT_TRUE(until([leader] { return leader->output.size() > 2; }));
    const pid_t orphan = std::stoi(running.output);
    ASSERT_TRUE(until([orphan] {
        return command_line(orphan) == "sleep 1000" && read_stat(orphan)->parent == ::getpid();
    }));
    EXPECT_TRUE(has(members_of(tree), orphan));
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, SignalsTheGroupOfALivingLeaderThoughItCannotLook) {
    if (!may_run_out_of_descriptors) {
        GTEST_SKIP() << no_lack;
    }
    auto [running, tree] =
        plant(shell("trap 'echo term' TERM; sleep 1000 & echo up; while :; do wait; done"));
    const auto* leader = &running;
    ASSERT_TRUE(until([leader] { return leader->has_said("up"); }));
    const auto signal_unseen = [&tree = tree](int number) {
        const FewDescriptors none(lowest_free_descriptor());
        return tree.signal(number).reached;
    };
    EXPECT_EQ(signal_unseen(SIGTERM), 1U);
    EXPECT_TRUE(until([leader] { return leader->has_said("term"); }));
    EXPECT_EQ(signal_unseen(SIGKILL), 1U);
    EXPECT_TRUE(until([leader] { return leader->status.has_value(); }));
    EXPECT_EQ(signal_unseen(SIGKILL), 0U) << "whose the number is now it could not tell";
    EXPECT_TRUE(end(tree));
}

TEST_F(TreeTest, NeverHoldsUsOrInit) {
    Tree ourselves(::getpid(), "TCPLOCK_GENERATION=none");
    Tree init(1, "TCPLOCK_GENERATION=none");
    for (auto* tree : {&ourselves, &init}) {
        EXPECT_TRUE(tree->seems_empty());
        EXPECT_EQ(tree->signal(SIGTERM).reached, 0U);
    }
}

}  // namespace
}  // namespace tcplock::io
