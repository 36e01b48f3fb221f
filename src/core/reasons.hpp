// Why something was done: the reasons that logs, metrics and tests speak of.
//
// A reason is an enum here and becomes text in one place, to_string().
#pragma once

#include <string_view>

namespace tcplock::core {

// Why a generation is ended.
enum class StopReason {
    max_jobs,           // it has served as many jobs as it may
    max_age,            // it is as old as it may become
    schedule,           // a line of the schedule came due
    requested,          // an operator asked for it
    reload,             // what it is made of has changed
    memory_soft_limit,  // its tree uses more memory than it should, and no job runs
    memory_hard_limit,  // its tree uses more memory than it may
    idle,               // nobody has come for so long; the next client starts it again
    fresh_profile,      // a fresh profile was made, and the backend wants to be started again
    session_timeout,    // a client was inside for too long
    release_timeout,    // the client had left, and the backend did not close its side
    died,               // its leader exited although nobody had asked for it
    unresponsive,       // several probes in a row had no answer
    not_free,           // after a session it did not answer in time
    start_timeout,      // it never answered
    leftovers,          // what clients had opened and left behind is still open
    unreachable,        // it had answered, but could not be connected to
    hook_failed,        // it could not be made ready for its next client
    shutdown,           // the supervisor ends
};

// How a generation is ended.
enum class StopHow {
    ask,   // the stop signal, then KILL after the grace
    kill,  // KILL at once: it is hung or half dead, and clients wait
};

// Why a client was turned away before it was in.
enum class RefuseReason {
    queue_full,
    queue_timeout,
    backend_failing,
    shutting_down,
    requested,  // an operator ended it
};

// Why an admitted client was ended.
enum class CutReason {
    session_timeout,
    first_byte_timeout,  // it said nothing; the backend is not to blame
    idle_timeout,        // it said nothing any more, and the backend was free; nor here
    release_timeout,
    memory_hard_limit,  // the only one inside: its job needs too much
    neighbour,          // the backend was ended for what one of several inside may have done
    requested,          // an operator ended it; the backend is not to blame
    recycle_requested,  // an operator had its backend recycled at once
    shutdown,
};

// What an operator may have run, and when.
enum class Hook {
    before_admission,  // in a generation, before a client goes in
    session_timeout,   // after a client was cut for being inside too long, before the next goes in
};

constexpr StopHow how_to_stop(StopReason reason) noexcept {
    switch (reason) {
        case StopReason::max_jobs:
        case StopReason::max_age:
        case StopReason::schedule:
        case StopReason::requested:
        case StopReason::reload:
        case StopReason::memory_soft_limit:
        case StopReason::idle:
        case StopReason::leftovers:
        case StopReason::hook_failed:
        case StopReason::shutdown:
            return StopHow::ask;
        case StopReason::memory_hard_limit:
        case StopReason::fresh_profile:
        case StopReason::session_timeout:
        case StopReason::release_timeout:
        case StopReason::died:
        case StopReason::unresponsive:
        case StopReason::not_free:
        case StopReason::start_timeout:
        case StopReason::unreachable:
            return StopHow::kill;
    }
    return StopHow::kill;
}

// Whether what the last probe said is why.
constexpr bool is_by_probe(StopReason reason) noexcept {
    return reason == StopReason::unresponsive || reason == StopReason::not_free;
}

constexpr std::string_view to_string(Hook hook) noexcept {
    switch (hook) {
        case Hook::before_admission:
            return "before_admission";
        case Hook::session_timeout:
            return "session_timeout";
    }
    return "?";
}

constexpr std::string_view to_string(RefuseReason reason) noexcept {
    switch (reason) {
        case RefuseReason::queue_full:
            return "queue_full";
        case RefuseReason::queue_timeout:
            return "queue_timeout";
        case RefuseReason::backend_failing:
            return "backend_failing";
        case RefuseReason::shutting_down:
            return "shutting_down";
        case RefuseReason::requested:
            return "requested";
    }
    return "?";
}

constexpr std::string_view to_string(CutReason reason) noexcept {
    switch (reason) {
        case CutReason::session_timeout:
            return "session_timeout";
        case CutReason::first_byte_timeout:
            return "first_byte_timeout";
        case CutReason::idle_timeout:
            return "idle_timeout";
        case CutReason::release_timeout:
            return "release_timeout";
        case CutReason::memory_hard_limit:
            return "memory_hard_limit";
        case CutReason::neighbour:
            return "neighbour";
        case CutReason::requested:
            return "requested";
        case CutReason::recycle_requested:
            return "recycle_requested";
        case CutReason::shutdown:
            return "shutdown";
    }
    return "?";
}

constexpr std::string_view to_string(StopReason reason) noexcept {
    switch (reason) {
        case StopReason::max_jobs:
            return "max_jobs";
        case StopReason::max_age:
            return "max_age";
        case StopReason::schedule:
            return "schedule";
        case StopReason::requested:
            return "requested";
        case StopReason::reload:
            return "reload";
        case StopReason::memory_soft_limit:
            return "memory_soft_limit";
        case StopReason::memory_hard_limit:
            return "memory_hard_limit";
        case StopReason::idle:
            return "idle";
        case StopReason::fresh_profile:
            return "fresh_profile";
        case StopReason::session_timeout:
            return "session_timeout";
        case StopReason::release_timeout:
            return "release_timeout";
        case StopReason::died:
            return "died";
        case StopReason::unresponsive:
            return "unresponsive";
        case StopReason::not_free:
            return "not_free";
        case StopReason::start_timeout:
            return "start_timeout";
        case StopReason::leftovers:
            return "leftovers";
        case StopReason::unreachable:
            return "unreachable";
        case StopReason::hook_failed:
            return "hook_failed";
        case StopReason::shutdown:
            return "shutdown";
    }
    return "?";
}

}  // namespace tcplock::core
