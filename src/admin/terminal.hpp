// A terminal: whether it may be given colours, and a view on it that is drawn anew every second
// until the operator leaves.
#pragma once

#include "admin/words.hpp"

#include <functional>
#include <string>
#include <vector>

namespace tcplock::admin {

// Standard output is a terminal, and NO_COLOR (no-color.org) is not set.
bool may_use_colour();

// Until q, Ctrl-C, Ctrl-D, or TERM. What cannot be drawn because nobody answers is said on the
// screen, and tried again. False, with a sentence on standard error, if there is no terminal.
bool watch(const std::function<std::vector<std::string>(const Look&)>& draw);

}  // namespace tcplock::admin
