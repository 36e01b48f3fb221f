// Signals a backend can be asked to stop by, by their names.
//
// Names only: numbers differ between systems and say nothing to a reader.
#pragma once

#include "config/problem.hpp"

#include <string_view>

namespace tcplock::config {

inline constexpr std::string_view expected_signal = "TERM, INT, QUIT, HUP, USR1, USR2 or KILL";

// With or without `SIG` in front.
Parsed<int> parse_signal(std::string_view text);

// Without `SIG`; empty for a number that parse_signal never gives.
std::string_view signal_name(int number);

}  // namespace tcplock::config
