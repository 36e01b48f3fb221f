// Reads the configuration again, and says what follows from it. It changes nothing itself.
//
// All of a file is taken, or nothing: half of it would be another configuration than the one that
// was written.
#pragma once

#include "config/changes.hpp"
#include "config/config.hpp"
#include "daemon/passed.hpp"

#include <string>
#include <vector>

namespace tcplock::daemon {

struct Reread {
    std::string why_not;  // it cannot be taken, a line for each reason; empty if it can
    config::Config config;
    std::vector<config::Change> changes;

    bool needs_fresh_backends() const;
    // A line for each change.
    std::string in_words() const;
};

// From the file that the one in force came from. The passed sockets stay what they were at the
// start.
Reread read_again(const config::Config& in_force, const PassedSockets& passed);

// To the log, with whoever asked for it.
void tell_changes(const Reread& reread, const std::string& by);
void tell_refusal(const Reread& reread, const std::string& by);

}  // namespace tcplock::daemon
