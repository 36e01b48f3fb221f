#include "core/recycle.hpp"

namespace tcplock::core {

std::optional<Instant> old_at(const Wear& wear, const RecyclePolicy& policy) noexcept {
    if (!policy.max_age) {
        return std::nullopt;
    }
    const auto shortened = static_cast<double>(policy.max_age->count()) * (wear.jitter / 10);
    return wear.born + *policy.max_age - Duration{static_cast<Duration::rep>(shortened)};
}

bool is_worn_out(const Wear& wear, const RecyclePolicy& policy) noexcept {
    return policy.max_jobs && wear.jobs >= *policy.max_jobs;
}

}  // namespace tcplock::core
