// What operators are told of afterwards: each happens once, and is told when it has.
#pragma once

#include "core/effects.hpp"
#include "core/events.hpp"
#include "core/reasons.hpp"
#include "core/types.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tcplock::admin {

using WallTime = std::chrono::system_clock::time_point;

// One generation was ended, and why.
struct Recycle {
    WallTime at;
    std::string instance;  // its number, or "standby"
    core::Generation generation;
    core::StopReason reason;
    std::uint64_t jobs = 0;
    core::Duration age{};
    std::optional<std::uint64_t> memory;  // of the whole tree, in bytes
};

// Why a client was turned away without a word of the core's.
constexpr auto reason_not_allowed = "not_allowed";  // its address is in no network that may come
constexpr auto reason_open_files = "open_files";    // the limit of open files leaves none for it
constexpr auto reason_foreign = "foreign";          // it does not speak as the backend does

// A client was turned away.
struct Refused {
    std::string_view reason;
    core::Duration waited{};
    bool was_heard_of = true;  // by the core; false: before it could have waited
};

struct EndedSession {
    std::string instance;
    std::string_view end;  // the code that is in the log
    core::Duration lasted{};
    std::uint64_t bytes_in = 0;  // from the client
    std::uint64_t bytes_out = 0;
    bool had_job = false;
};

struct Probed {
    std::string instance;
    core::ProbePurpose purpose;
    core::ProbeEnded::Verdict verdict;
    core::Duration took{};
};

}  // namespace tcplock::admin
