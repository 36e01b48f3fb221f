// When a generation has had enough: the rules that depend only on what it has been through.
//
// The other reasons to recycle (a timeout, a death, a failed probe, an operator) are events.
#pragma once

#include "core/policy.hpp"
#include "core/types.hpp"

#include <cstdint>
#include <optional>

namespace tcplock::core {

struct Wear {
    std::uint64_t jobs = 0;
    Instant born;
    double jitter = 0;  // in [0, 1)
};

// When it will be too old; none if age does not matter. The jitter takes up to a tenth off, so
// that generations that were born together do not go together.
std::optional<Instant> old_at(const Wear& wear, const RecyclePolicy& policy) noexcept;

// Whether it has done its last job.
bool is_worn_out(const Wear& wear, const RecyclePolicy& policy) noexcept;

}  // namespace tcplock::core
