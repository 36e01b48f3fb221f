// What the shell is to do about it: imperatives, each with its reason, in the order of doing.
#pragma once

#include "core/reasons.hpp"
#include "core/types.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace tcplock::core {

// Answer with BackendSpawned or SpawnFailed.
struct SpawnBackend {
    PlaceId place;
    Generation generation;
    std::optional<InstanceId> instance;  // none: a standby
    bool remakes_profile = false;        // what the place has as a profile is of no use
    bool operator==(const SpawnBackend&) const = default;
};

enum class ProbePurpose {
    readiness,  // does it answer at all yet?
    liveness,   // does it still?
    admission,  // after a session: may the next client go in?
    idleness,   // is it free although a client is inside?
};

// Answer with ProbeEnded, within a bounded time; not after StopBackend, which ends the probe.
struct ProbeBackend {
    Generation generation;
    ProbePurpose purpose;
    bool operator==(const ProbeBackend&) const = default;
};

// Answer with HookEnded, within a bounded time.
struct RunHook {
    Generation generation;
    Hook hook;
    bool operator==(const RunHook&) const = default;
};

// For the log: its first answer.
struct AnnounceReady {
    Generation generation;
    Duration after;
    bool operator==(const AnnounceReady&) const = default;
};

// For the log and for names: this generation now serves as this instance.
struct TakeOver {
    Generation generation;
    InstanceId instance;
    bool operator==(const TakeOver&) const = default;
};

// End the whole tree; answer with PlaceCleared once it is gone and the address refuses.
struct StopBackend {
    Generation generation;
    StopReason reason;
    StopHow how;
    std::uint64_t jobs;
    Duration age;
    bool operator==(const StopBackend&) const = default;
};

// For the log: nobody goes in before it has answered again; those inside go on.
struct DoubtBackend {
    Generation generation;
    StopReason reason;
    bool operator==(const DoubtBackend&) const = default;
};

// The grace is over: KILL to the whole tree.
struct KillBackend {
    Generation generation;
    bool operator==(const KillBackend&) const = default;
};

// Even KILL did not end it: name what is left. PlaceCleared may still come.
struct QuarantinePlace {
    Generation generation;
    PlaceId place;
    bool operator==(const QuarantinePlace&) const = default;
};

// For the log: a start failed, or a life was too short; the next try waits.
struct BackOff {
    Generation generation;
    Duration delay;
    std::size_t failed_starts;  // in a row, of this place; 0: it had been open
    bool operator==(const BackOff&) const = default;
};

// For the log: from now on newcomers are refused, until a generation answers.
struct AnnounceFailing {
    std::size_t failed_starts;
    bool operator==(const AnnounceFailing&) const = default;
};

// Open the backend and relay; answer with SessionEnded.
struct AdmitClient {
    ClientId client;
    Generation generation;
    Duration waited;
    Duration unserved{};  // of that, while no backend served: all were being replaced or started
    bool operator==(const AdmitClient&) const = default;
};

struct RefuseClient {
    ClientId client;
    RefuseReason reason;
    Duration waited;
    bool operator==(const RefuseClient&) const = default;
};

// End an admitted client at once; SessionEnded is still expected.
struct CutClient {
    ClientId client;
    CutReason reason;
    bool operator==(const CutClient&) const = default;
};

struct StopListening {
    bool operator==(const StopListening&) const = default;
};

// Nobody waits, nobody is inside, no tree is left that could be ended.
struct Finish {
    bool operator==(const Finish&) const = default;
};

using Effect =
    std::variant<SpawnBackend, ProbeBackend, RunHook, AnnounceReady, TakeOver, StopBackend,
                 DoubtBackend, KillBackend, QuarantinePlace, BackOff, AnnounceFailing, AdmitClient,
                 RefuseClient, CutClient, StopListening, Finish>;
using Effects = std::vector<Effect>;

}  // namespace tcplock::core
