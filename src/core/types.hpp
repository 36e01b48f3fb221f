// The identities and the time the core speaks of.
//
// Time is a value that is handed in: nothing in core/ ever asks what time it is. Identities are
// strong types, so that a client can never be passed where a generation is meant.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace tcplock::core {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Of two times that may both be absent, the one that comes first.
template <class Time>
constexpr std::optional<Time> earlier(std::optional<Time> one,
                                      std::type_identity_t<std::optional<Time>> other) noexcept {
    return !one || (other && *other < *one) ? other : one;
}

// Given out in the order of acceptance, over all listeners: a smaller id came first.
enum class ClientId : std::uint64_t {};

// One life of a backend. Never given out twice by one supervisor.
enum class Generation : std::uint64_t {};

// Where a generation lives: port or socket, profile and directory, all of fixed paths.
enum class PlaceId : std::uint32_t {};

// The number an operator knows a serving backend by: 0, 1, …
enum class InstanceId : std::uint32_t {};

// How a process ended.
struct Exit {
    enum class Kind { status, signal };
    Kind kind = Kind::status;
    int value = 0;  // the exit status or the signal's number

    bool operator==(const Exit&) const = default;
};

template <class Id>
constexpr auto number(Id id) noexcept {
    return static_cast<std::underlying_type_t<Id>>(id);
}

}  // namespace tcplock::core
