// All there is to be seen of a running supervisor at one moment: what the core knows, and what the
// shell adds. A copy: whoever looks at it holds nothing up.
#pragma once

#include "core/snapshot.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tcplock::admin {

using WallTime = std::chrono::system_clock::time_point;

// One that was ended, and why.
struct Recycle {
    WallTime at;
    std::string instance;  // its number, or "standby"
    core::Generation generation;
    core::StopReason reason;
    std::uint64_t jobs = 0;
    core::Duration age{};
    std::optional<std::uint64_t> memory;  // of the whole tree, in bytes
};

struct View {
    struct Place {
        std::string address;
        std::optional<int> pid;               // of the program that was started
        std::optional<std::uint64_t> memory;  // of the whole tree, in bytes
    };

    core::Snapshot core;
    core::Instant instant;  // the moment, by the clock that the core's times are of
    WallTime now;           // the same moment
    WallTime started;
    std::string version;
    int pid = 0;
    std::string protocol;
    std::size_t instances = 1;
    std::size_t concurrency = 1;
    std::size_t queue_limit = 0;
    bool has_served = false;                      // clients could have gone in at some time
    std::map<core::PlaceId, Place> places;        // those where something lives
    std::map<core::ClientId, std::string> peers;  // of all who have not ended
    std::vector<Recycle> recycles;                // the last ones, the newest last
};

// In one word, and whether somebody who came now would soon be served; if not, why, in a sentence.
struct Condition {
    std::string state;
    bool is_ready = false;
    std::string why;
};

Condition condition_of(const View& view);

}  // namespace tcplock::admin
