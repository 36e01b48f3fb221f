// What differs between two configurations, and what a supervisor that runs can make of it.
//
// A change is told by its key, as documented; values as show-config shows them, but for those of
// the backend's environment, which may be secrets.
#pragma once

#include "config/config.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace tcplock::config {

struct Change {
    // When it is obeyed.
    enum class Reach {
        at_once,   // who is inside, and what runs, keeps the limits it has
        recycles,  // by the next generation of each place; those that live keep what they have
        restart,   // only by a supervisor that is started anew
    };
    std::string key;  // "gate.queue_limit"; of listeners "listen"
    std::string before;
    std::string after;
    Reach reach = Reach::at_once;
};

// In the order of the documentation.
std::vector<Change> changes(const Config& before, const Config& after);

// "gate.queue_limit 100 -> 20"
std::string to_text(const Change& change);

}  // namespace tcplock::config
