#include "core/recycle.hpp"

#include <gtest/gtest.h>

namespace tcplock::core {
namespace {

constexpr Instant birth = Instant{} + 100h;

RecyclePolicy policy_of(std::optional<std::uint64_t> max_jobs, std::optional<Duration> max_age) {
    RecyclePolicy policy;
    policy.max_jobs = max_jobs;
    policy.max_age = max_age;
    return policy;
}

TEST(Recycle, IsDueAtTheLastJobAndNotBefore) {
    const auto policy = policy_of(20, std::nullopt);
    EXPECT_EQ(recycle_due({19, birth, 0}, policy, birth), std::nullopt);
    EXPECT_EQ(recycle_due({20, birth, 0}, policy, birth), StopReason::max_jobs);
    EXPECT_EQ(recycle_due({21, birth, 0}, policy, birth), StopReason::max_jobs);
}

TEST(Recycle, IsDueAtTheMaximumAgeAndNotBefore) {
    const auto policy = policy_of(std::nullopt, 24h);
    EXPECT_EQ(recycle_due({0, birth, 0}, policy, birth + 24h - 1ns), std::nullopt);
    EXPECT_EQ(recycle_due({0, birth, 0}, policy, birth + 24h), StopReason::max_age);
}

TEST(Recycle, ComesUpToATenthEarlierByJitter) {
    const auto policy = policy_of(std::nullopt, 10h);
    EXPECT_EQ(old_at({0, birth, 0}, policy), birth + 10h);
    EXPECT_EQ(old_at({0, birth, 0.5}, policy), birth + 9h + 30min);
    const auto earliest = old_at({0, birth, 0.999999}, policy);
    ASSERT_TRUE(earliest);
    EXPECT_GT(*earliest, birth + 9h);
    EXPECT_LT(*earliest, birth + 9h + 1s);
}

TEST(Recycle, NamesTheJobsWhenBothAreDue) {
    EXPECT_EQ(recycle_due({20, birth, 0}, policy_of(20, 1h), birth + 2h), StopReason::max_jobs);
}

TEST(Recycle, NeverComesWhenBothAreOff) {
    const auto policy = policy_of(std::nullopt, std::nullopt);
    EXPECT_EQ(recycle_due({1'000'000, birth, 0}, policy, birth + 100'000h), std::nullopt);
    EXPECT_EQ(old_at({0, birth, 0.5}, policy), std::nullopt);
}

}  // namespace
}  // namespace tcplock::core
