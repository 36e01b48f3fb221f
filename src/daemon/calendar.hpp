// When the schedule is due next, by the local clock.
//
// The core knows cron lines and civil time; this turns the machine's time into civil time. Whoever
// waits for a due time should look again now and then: the clock may be set, and summer may come.
#pragma once

#include "core/schedule.hpp"

#include <optional>
#include <string>
#include <vector>

namespace tcplock::daemon {

class Calendar {
public:
    // The lines have been checked by config/.
    explicit Calendar(const std::vector<std::string>& lines);

    static core::CivilTime local_now();

    // The earliest due minute after `now`; none without lines.
    std::optional<core::CivilTime> next(core::CivilTime now) const;

private:
    std::vector<core::Schedule> schedules_;
};

}  // namespace tcplock::daemon
