// When the schedule is due next, by the clock and the time zone of this machine.
//
// The core knows cron lines and civil time; this knows when the clocks change. As in Debian's cron
// a line of fixed hours is due once for each time it names, also on those days: at the change if it
// leaves the time out, and the first time if it comes twice. A line whose hours begin with a star
// follows elapsed time: it goes on through an hour that comes twice, and one that is left out is
// none.
#pragma once

#include "core/schedule.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace tcplock::daemon {

class Calendar {
public:
    // The lines have been checked by config/.
    explicit Calendar(const std::vector<std::string>& lines);

    // The earliest due minute after `now`; none if no line will ever be due.
    std::optional<std::chrono::sys_seconds> next(std::chrono::sys_seconds now) const;

private:
    std::vector<core::Schedule> schedules_;
};

}  // namespace tcplock::daemon
