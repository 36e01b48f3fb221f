// All there is to be seen of a running supervisor at one moment: what the core knows, and what the
// shell adds. A copy: whoever looks at it holds nothing up.
#pragma once

#include "admin/happenings.hpp"
#include "core/snapshot.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tcplock::admin {

struct View {
    struct Place {
        std::string address;
        std::optional<int> pid;               // of the program that was started
        std::optional<std::uint64_t> memory;  // of the whole tree, in bytes
        std::size_t zombies = 0;              // in it: ended, and fetched by no parent
    };
    // What the supervisor itself costs, and has lost.
    struct Own {
        std::chrono::nanoseconds processor{};
        std::uint64_t memory = 0;  // in bytes
        std::uint64_t log_lines_dropped = 0;
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
    std::optional<std::uint64_t> memory_soft_limit;  // of one tree, in bytes
    std::optional<std::uint64_t> memory_hard_limit;
    Own own;
    bool has_served = false;                      // clients could have gone in at some time
    std::map<core::PlaceId, Place> places;        // those where something lives
    std::map<core::ClientId, std::string> peers;  // of all who have not ended
    std::vector<Recycle> recycles;                // the last ones, the newest last
};

// The words for it.
constexpr std::array<std::string_view, 8> states{"serving", "starting", "failing",  "full",
                                                 "paused",  "asleep",   "draining", "closing"};

// In one of those words, and whether somebody who came now would soon be served; if not, why, in a
// sentence.
struct Condition {
    std::string state;
    bool is_ready = false;
    std::string why;
};

Condition condition_of(const View& view);

}  // namespace tcplock::admin
