// What the programs of this project have in common: how they begin, run until told to stop, and
// end.
#pragma once

#include "config/config.hpp"
#include "daemon/passed.hpp"

namespace tcplock::daemon {

// The conventional ones of sysexits(3), as far as there are any.
inline constexpr int exit_fine = 0;
inline constexpr int exit_failed = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_configuration = 78;

// To be called first of all. Holds the signals that a running daemon takes up: as process 1 of a
// container, one that finds neither a handler nor a mask is lost, and a stop would wait for the
// KILL that follows. And sees to it that standard streams are open.
void begin_program();

// For what does not run: it ends as anybody does.
void release_signals();

// Until told to stop; the exit code. What was passed fits the configuration.
int run(const config::Config& config, PassedSockets passed = {});

}  // namespace tcplock::daemon
