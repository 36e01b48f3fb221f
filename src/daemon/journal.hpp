// Standard error, as systemd connects it to its journal: whether it is so, and how a line there
// tells its priority (systemd.exec(5), sd-daemon(3)).
#pragma once

#include "config/config.hpp"

#include <string_view>

namespace tcplock::daemon {

// JOURNAL_STREAM names the stream that was given to us. It stays set when somebody sends our
// standard error elsewhere, so the descriptor is compared with it.
bool is_journal(int fd);

// "<6>": what the journal takes off the beginning of a line again. 7 is the least, 0 the most.
std::string_view priority_of(config::LogLevel level);

// For what is said before there is a log, or without one: nothing where it is not the journal.
std::string_view before_error();

}  // namespace tcplock::daemon
