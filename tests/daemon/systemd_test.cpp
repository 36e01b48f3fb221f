#include "daemon/systemd.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

using namespace std::chrono_literals;

admin::View serving() {
    admin::View view;
    view.instant = core::Instant{} + 1h;
    view.has_served = true;
    return view;
}

core::Waiter waiter(std::uint64_t client, core::Instant since) {
    return {core::ClientId{client}, since};
}

TEST(StatusInWords, TellsOfAnEmptyLine) {
    EXPECT_EQ(status_in_words(serving()), "serving, nobody waits");
    admin::View starting = serving();
    starting.has_served = false;
    EXPECT_EQ(status_in_words(starting), "starting, nobody waits");
}

TEST(StatusInWords, TellsWhoIsInsideAndForHowLongTheFirstHasWaited) {
    admin::View view = serving();
    view.core.sessions.push_back({core::ClientId{1}, core::Generation{1}, {}, {}, {}});
    view.core.waiting = {waiter(2, view.instant - 12'999ms)};
    EXPECT_EQ(status_in_words(view), "serving, 1 inside, 1 waits, for 12 s");
    view.core.waiting.push_back(waiter(3, view.instant - 5s));
    EXPECT_EQ(status_in_words(view), "serving, 1 inside, 2 wait, the first for 12 s");
    view.core.waiting[0].since = view.instant - 3min;
    EXPECT_EQ(status_in_words(view), "serving, 1 inside, 2 wait, the first for 3 min 0 s");
}

TEST(StatusInWords, TellsOfTheEnd) {
    admin::View view = serving();
    view.core.mode = core::Mode::draining;
    view.core.waiting = {waiter(2, view.instant - 1s), waiter(3, view.instant)};
    EXPECT_EQ(status_in_words(view), "draining, 2 wait, the first for 1 s");
    view.core.mode = core::Mode::closing;
    view.core.waiting.clear();
    EXPECT_EQ(status_in_words(view), "closing, nobody waits");
}

TEST(StatusInWords, TellsWhyNobodyIsServed) {
    admin::View view = serving();
    view.core.is_failing = true;
    core::PlaceView place;
    place.failed_in_a_row = 7;
    view.core.places = {place};
    EXPECT_EQ(status_in_words(view),
              "failing, nobody waits: the backend does not start, 7 times in a row; its log lines "
              "say why");
}

class WatchdogLimit : public testing::Test {
protected:
    ~WatchdogLimit() override {
        ::unsetenv("WATCHDOG_USEC");
        ::unsetenv("WATCHDOG_PID");
    }
    static void is_told(const char* microseconds) { ::setenv("WATCHDOG_USEC", microseconds, 1); }
    static void means(const std::string& pid) { ::setenv("WATCHDOG_PID", pid.c_str(), 1); }
};

TEST_F(WatchdogLimit, IsWhatSystemdSays) {
    EXPECT_EQ(watchdog_limit(), std::nullopt);
    is_told("30000000");
    EXPECT_EQ(watchdog_limit(), std::optional<std::chrono::microseconds>(30s));
    means(std::to_string(::getpid()));
    EXPECT_EQ(watchdog_limit(), std::optional<std::chrono::microseconds>(30s));
}

TEST_F(WatchdogLimit, IsNoneIfSomebodyElseIsMeant) {
    is_told("30000000");
    means(std::to_string(::getppid()));
    EXPECT_EQ(watchdog_limit(), std::nullopt);
}

TEST_F(WatchdogLimit, IsNoneIfItIsNoNumberAboveNothing) {
    for (const char* const text : {"", "0", "-1", "1e6", "30s", "99999999999999999999"}) {
        is_told(text);
        EXPECT_EQ(watchdog_limit(), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace tcplock::daemon
