#include "core/recycle.hpp"

namespace tcplock::core {

std::optional<Instant> old_at(const Wear& wear, const RecyclePolicy& policy) noexcept {
    if (!policy.max_age) {
        return std::nullopt;
    }
    const auto shortened = static_cast<double>(policy.max_age->count()) * (wear.jitter / 10);
    return wear.born + *policy.max_age - Duration{static_cast<Duration::rep>(shortened)};
}

std::optional<StopReason> recycle_due(const Wear& wear, const RecyclePolicy& policy,
                                      Instant now) noexcept {
    if (policy.max_jobs && wear.jobs >= *policy.max_jobs) {
        return StopReason::max_jobs;
    }
    const auto too_old = old_at(wear, policy);
    if (too_old && *too_old <= now) {
        return StopReason::max_age;
    }
    return std::nullopt;
}

}  // namespace tcplock::core
