// The log: one line for each thing that happened, to standard error. If that is the journal, a line
// begins with its priority, and a text leaves the time to the journal.
//
// A line is handed to a bounded ring and written by a thread of its own, so that nobody waits for a
// full disk or a stopped reader. When the ring is full the oldest lines go, and how many is said as
// soon as somebody reads again.
#pragma once

#include "config/config.hpp"
#include "daemon/entry.hpp"

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string_view>

namespace tcplock::daemon {

// From here to stop_logging(), lines are written. Once in a program.
void start_logging(config::LogLevel level, config::LogFormat format);

// The least that is written from now on.
void set_log_level(config::LogLevel level);

// So many lines were not taken in time, and are gone.
std::size_t lines_lost();

// Writes what is in the ring, for at most `limit`; what the reader has not taken by then is lost.
void stop_logging(std::chrono::nanoseconds limit);

// A line under construction; it is written when it goes out of scope.
class Line {
public:
    using Level = config::LogLevel;

    Line(Level level, std::string_view message);
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line();

    // The key is a literal. Foreign text may hold anything: nothing in it can end the line.
    Line& with(std::string_view key, std::string_view value);
    Line& with(std::string_view key, std::uint64_t value);
    Line& with(std::string_view key, std::chrono::nanoseconds value);
    Line& with(std::string_view key, Bytes value);
    // Nothing else is taken for yes or no, least of all a text.
    Line& with(std::string_view key, std::same_as<bool> auto value) { return add(key, value); }

private:
    Line& add(std::string_view key, Value value);

    Entry entry_;
};

}  // namespace tcplock::daemon
