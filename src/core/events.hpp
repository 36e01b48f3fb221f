// What can happen: facts the shell tells the core, in the past tense.
//
// News of a generation carries that generation; the supervisor drops what comes too late.
#pragma once

#include "core/policy.hpp"
#include "core/reasons.hpp"
#include "core/types.hpp"

#include <cstdint>
#include <optional>
#include <variant>

namespace tcplock::core {

struct ClientArrived {
    ClientId client;
};

// A waiting client has gone.
struct ClientLeft {
    ClientId client;
};

// An admitted client has sent its first byte, or, where the first message is looked at, all of
// that: its visit became a job.
struct JobBegan {
    ClientId client;
};

// For gate.idle_timeout there was no byte either way between an admitted client and its backend,
// which hardly computed in the latter half of that, where its probe tells whether it is free. Told
// again each time as much has passed.
struct ClientIdle {
    ClientId client;
};

// One that had been idle is no longer.
struct ClientStirred {
    ClientId client;
};

// An admitted client has left; its backend has been told and has yet to close its side.
struct ClientFinished {
    ClientId client;
};

// An admitted client is no longer inside: both sides of its way to the backend have been closed.
struct SessionEnded {
    enum class How {
        released,
        // The backend was not touched:
        untouched,    // the client went, or was cut, before it had said anything
        not_reached,  // the backend could not be entered; the client waits again, nothing is lost
        left,         // it had left before it was let in
        foreign,      // it does not speak the backend's protocol, and is refused after all
    };
    ClientId client;
    How how = How::released;
    // Of a job that ends: what its backend's whole tree uses, in bytes.
    std::optional<std::uint64_t> memory = {};
};

struct BackendSpawned {
    Generation generation;
    double jitter = 0;  // in [0, 1): by how much of a tenth its age limit is shortened
};

struct SpawnFailed {
    Generation generation;
};

// No memory is left for a standby. That is no failed start; it is tried again later.
struct SpawnPostponed {
    Generation generation;
};

// The leader of its tree was reaped. Others of the tree may live.
struct BackendExited {
    Generation generation;
    Exit exit;
};

struct ProbeEnded {
    enum class Verdict {
        answered,
        busy,  // it lives, but did not say that it is free: a job runs, or hangs
        failed,
    };
    Generation generation;
    Verdict verdict = Verdict::answered;
    bool has_leftovers = false;  // what clients who have gone had opened is still open
};

// How much memory the whole tree uses: told now and then while a client is inside, and with each
// answer.
struct MemoryMeasured {
    Generation generation;
    std::uint64_t bytes = 0;
};

struct HookEnded {
    enum class How { succeeded, failed };
    Generation generation;
    Hook hook = Hook::before_admission;
    How how = How::succeeded;
};

// After a stop: the whole tree is gone and its address refuses.
struct PlaceCleared {
    Generation generation;
};

// Every generation that serves now is to be recycled, or those of one instance: the one that is it,
// and one that another has taken over from. Unless it is for a schedule, one that has not answered
// yet is ended as well, or recycled after its first job if that has just been done, and nobody waits
// for a pause: what was in the way may be mended.
struct RecycleRequested {
    enum class Urgency {
        in_turn,  // after its running sessions
        at_once,  // they are cut
    };
    StopReason reason = StopReason::requested;
    std::optional<InstanceId> instance = {};
    Urgency urgency = Urgency::in_turn;
};

// An operator ends a client, who waits or is inside. It may have gone by now.
struct CutRequested {
    ClientId client;
};

// Until it is resumed, nobody is let in, and nobody's patience runs. A shutdown ends a pause.
struct PauseRequested {};
struct ResumeRequested {};

// From now on this is obeyed. Who is inside keeps the limits that he came in with. How many places
// there are, whose the backend is and whether clients are looked at first stays as it was. What had
// failed is tried at once.
struct PolicyChanged {
    Policy policy;
    // What a backend is made of has changed as well: the old ones are replaced, each after its
    // running sessions, and one that has never answered at once.
    bool needs_fresh_backends = false;
};

struct ShutdownRequested {
    enum class Urgency {
        drain,    // who waits is served, however long that takes
        in_time,  // so long as shutdown_timeout allows
        at_once,
    };
    Urgency urgency = Urgency::in_time;
};

// The time told by deadline() has come. Harmless if nothing is due.
struct DeadlineReached {};

using Event = std::variant<ClientArrived, ClientLeft, JobBegan, ClientIdle, ClientStirred,
                           ClientFinished, SessionEnded, BackendSpawned, SpawnFailed,
                           SpawnPostponed, BackendExited, ProbeEnded, MemoryMeasured, HookEnded,
                           PlaceCleared, RecycleRequested, CutRequested, PauseRequested,
                           ResumeRequested, PolicyChanged, ShutdownRequested, DeadlineReached>;

}  // namespace tcplock::core
