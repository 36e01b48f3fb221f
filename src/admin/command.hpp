// The commands that talk to a running supervisor: asks it, and says what it answered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tcplock::admin {

struct Command {
    std::string name;    // status, clients, recycle, pause, resume, cut, drain or health
    std::string socket;  // where the supervisor is
    std::optional<std::uint64_t> number = {};  // of an instance, or of a client
    bool wants_json = false;
    bool keeps_watching = false;
    bool is_at_once = false;
    bool asks_if_alive = false;  // rather than if it is ready
};

// Says what came of it on standard output, or on standard error. True if it did what was asked; of
// health, if it is. Throws NoAnswer.
bool run(const Command& command);

}  // namespace tcplock::admin
