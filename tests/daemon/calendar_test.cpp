#include "daemon/calendar.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

namespace tcplock::daemon {
namespace {

using namespace std::chrono;

// A zone like that of Berlin: one hour ahead of UTC, two from the last Sunday of March, 2:00, to
// that of October, 3:00. In TZ, what is east of Greenwich is negative (POSIX, variable TZ).
constexpr const char* with_summer = "CET-1CEST,M3.5.0,M10.5.0/3";

class CalendarTest : public testing::Test {
protected:
    explicit CalendarTest(const char* zone = "UTC0") {
        if (const char* const before = std::getenv("TZ")) {
            zone_before_ = before;
        }
        be_in(zone);
    }
    ~CalendarTest() override {
        if (zone_before_) {
            ::setenv("TZ", zone_before_->c_str(), 1);
        } else {
            ::unsetenv("TZ");
        }
        ::tzset();
    }

    static void be_in(const char* zone) {
        ::setenv("TZ", zone, 1);
        ::tzset();
    }

private:
    std::optional<std::string> zone_before_;
};

sys_seconds utc(year_month_day day, minutes of_day) {
    return sys_days{day} + of_day;
}

// A Monday.
sys_seconds at(int hour, int minute) {
    return utc(2026y / March / 2, hours{hour} + minutes{minute});
}

TEST_F(CalendarTest, HasNothingDueWithoutLines) {
    EXPECT_EQ(Calendar({}).next(at(12, 0)), std::nullopt);
}

TEST_F(CalendarTest, TakesTheEarliestOfItsLines) {
    const Calendar calendar({"30 3 * * *", "0 22 * * *", "15 12 * * 1"});
    EXPECT_EQ(calendar.next(at(3, 0)), at(3, 30));
    EXPECT_EQ(calendar.next(at(4, 0)), at(12, 15));
    EXPECT_EQ(calendar.next(at(13, 0)), at(22, 0));
    EXPECT_EQ(calendar.next(at(22, 0)), at(3, 30) + days{1});
}

TEST_F(CalendarTest, LooksStrictlyIntoTheFuture) {
    EXPECT_EQ(Calendar({"30 3 * * *"}).next(at(3, 30)), at(3, 30) + days{1});
    EXPECT_EQ(Calendar({"30 3 * * *"}).next(at(3, 30) - seconds{1}), at(3, 30));
}

TEST_F(CalendarTest, IsNotKeptFromItsOtherLinesByOneThatIsNeverDue) {
    EXPECT_EQ(Calendar({"0 0 30 2 *"}).next(at(3, 0)), std::nullopt);
    EXPECT_EQ(Calendar({"0 0 30 2 *", "30 3 * * *"}).next(at(3, 0)), at(3, 30));
}

TEST_F(CalendarTest, IsThatOfTheMachinesZone) {
    be_in("HERE-5:30");
    EXPECT_EQ(Calendar({"30 3 * * *"}).next(at(0, 0)), at(22, 0));
    be_in("THERE8");
    EXPECT_EQ(Calendar({"30 3 * * *"}).next(at(0, 0)), at(11, 30));
}

// When a line is due on a day on which the clocks change, in UTC, minutes after midnight.
class ClockChange : public CalendarTest {
protected:
    ClockChange() : CalendarTest(with_summer) {}

    static std::vector<minutes> due_on(year_month_day day, const std::string& line, int most) {
        const Calendar calendar({line});
        const sys_seconds midnight = utc(day, 0min);
        std::vector<minutes> due;
        auto next = calendar.next(midnight - 1s);
        for (; next && *next < midnight + 4h && most > 0; --most) {
            due.push_back(duration_cast<minutes>(*next - midnight));
            next = calendar.next(*next);
        }
        return due;
    }
};

// From 1:59 to 3:00, at 1:00 UTC.
constexpr auto to_summer = 2026y / March / 29;
// From 2:59 to 2:00, at 1:00 UTC.
constexpr auto to_winter = 2026y / October / 25;

using Due = std::vector<minutes>;

TEST_F(ClockChange, ToSummerMakesAFixedTimeThatIsLeftOutDueAtOnce) {
    EXPECT_EQ(due_on(to_summer, "30 2 * * *", 9), Due{60min});
    EXPECT_EQ(due_on(to_summer, "0,20,40 2 * * *", 9), Due{60min}) << "and only once";
    EXPECT_EQ(due_on(to_summer, "30 1 * * *", 9), Due{30min});
    EXPECT_EQ(due_on(to_summer, "30 3 * * *", 9), Due{90min});
}

TEST_F(ClockChange, ToWinterMakesAFixedTimeThatComesTwiceDueTheFirstTime) {
    EXPECT_EQ(due_on(to_winter, "30 2 * * *", 9), Due{30min});
    EXPECT_EQ(due_on(to_winter, "0 3 * * *", 9), Due{120min});
    EXPECT_EQ(due_on(to_winter, "59 2 * * *", 9), Due{59min});
}

TEST_F(ClockChange, IsNothingToALineOfAnyHour) {
    EXPECT_EQ(due_on(to_summer, "30 * * * *", 9), (Due{30min, 90min, 150min, 210min}));
    EXPECT_EQ(due_on(to_winter, "30 * * * *", 9), (Due{30min, 90min, 150min, 210min}));
    EXPECT_EQ(due_on(to_summer, "0 * * * *", 9), (Due{0min, 60min, 120min, 180min}));
    EXPECT_EQ(due_on(to_winter, "0 * * * *", 9), (Due{0min, 60min, 120min, 180min}));
    EXPECT_EQ(due_on(to_winter, "15 */2 * * *", 9), (Due{15min, 75min, 195min}));
}

}  // namespace
}  // namespace tcplock::daemon
