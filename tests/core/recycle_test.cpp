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

TEST(Recycle, ComesAfterTheLastJobAndNotBefore) {
    const auto policy = policy_of(20, std::nullopt);
    EXPECT_FALSE(is_worn_out({19, birth, 0}, policy));
    EXPECT_TRUE(is_worn_out({20, birth, 0}, policy));
    EXPECT_TRUE(is_worn_out({21, birth, 0}, policy));
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

TEST(Recycle, NeverComesWhenBothAreOff) {
    const auto policy = policy_of(std::nullopt, std::nullopt);
    EXPECT_FALSE(is_worn_out({1'000'000, birth, 0}, policy));
    EXPECT_EQ(old_at({0, birth, 0.5}, policy), std::nullopt);
}

}  // namespace
}  // namespace tcplock::core
