// The last hour, in intervals of ten seconds: what the pictures on the status page are drawn from.
//
// It keeps a bounded number of figures, however long it runs and however many clients come.
#pragma once

#include "admin/happenings.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tcplock::admin {

// The line and the instances at one moment.
struct Sample {
    std::size_t waiting = 0;
    core::Duration oldest_wait{};
    std::map<std::string, std::uint64_t> memory = {};  // by instance, in bytes
};

class History {
public:
    History(WallTime now, core::Instant instant);

    // Begins a new interval when it is time: to be told before what happens, which has no time of
    // its own.
    void it_is(core::Instant now);

    void admitted(core::Duration waited);
    void refused();
    void left();
    void recycled(const Recycle& recycle);
    // Once a second while there are clients, and now and then otherwise; also before it is shown.
    void sample(const Sample& sample, core::Instant now);

    // Its shape is written in README. `now` is the wall clock's.
    boost::json::object show(WallTime now) const;

private:
    struct Interval {
        std::size_t waiting = 0;
        core::Duration oldest_wait{};
        std::uint64_t admitted = 0;
        std::uint64_t refused = 0;
        std::uint64_t left = 0;
        std::optional<core::Duration> median_wait;
        std::optional<core::Duration> longest_wait;
        std::map<std::string, std::uint64_t> memory;
    };

    void close_interval();

    core::Instant begins_;  // the interval that runs
    WallTime wall_begins_;
    std::vector<core::Duration> waits_;  // of those admitted in it
    std::deque<Interval> intervals_;     // the last one runs
    std::deque<Recycle> recycles_;       // the newest last
};

}  // namespace tcplock::admin
