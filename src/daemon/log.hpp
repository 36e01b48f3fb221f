// The log: one line for each thing that happened, as text and key=value, to standard error.
//
// A line is handed to a bounded ring and written by a thread of its own, so that nobody waits for a
// full disk or a stopped reader. When the ring is full the oldest lines go, and how many is said as
// soon as somebody reads again.
#pragma once

#include "config/config.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tcplock::daemon {

// From here to stop_logging(), lines are written. Once in a program.
void start_logging(config::LogLevel level);

// So many lines were not taken in time, and are gone.
std::size_t lines_lost();

// Writes what is in the ring, for at most `limit`; what the reader has not taken by then is lost.
void stop_logging(std::chrono::nanoseconds limit);

// A line under construction; it is written when it goes out of scope.
class Line {
public:
    using Level = config::LogLevel;

    Line(Level level, std::string_view message) : level_(level), text_(message) {}
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line();

    // Values with blanks or quotes are quoted, and nothing in them can end the line.
    Line& with(std::string_view key, std::string_view value);
    Line& with(std::string_view key, std::uint64_t value);
    // Seconds, with milliseconds: "1.310s".
    Line& with(std::string_view key, std::chrono::nanoseconds value);

private:
    Level level_;
    std::string text_;
};

}  // namespace tcplock::daemon
