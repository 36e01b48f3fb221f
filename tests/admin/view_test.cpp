#include "admin/view.hpp"

#include "example.hpp"

#include <gtest/gtest.h>

namespace tcplock::admin {
namespace {

using test::example;

void expect_condition(const View& view, const std::string& state, bool is_ready,
                      const std::string& why) {
    const Condition condition = condition_of(view);
    EXPECT_EQ(condition.state, state);
    EXPECT_EQ(condition.is_ready, is_ready);
    EXPECT_EQ(condition.why, why);
}

TEST(Condition, IsReadyWhileItServes) {
    expect_condition(example(), "serving", true, "");
}

TEST(Condition, IsReadyWhileABackendIsRecycled) {
    View view = example();
    view.core.places[2].phase = core::Phase::stopping;
    expect_condition(view, "serving", true, "");
}

TEST(Condition, IsNotReadyBeforeTheFirstAnswer) {
    View view = example();
    view.has_served = false;
    expect_condition(view, "starting", false, "the backend has not answered yet");
}

TEST(Condition, IsReadyWhenTheNextClientWakesIt) {
    View view = example();
    view.core.is_asleep = true;
    expect_condition(view, "asleep", true,
                     "nobody came for long; the next client starts the backend");
}

TEST(Condition, IsNotReadyWhenNewcomersAreRefusedOrHeld) {
    View view = example();
    view.core.is_full = true;
    expect_condition(view, "full", false, "the line is full, 2 clients wait");
    view.core.is_failing = true;
    expect_condition(view, "failing", false,
                     "the backend does not start, 3 times in a row; its log lines say why");
    view.core.paused_since = view.instant;
    expect_condition(view, "paused", false, "an operator has paused it; resume it with: resume");
    view.core.mode = core::Mode::draining;
    expect_condition(view, "draining", false,
                     "it is shutting down, and serves the 2 clients that wait");
    view.core.mode = core::Mode::closing;
    expect_condition(view, "closing", false, "it is shutting down");
}

}  // namespace
}  // namespace tcplock::admin
