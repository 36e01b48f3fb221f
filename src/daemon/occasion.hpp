// What a hook is told about, by its environment and by one JSON document on its standard input.
#pragma once

#include "config/placeholders.hpp"
#include "core/effects.hpp"
#include "core/types.hpp"
#include "daemon/guest.hpp"
#include "io/reaper.hpp"

#include <map>
#include <optional>
#include <string>

namespace tcplock::daemon {

// What is absent is not so, or is not known.
struct Occasion {
    std::string hook;  // its key
    core::Generation generation;
    std::string address;
    config::Placeholders values;                 // for the hook's command
    std::optional<core::Duration> after = {};    // it answered for the first time
    std::optional<core::StopBackend> stop = {};  // why and after what it is ended
    std::optional<core::Duration> took = {};     // its end
    std::optional<io::ExitStatus> exit = {};     // of its leader
    std::optional<Guest> client = {};            // who was cut for his time
};

// The variables that say what it is about.
std::map<std::string, std::string> variables(const Occasion& occasion);

// One line of JSON.
std::string document(const Occasion& occasion);

}  // namespace tcplock::daemon
