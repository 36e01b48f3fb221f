// When a cron line is due, for a test that asks somebody else as well: `due_times FROM TO LINE`, in
// seconds since the epoch, FROM not included. The time zone is that of the environment.

#include "daemon/calendar.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>

int main(int count, char** values) {
    using std::chrono::seconds;
    using std::chrono::sys_seconds;
    if (count != 4) {
        std::cerr << "usage: due_times FROM TO LINE\n";
        return 2;
    }
    const tcplock::daemon::Calendar calendar({values[3]});
    const sys_seconds last{seconds{std::atoll(values[2])}};
    auto due = calendar.next(sys_seconds{seconds{std::atoll(values[1])}});
    for (; due && *due <= last; due = calendar.next(*due)) {
        std::cout << due->time_since_epoch().count() << '\n';
    }
    return 0;
}
