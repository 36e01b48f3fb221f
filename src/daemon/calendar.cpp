#include "daemon/calendar.hpp"

#include "core/types.hpp"

#include <chrono>
#include <ctime>
#include <variant>

namespace tcplock::daemon {

using namespace std::chrono;

Calendar::Calendar(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
        schedules_.push_back(std::get<core::Schedule>(core::Schedule::parse(line)));
    }
}

core::CivilTime Calendar::local_now() {
    const std::time_t now = system_clock::to_time_t(system_clock::now());
    std::tm local{};
    ::localtime_r(&now, &local);
    const local_days day{year{local.tm_year + 1900} / (local.tm_mon + 1) / local.tm_mday};
    return day + hours{local.tm_hour} + minutes{local.tm_min} + seconds{local.tm_sec};
}

std::optional<core::CivilTime> Calendar::next(core::CivilTime now) const {
    std::optional<core::CivilTime> first;
    for (const core::Schedule& schedule : schedules_) {
        first = core::earlier(first, schedule.next(now));
    }
    return first;
}

}  // namespace tcplock::daemon
