// A cron line, and the next time it is due.
//
// Pure civil time: no clock and no time zone. Whoever asks turns local time into civil time and
// the answer back. Five fields as in crontab(5): minute, hour, day of month, month, day of week;
// each `*`, a number, `a-b`, `*/n`, `a-b/n` or a list of these; names for months and days; Sunday
// is 0 and 7. When both day fields are restricted, either may match.
#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace tcplock::core {

using CivilTime = std::chrono::local_seconds;

class Schedule {
public:
    // The schedule, or one sentence that says which field is wrong and what was expected.
    static std::variant<Schedule, std::string> parse(std::string_view line);

    // The first due minute strictly after `now`; none if no day ever matches (30 February).
    std::optional<CivilTime> next(CivilTime now) const;

    // Whether its hours are a pattern (`*`, `*/2`) and no fixed times: what matters when the clocks
    // change. As in cron, the field begins with a star.
    bool is_of_any_hour() const noexcept { return any_hour_; }

    bool operator==(const Schedule&) const = default;

private:
    bool matches_day(std::chrono::local_days day) const;

    std::bitset<60> minutes_;
    std::bitset<24> hours_;
    std::bitset<32> days_of_month_;
    std::bitset<13> months_;
    std::bitset<7> days_of_week_;
    bool any_hour_ = false;
    bool any_day_of_month_ = false;
    bool any_day_of_week_ = false;
};

}  // namespace tcplock::core
