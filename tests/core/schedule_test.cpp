#include "core/schedule.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

namespace tcplock::core {
namespace {

using namespace std::chrono_literals;

CivilTime at(int year, unsigned month, unsigned day, int hour = 0, int minute = 0, int second = 0) {
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month},
                                           std::chrono::day{day}};
    return std::chrono::local_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
           std::chrono::seconds{second};
}

std::string text(CivilTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    char out[64];
    std::snprintf(out, sizeof out, "%d-%02u-%02u %02d:%02d:%02d", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()),
                  static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return out;
}

// The next time a line is due, as text; "never", or what is wrong with the line.
std::string next(std::string_view line, CivilTime now) {
    const auto parsed = Schedule::parse(line);
    if (const auto* const sentence = std::get_if<std::string>(&parsed)) {
        return *sentence;
    }
    const auto due = std::get<Schedule>(parsed).next(now);
    return due ? text(*due) : "never";
}

std::vector<std::string> next_few(std::string_view line, CivilTime now, int count) {
    std::vector<std::string> found;
    const auto schedule = std::get<Schedule>(Schedule::parse(line));
    for (int i = 0; i < count; ++i) {
        now = *schedule.next(now);
        found.push_back(text(now));
    }
    return found;
}

std::string refusal(std::string_view line) {
    const auto parsed = Schedule::parse(line);
    const auto* const sentence = std::get_if<std::string>(&parsed);
    return sentence == nullptr ? "" : *sentence;
}

using Times = std::vector<std::string>;

TEST(Schedule, IsDueStrictlyAfterNow) {
    EXPECT_EQ(next("30 3 * * *", at(2026, 5, 4, 3, 29, 59)), "2026-05-04 03:30:00");
    EXPECT_EQ(next("30 3 * * *", at(2026, 5, 4, 3, 30, 0)), "2026-05-05 03:30:00");
    EXPECT_EQ(next("30 3 * * *", at(2026, 5, 4, 3, 30, 1)), "2026-05-05 03:30:00");
    EXPECT_EQ(next("* * * * *", at(2026, 5, 4, 3, 30, 59)), "2026-05-04 03:31:00");
}

TEST(Schedule, PassesTheEndsOfMonthsAndYears) {
    EXPECT_EQ(next("* * * * *", at(2026, 12, 31, 23, 59, 59)), "2027-01-01 00:00:00");
    EXPECT_EQ(next("0 0 1 * *", at(2026, 1, 1)), "2026-02-01 00:00:00");
    EXPECT_EQ(next("59 23 31 12 *", at(2026, 12, 31, 23, 59)), "2027-12-31 23:59:00");
    EXPECT_EQ(next_few("0 12 31 * *", at(2026, 1, 1), 4),
              (Times{"2026-01-31 12:00:00", "2026-03-31 12:00:00", "2026-05-31 12:00:00",
                     "2026-07-31 12:00:00"}));
}

TEST(Schedule, KnowsLeapDays) {
    EXPECT_EQ(next("0 0 29 2 *", at(2026, 1, 1)), "2028-02-29 00:00:00");
    EXPECT_EQ(next("0 0 29 2 *", at(2096, 3, 1)), "2104-02-29 00:00:00");
    EXPECT_EQ(next("0 0 29 2 *", at(1999, 3, 1)), "2000-02-29 00:00:00");
    EXPECT_EQ(next("0 0 28-31 2 *", at(2027, 2, 28)), "2028-02-28 00:00:00");
    // A leap day that is a Monday: both day fields must match, since one begins with a star.
    EXPECT_EQ(next("0 0 29 2 */7", at(2026, 1, 1)), "2032-02-29 00:00:00");
}

TEST(Schedule, HasListsRangesAndSteps) {
    EXPECT_EQ(next_few("5,1,3 0 * * *", at(2026, 1, 1), 4),
              (Times{"2026-01-01 00:01:00", "2026-01-01 00:03:00", "2026-01-01 00:05:00",
                     "2026-01-02 00:01:00"}));
    EXPECT_EQ(next_few("*/25 1 * * *", at(2026, 1, 1), 4),
              (Times{"2026-01-01 01:00:00", "2026-01-01 01:25:00", "2026-01-01 01:50:00",
                     "2026-01-02 01:00:00"}));
    EXPECT_EQ(next_few("10-20/5,58-59 7 * * *", at(2026, 1, 1), 6),
              (Times{"2026-01-01 07:10:00", "2026-01-01 07:15:00", "2026-01-01 07:20:00",
                     "2026-01-01 07:58:00", "2026-01-01 07:59:00", "2026-01-02 07:10:00"}));
    EXPECT_EQ(next_few("0 0 1 */5 *", at(2026, 1, 2), 3),
              (Times{"2026-06-01 00:00:00", "2026-11-01 00:00:00", "2027-01-01 00:00:00"}));
    EXPECT_EQ(next("0 */24 * * *", at(2026, 1, 1)), "2026-01-02 00:00:00");
    EXPECT_EQ(next("7-7 * * * *", at(2026, 1, 1)), "2026-01-01 00:07:00");
}

TEST(Schedule, HasNames) {
    EXPECT_EQ(next("0 0 1 feb *", at(2026, 1, 1)), "2026-02-01 00:00:00");
    EXPECT_EQ(next("0 0 1 MAR-Apr,dec *", at(2026, 4, 2)), "2026-12-01 00:00:00");
    // 2026-01-01 is a Thursday.
    EXPECT_EQ(next("0 0 * * Mon", at(2026, 1, 1)), "2026-01-05 00:00:00");
    EXPECT_EQ(next_few("0 0 * * sat-sun", at(2026, 1, 1), 3),
              (Times{"2026-01-03 00:00:00", "2026-01-04 00:00:00", "2026-01-10 00:00:00"}));
    EXPECT_EQ(next("0 0 * * mon-fri/4", at(2026, 1, 1)), "2026-01-02 00:00:00");
}

TEST(Schedule, SundayIsZeroAndSeven) {
    const auto zero = Schedule::parse("0 0 * * 0");
    const auto seven = Schedule::parse("0 0 * * 7");
    EXPECT_EQ(std::get<Schedule>(zero), std::get<Schedule>(seven));
    EXPECT_EQ(zero, Schedule::parse("0 0 * * sun"));
    EXPECT_EQ(Schedule::parse("0 0 * * 5-7"), Schedule::parse("0 0 * * fri,sat,sun"));
    EXPECT_EQ(Schedule::parse("0 0 * * 5-7"), Schedule::parse("0 0 * * fri-sun"));
    EXPECT_EQ(Schedule::parse("0 0 * * 0-6"), Schedule::parse("0 0 * * 1-7"));
    EXPECT_EQ(next("0 0 * * 7", at(2026, 1, 1)), "2026-01-04 00:00:00");
}

TEST(Schedule, EitherDayFieldMatchesWhenBothAreRestricted) {
    // The 13th is a Tuesday, the Fridays are the 2nd, 9th and 16th.
    EXPECT_EQ(next_few("0 0 13 1 fri", at(2026, 1, 1), 4),
              (Times{"2026-01-02 00:00:00", "2026-01-09 00:00:00", "2026-01-13 00:00:00",
                     "2026-01-16 00:00:00"}));
    EXPECT_EQ(next("0 0 13 * *", at(2026, 1, 1)), "2026-01-13 00:00:00");
    EXPECT_EQ(next("0 0 * * fri", at(2026, 1, 1)), "2026-01-02 00:00:00");
    // A field that begins with a star is not restricted, as in cron: both must match.
    EXPECT_EQ(next("0 0 */2 * fri", at(2026, 1, 1)), "2026-01-09 00:00:00");
    // 30 February never comes, but a Monday in February does.
    EXPECT_EQ(next("0 0 30 2 mon", at(2026, 1, 1)), "2026-02-02 00:00:00");
}

TEST(Schedule, ImpossibleDatesNeverCome) {
    EXPECT_EQ(next("0 0 30 2 *", at(2026, 1, 1)), "never");
    EXPECT_EQ(next("0 0 31 2,4,6,9,11 *", at(2026, 1, 1)), "never");
}

TEST(Schedule, AgreesWithALookAtEveryMinute) {
    // The fields, one by one, against a slow and obvious search through two months.
    const auto schedule = std::get<Schedule>(Schedule::parse("*/17 3-5,22 10-12 2 3"));
    CivilTime expected = at(2028, 2, 1);
    CivilTime now = expected;
    const auto is_due = [](CivilTime time) {
        const auto day = std::chrono::floor<std::chrono::days>(time);
        const auto of_day = std::chrono::duration_cast<std::chrono::minutes>(time - day).count();
        const auto hour = of_day / 60;
        const unsigned day_of_month{std::chrono::year_month_day{day}.day()};
        const bool is_day = (day_of_month >= 10 && day_of_month <= 12) ||
                            std::chrono::weekday{day} == std::chrono::Wednesday;
        return of_day % 60 % 17 == 0 && ((hour >= 3 && hour <= 5) || hour == 22) && is_day;
    };
    while (true) {
        do {
            expected += 1min;
        } while (!is_due(expected));
        if (expected >= at(2028, 3, 1)) {
            break;
        }
        now = *schedule.next(now);
        ASSERT_EQ(text(now), text(expected));
    }
    EXPECT_EQ(text(*schedule.next(now)), "2029-02-07 03:00:00");
}

TEST(Schedule, TakesAnyBlanks) {
    EXPECT_EQ(Schedule::parse("  30\t3  * *   * "), Schedule::parse("30 3 * * *"));
}

TEST(Schedule, CountsItsFields) {
    const std::string five = ", expected five: minute, hour, day of month, month, day of week";
    EXPECT_EQ(refusal(""), "found 0 fields" + five);
    EXPECT_EQ(refusal("@daily"), "found 1 field" + five);
    EXPECT_EQ(refusal("0 3 * *"), "found 4 fields" + five);
    EXPECT_EQ(refusal("0 3 * * * *"), "found 6 fields" + five);
}

TEST(Schedule, NamesTheFieldThatIsOutOfRange) {
    EXPECT_EQ(refusal("60 * * * *"),
              "minute: \"60\" is not possible, expected a number from 0 to 59");
    EXPECT_EQ(refusal("* 24 * * *"),
              "hour: \"24\" is not possible, expected a number from 0 to 23");
    EXPECT_EQ(refusal("* * 0 * *"),
              "day of month: \"0\" is not possible, expected a number from 1 to 31");
    EXPECT_EQ(refusal("* * 1-32 * *"),
              "day of month: \"32\" is not possible, expected a number from 1 to 31");
    EXPECT_EQ(refusal("* * * 13 *"),
              "month: \"13\" is not possible, expected a number from 1 to 12 or a name from jan to "
              "dec");
    EXPECT_EQ(
        refusal("* * * * 8"),
        "day of week: \"8\" is not possible, expected a number from 0 to 7 or a name from sun "
        "to sat");
    EXPECT_EQ(
        refusal("99999999999999999999999 * * * *"),
        "minute: \"99999999999999999999999\" is not possible, expected a number from 0 to 59");
}

TEST(Schedule, NamesWhatIsMalformed) {
    EXPECT_EQ(refusal("x * * * *"),
              "minute: \"x\" is not possible, expected a number from 0 to 59");
    EXPECT_EQ(refusal("+5 * * * *"),
              "minute: \"+5\" is not possible, expected a number from 0 to 59");
    EXPECT_EQ(refusal("mon * * * *"),
              "minute: \"mon\" is not possible, expected a number from 0 to 59");
    EXPECT_EQ(refusal("1,,2 * * * *"), "minute: an entry is empty, expected a number from 0 to 59");
    EXPECT_EQ(refusal("* , * * *"), "hour: an entry is empty, expected a number from 0 to 23");
    EXPECT_EQ(refusal("5-1 * * * *"),
              "minute: \"5-1\" runs backwards, expected the smaller end first");
    EXPECT_EQ(refusal("* * * * fri-mon"),
              "day of week: \"fri-mon\" runs backwards, expected the smaller end first");
    EXPECT_EQ(refusal("1-2-3 * * * *"),
              "minute: \"1-2-3\" has more than one dash, expected a range like 1-5");
    EXPECT_EQ(refusal("-5 * * * *"),
              "minute: \"\" is not possible, expected a number from 0 to 59");
    EXPECT_EQ(refusal("*-5 * * * *"),
              "minute: \"*\" is not possible, expected a number from 0 to 59");
    EXPECT_EQ(refusal("*/5/2 * * * *"),
              "minute: \"*/5/2\" has more than one step, expected one like */5");
    EXPECT_EQ(refusal("5/2 * * * *"),
              "minute: \"5/2\" steps from a single value, expected * or a range before the /");
    EXPECT_EQ(refusal("*/0 * * * *"), "minute: \"*/0\" has an impossible step, expected 1 to 60");
    EXPECT_EQ(refusal("*/61 * * * *"), "minute: \"*/61\" has an impossible step, expected 1 to 60");
    EXPECT_EQ(refusal("*/ * * * *"), "minute: \"*/\" has an impossible step, expected 1 to 60");
    EXPECT_EQ(refusal("* */x * * *"), "hour: \"*/x\" has an impossible step, expected 1 to 24");
    EXPECT_EQ(refusal("/5 * * * *"),
              "minute: \"/5\" steps from a single value, expected * or a range before the /");
}

}  // namespace
}  // namespace tcplock::core
