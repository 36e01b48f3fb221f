// Durations as they are written: a whole number and a unit, `250ms 20s 5min 24h 7d`.
//
// No decimals, no sums, no bare numbers: a limit that is off by a factor of a thousand should not
// load. Nothing longer than 365 days, so that sums of durations never overflow.
#pragma once

#include "config/problem.hpp"
#include "core/types.hpp"

#include <string>
#include <string_view>

namespace tcplock::config {

inline constexpr std::string_view expected_duration = "a duration like 250ms, 20s, 5min or 24h";

Parsed<core::Duration> parse_duration(std::string_view text);

// In the largest unit of which there are at least two, so that 60s stays 60s. Rounded down to
// milliseconds, the smallest unit that can be written.
std::string to_text(core::Duration duration);

}  // namespace tcplock::config
