// The limits the core obeys: durations and counts, filled in by config/.
//
// The defaults are those of the documented configuration. An empty optional means `off`.
#pragma once

#include "core/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace tcplock::core {

using namespace std::chrono_literals;

struct GatePolicy {
    std::size_t concurrency = 1;      // clients at once in one backend, at least 1
    std::size_t queue_limit = 100;    // waiting clients; the next is refused
    Duration queue_timeout = 10min;   // waiting longer: refused
    Duration session_timeout = 120s;  // admitted longer: cut, and the backend recycled
    std::optional<Duration> first_byte_timeout = 5s;  // admitted, and silent so far: cut
    // Whether what a client says first is looked at before the backend is touched. Then it is to
    // speak as soon as it has come, without waiting for anything.
    bool looks_first = true;
    Duration release_timeout = 5s;  // from the client's leaving to the backend's closing
};

struct BackoffPolicy {
    Duration first = 200ms;
    Duration max = 30s;
};

struct BackendPolicy {
    // If not, somebody else runs it: it can be neither started nor ended.
    bool is_ours = true;
    std::size_t instances = 1;
    std::size_t standby = 0;
    Duration start_timeout = 60s;
    Duration stop_grace = 5s;     // from asking to KILL
    Duration stop_timeout = 30s;  // from KILL to quarantine
    BackoffPolicy restart_backoff;
    // The exit status by which a backend asks to be started again on a fresh profile.
    std::optional<int> fresh_profile_exit;
    // The one by which it says that it cannot use its profile.
    std::optional<int> broken_profile_exit;
    // One of whose starts have failed again and again is made anew. Off where it may hold anything.
    bool remakes_profiles = false;
};

struct ProbePolicy {
    Duration interval = 5s;  // from the start of one probe to the start of the next
    std::size_t failure_threshold = 3;
    std::optional<Duration> admission = 15s;  // a session's end to the answer; off: not asked for
    // Whether a probe may go in while all slots are taken. If not, a probe takes a slot itself.
    bool beside_clients = true;
    // Whether it can tell if the backend is free while a client is inside.
    bool tells_if_free = true;
};

constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;

struct RecyclePolicy {
    std::optional<std::uint64_t> max_jobs = 100;
    std::optional<Duration> max_age = 24h;  // shortened by up to a tenth, by the event's jitter
    // Of a whole tree, in bytes.
    std::optional<std::uint64_t> memory_soft_limit = gibibyte;      // looked at between jobs
    std::optional<std::uint64_t> memory_hard_limit = 3 * gibibyte;  // at any time
    std::optional<Duration> idle_shutdown;  // no client for so long: ended, until the next comes
};

// Which are there to be run.
struct HookPolicy {
    bool before_admission = false;
    bool session_timeout = false;
};

struct Policy {
    GatePolicy gate;
    BackendPolicy backend;
    ProbePolicy probe;
    RecyclePolicy recycle;
    HookPolicy hooks;
    Duration shutdown_timeout = 30s;
};

}  // namespace tcplock::core
