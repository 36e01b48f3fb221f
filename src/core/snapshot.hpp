// What an operator may see of the core: a copy, as things were after the last event.
//
// The shell adds what only it knows: names, peers, memory, what was before.
#pragma once

#include "core/backend.hpp"
#include "core/gate.hpp"
#include "core/reasons.hpp"
#include "core/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace tcplock::core {

// accepted = admitted + refused + left + waiting, at every moment.
struct Counts {
    std::uint64_t accepted = 0;
    std::uint64_t admitted = 0;  // inside now, or ended
    std::uint64_t refused = 0;
    std::uint64_t left = 0;
    std::uint64_t waiting = 0;
};

enum class Mode {
    serving,
    draining,  // nobody comes any more, who waits is served
    closing,   // nobody is let in any more
    finished,
};

struct SessionView {
    ClientId client;
    Generation generation;
    Instant since;                // in the line
    Instant admitted;             // into the backend
    std::optional<Instant> ends;  // by a limit; none: it has been cut
    bool has_job = false;
    bool is_idle = false;
    bool has_left = false;
};

struct Snapshot {
    Instant taken;
    Mode mode = Mode::serving;
    std::optional<Instant> paused_since;
    bool is_failing = false;
    bool is_asleep = false;  // nobody came for so long that nothing lives
    bool is_full = false;    // the next who comes is refused
    std::optional<Instant> shutdown_by;
    Counts counts;
    std::vector<Waiter> waiting;        // in the order of the line
    std::vector<SessionView> sessions;  // in the order of their coming
    std::vector<PlaceView> places;
};

std::string_view to_string(Mode mode) noexcept;

}  // namespace tcplock::core
