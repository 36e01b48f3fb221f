#include "daemon/probing.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace tcplock::daemon {
namespace {

using namespace std::chrono_literals;
using Verdict = core::ProbeEnded::Verdict;

io::ProbeResult answer_after(std::chrono::nanoseconds duration) {
    io::ProbeResult result;
    result.answered = true;
    result.duration = duration;
    return result;
}

TEST(Verdict, OfALateAnswerIsNotThatTheOfficeWasFreeAllAlong) {
    EXPECT_EQ(verdict_of(answer_after(5ms), core::ProbePurpose::idleness), Verdict::answered);
    EXPECT_EQ(verdict_of(answer_after(1s), core::ProbePurpose::idleness), Verdict::busy);
}

TEST(Verdict, OfALateAnswerIsAnAnswerWhereItMayTakeTime) {
    for (const auto purpose : {core::ProbePurpose::readiness, core::ProbePurpose::liveness,
                               core::ProbePurpose::admission}) {
        EXPECT_EQ(verdict_of(answer_after(1s), purpose), Verdict::answered);
    }
}

TEST(Verdict, OfNoAnswerTellsABusyOneFromASilentOne) {
    io::ProbeResult result;
    EXPECT_EQ(verdict_of(result, core::ProbePurpose::admission), Verdict::failed);
    result.is_busy = true;
    EXPECT_EQ(verdict_of(result, core::ProbePurpose::admission), Verdict::busy);
}

}  // namespace
}  // namespace tcplock::daemon
