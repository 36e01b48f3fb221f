#include "core/gate.hpp"

#include <gtest/gtest.h>

namespace tcplock::core {
namespace {

constexpr Instant noon = Instant{} + 12h;

GatePolicy policy_of(std::size_t queue_limit, Duration queue_timeout) {
    GatePolicy policy;
    policy.queue_limit = queue_limit;
    policy.queue_timeout = queue_timeout;
    return policy;
}

TEST(Gate, LetsGoFirstWhoCameFirst) {
    Gate gate(policy_of(10, 1min));
    gate.enter({ClientId{1}, noon});
    gate.enter({ClientId{2}, noon});
    gate.enter({ClientId{3}, noon + 1s});
    EXPECT_EQ(gate.pop().client, ClientId{1});
    EXPECT_EQ(gate.pop().client, ClientId{2});
    EXPECT_EQ(gate.pop().client, ClientId{3});
    EXPECT_TRUE(gate.is_empty());
}

TEST(Gate, GivesOneWhoComesBackHisOldPlaceAndHisOldPatience) {
    Gate gate(policy_of(10, 1min));
    gate.enter({ClientId{1}, noon});
    const Waiter head = gate.pop();
    gate.enter({ClientId{2}, noon + 5s});
    gate.enter(head);
    EXPECT_EQ(gate.deadline(), noon + 1min);
    const Waiter again = gate.pop();
    EXPECT_EQ(again.client, ClientId{1});
    EXPECT_EQ(again.since, noon);
}

TEST(Gate, IsFullAtItsLimitAndNotBefore) {
    Gate gate(policy_of(2, 1min));
    gate.enter({ClientId{1}, noon});
    EXPECT_FALSE(gate.is_full());
    gate.enter({ClientId{2}, noon});
    EXPECT_TRUE(gate.is_full());
    gate.pop();
    EXPECT_FALSE(gate.is_full());
}

TEST(Gate, WithoutALineIsAlwaysFull) {
    EXPECT_TRUE(Gate(policy_of(0, 1min)).is_full());
}

TEST(Gate, TakesBackAClientEvenWhenItIsFull) {
    Gate gate(policy_of(1, 1min));
    gate.enter({ClientId{1}, noon});
    const Waiter head = gate.pop();
    gate.enter({ClientId{2}, noon});
    gate.enter(head);
    EXPECT_EQ(gate.size(), 2U);
    EXPECT_EQ(gate.pop().client, ClientId{1});
}

TEST(Gate, ForgetsWhoLeft) {
    Gate gate(policy_of(10, 1min));
    gate.enter({ClientId{1}, noon});
    gate.enter({ClientId{2}, noon});
    EXPECT_TRUE(gate.leave(ClientId{1}));
    EXPECT_EQ(gate.size(), 1U);
    EXPECT_EQ(gate.pop().client, ClientId{2});
}

TEST(Gate, SaysThatAStrangerWasNotInTheLine) {
    Gate gate(policy_of(10, 1min));
    gate.enter({ClientId{1}, noon});
    EXPECT_FALSE(gate.leave(ClientId{2}));
    EXPECT_TRUE(gate.leave(ClientId{1}));
    EXPECT_FALSE(gate.leave(ClientId{1}));
}

TEST(Gate, LosesPatienceForItsHeadAtTheTimeoutAndNotBefore) {
    Gate gate(policy_of(10, 1min));
    gate.enter({ClientId{1}, noon});
    gate.enter({ClientId{2}, noon + 10s});
    EXPECT_FALSE(gate.head_is_impatient(noon + 1min - 1ns));
    EXPECT_TRUE(gate.head_is_impatient(noon + 1min));
    gate.pop();
    EXPECT_FALSE(gate.head_is_impatient(noon + 1min));
    EXPECT_EQ(gate.deadline(), noon + 10s + 1min);
}

TEST(Gate, HasNoDeadlineWhenNobodyWaits) {
    Gate gate(policy_of(10, 1min));
    EXPECT_FALSE(gate.deadline());
    EXPECT_FALSE(gate.head_is_impatient(noon));
}

TEST(Gate, StandsStillWithEverybodysPatienceWhileItIsPaused) {
    Gate gate(policy_of(10, 1min));
    gate.enter(gate.newcomer(ClientId{1}, noon));
    gate.pause(noon + 50s);
    gate.pause(noon + 55s);
    gate.enter(gate.newcomer(ClientId{2}, noon + 1h));
    EXPECT_FALSE(gate.deadline());
    EXPECT_FALSE(gate.head_is_impatient(noon + 2h));
    gate.resume(noon + 2h);
    gate.resume(noon + 2h);
    EXPECT_EQ(gate.deadline(), noon + 2h + 10s);
    EXPECT_EQ(gate.pop().since, noon);
    EXPECT_EQ(gate.deadline(), noon + 2h + 1min);
}

TEST(Gate, DoesNotHoldWhoseTimeWasUpBeforeThePause) {
    Gate gate(policy_of(10, 1min));
    gate.enter(gate.newcomer(ClientId{1}, noon));
    const Waiter head = gate.pop();
    gate.pause(noon + 1min);
    gate.enter(head);
    EXPECT_TRUE(gate.head_is_impatient(noon + 1min));
}

TEST(Gate, TellsWhoWaitsInTheOrderOfTheLine) {
    Gate gate(policy_of(10, 1min));
    EXPECT_TRUE(gate.in_order().empty());
    EXPECT_FALSE(gate.first());
    gate.enter({ClientId{2}, noon + 1s});
    gate.enter({ClientId{1}, noon});
    const auto line = gate.in_order();
    ASSERT_EQ(line.size(), 2U);
    EXPECT_EQ(gate.first()->client, line[0].client);
    EXPECT_EQ(line[0].client, ClientId{1});
    EXPECT_EQ(line[1].since, noon + 1s);
}

TEST(GateDeathTest, WillNotHoldAClientTwice) {
    Gate gate(policy_of(10, 1min));
    gate.enter({ClientId{1}, noon});
    EXPECT_DEATH(gate.enter({ClientId{1}, noon}), "internal error: a client is in the line twice");
}

TEST(GateDeathTest, WillNotGiveTheHeadOfAnEmptyLine) {
    Gate gate(policy_of(10, 1min));
    EXPECT_DEATH(gate.pop(), "internal error: the head of an empty line");
}

}  // namespace
}  // namespace tcplock::core
