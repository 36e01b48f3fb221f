#include "daemon/calendar.hpp"

#include "core/types.hpp"

#include <algorithm>
#include <ctime>
#include <variant>

namespace tcplock::daemon {

using namespace std::chrono;
using core::CivilTime;
using core::Schedule;

namespace {

// How far local time is ahead of UTC.
seconds offset_at(sys_seconds instant) {
    const std::time_t since_epoch = system_clock::to_time_t(instant);
    std::tm local{};
    ::localtime_r(&since_epoch, &local);
    return seconds{local.tm_gmtoff};
}

CivilTime local(sys_seconds instant) {
    return CivilTime{instant.time_since_epoch() + offset_at(instant)};
}

sys_seconds at_offset(CivilTime civil, seconds offset) {
    return sys_seconds{civil.time_since_epoch() - offset};
}

// The first instant with another offset than `from` has; none if there is none before `to`.
std::optional<sys_seconds> change_between(sys_seconds from, sys_seconds to) {
    const seconds before = offset_at(from);
    sys_seconds same = from;
    sys_seconds other = from;
    while (offset_at(other) == before) {  // No two changes come within a day.
        if (other >= to) {
            return std::nullopt;
        }
        same = other;
        other = std::min(to, other + days{1});
    }
    while (other - same > seconds{1}) {
        const sys_seconds middle = same + (other - same) / 2;
        (offset_at(middle) == before ? same : other) = middle;
    }
    return other;
}

// When the clocks show this time, or pass it by, for the first time.
sys_seconds first_instant(CivilTime civil) {
    constexpr days further_than_any_offset{2};
    const sys_seconds before = at_offset(civil, seconds{0}) - further_than_any_offset;
    const auto change = change_between(before, before + 2 * further_than_any_offset);
    const sys_seconds by_old = at_offset(civil, offset_at(before));
    if (!change || by_old < *change) {
        return by_old;
    }
    return std::max(*change, at_offset(civil, offset_at(*change)));
}

std::optional<sys_seconds> next_fixed(const Schedule& schedule, sys_seconds now) {
    auto civil = schedule.next(local(now));
    while (civil) {
        const sys_seconds instant = first_instant(*civil);
        if (instant > now) {
            return instant;
        }
        civil = schedule.next(*civil);  // It has been, before the clocks were put back.
    }
    return std::nullopt;
}

std::optional<sys_seconds> next_of_any_hour(const Schedule& schedule, sys_seconds now) {
    while (true) {
        const auto civil = schedule.next(local(now));
        if (!civil) {
            return std::nullopt;
        }
        const sys_seconds instant = at_offset(*civil, offset_at(now));
        const auto change = change_between(now, instant);
        if (!change) {
            return instant;
        }
        // Until then it is not due; from then on the clocks show something else.
        if (schedule.next(local(*change) - seconds{1}) == local(*change)) {
            return *change;
        }
        now = *change;
    }
}

}  // namespace

Calendar::Calendar(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        schedules_.push_back(std::get<Schedule>(Schedule::parse(line)));
    }
}

std::optional<sys_seconds> Calendar::next(sys_seconds now) const {
    std::optional<sys_seconds> first;
    for (const Schedule& schedule : schedules_) {
        first = core::earlier(first, schedule.is_of_any_hour() ? next_of_any_hour(schedule, now)
                                                               : next_fixed(schedule, now));
    }
    return first;
}

}  // namespace tcplock::daemon
