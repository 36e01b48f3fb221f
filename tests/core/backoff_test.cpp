#include "core/backoff.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tcplock::core {
namespace {

std::vector<Duration> pauses(Backoff& backoff, int count) {
    std::vector<Duration> pauses;
    for (int i = 0; i < count; ++i) {
        pauses.push_back(backoff.failed());
    }
    return pauses;
}

TEST(Backoff, DoublesFromTheFirstPauseToTheLongest) {
    Backoff backoff({200ms, 1500ms});
    EXPECT_EQ(pauses(backoff, 6),
              (std::vector<Duration>{200ms, 400ms, 800ms, 1500ms, 1500ms, 1500ms}));
}

TEST(Backoff, BeginsAgainAfterAHealthyLife) {
    Backoff backoff({200ms, 30s});
    pauses(backoff, 5);
    backoff.healthy();
    EXPECT_EQ(pauses(backoff, 2), (std::vector<Duration>{200ms, 400ms}));
}

TEST(Backoff, NeverPausesLongerThanTheLongest) {
    Backoff backoff({1min, 30s});
    EXPECT_EQ(pauses(backoff, 2), (std::vector<Duration>{30s, 30s}));
}

TEST(Backoff, StaysConstantWhenFirstAndLongestAreTheSame) {
    Backoff backoff({1s, 1s});
    EXPECT_EQ(pauses(backoff, 3), (std::vector<Duration>{1s, 1s, 1s}));
}

TEST(Backoff, DoesNotOverflow) {
    Backoff backoff({Duration::max() / 3, Duration::max()});
    EXPECT_EQ(backoff.failed(), Duration::max() / 3);
    EXPECT_EQ(backoff.failed(), Duration::max() / 3 * 2);
    EXPECT_EQ(backoff.failed(), Duration::max());
    EXPECT_EQ(backoff.failed(), Duration::max());
}

}  // namespace
}  // namespace tcplock::core
