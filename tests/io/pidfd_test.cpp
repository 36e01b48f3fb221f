#include "io/pidfd.hpp"

#include "few_descriptors.hpp"
#include "process_support.hpp"

namespace tcplock::io {
namespace {

class PidfdTest : public ProcessTest {
protected:
    // A living process, as it was when it was last seen.
    ProcessStat somebody() { return read_stat(start(shell("exec sleep 1000")).pid).value(); }
};

// None free, and one, which the hold may take and then have nothing to look with.
class PidfdWithoutDescriptors : public PidfdTest, public ::testing::WithParamInterface<rlim_t> {
protected:
    void SetUp() override {
        if (!may_run_out_of_descriptors) {
            GTEST_SKIP() << "the sanitizers need descriptors of their own for what they check";
        }
    }
};

TEST_F(PidfdTest, HoldsNobodyElseWithTheSameNumber) {
    ProcessStat process = somebody();
    ++process.start_time;
    const Pidfd hold(process);
    EXPECT_TRUE(hold.has_ended());
    EXPECT_FALSE(hold.send(SIGKILL));
    EXPECT_EQ(presence_of(process.pid, process.start_time), Presence::gone);
    EXPECT_EQ(presence_of(process.pid, process.start_time - 1), Presence::alive);
}

TEST_P(PidfdWithoutDescriptors, TakesNobodyForEnded) {
    const ProcessStat process = somebody();
    const Pidfd before(process);
    std::optional<FewDescriptors> few(std::in_place, lowest_free_descriptor() + GetParam());
    const Pidfd during(process);
    EXPECT_FALSE(before.has_ended());
    EXPECT_FALSE(during.has_ended());
    EXPECT_FALSE(before.send(0));
    EXPECT_EQ(static_cast<bool>(during.send(0)), GetParam() == 0) << "said, if it reached nobody";
    few.reset();
    EXPECT_FALSE(during.has_ended());
    EXPECT_FALSE(during.send(SIGKILL));
    EXPECT_TRUE(until([&] { return before.has_ended() && during.has_ended(); }));
}

INSTANTIATE_TEST_SUITE_P(Left, PidfdWithoutDescriptors, ::testing::Values(0, 1));

}  // namespace
}  // namespace tcplock::io
