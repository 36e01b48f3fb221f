// How long to wait after a failed start: doubling from `first` to `max`.
//
// A row of failures ends only when a life proved healthy, not with the first answer: a backend
// that answers and then dies at once must not be restarted without pause either.
#pragma once

#include "core/policy.hpp"
#include "core/types.hpp"

#include <algorithm>

namespace tcplock::core {

class Backoff {
public:
    explicit Backoff(const BackoffPolicy& policy) : policy_(policy), next_(policy.first) {}

    // The pause before the next start.
    Duration failed() noexcept {
        const Duration pause = next_;
        // Halving `max` instead of doubling `next_` keeps even absurd values from overflowing.
        next_ = next_ > policy_.max / 2 ? policy_.max : next_ * 2;
        return std::min(pause, policy_.max);
    }

    void healthy() noexcept { next_ = policy_.first; }
    void obey(const BackoffPolicy& policy) noexcept { policy_ = policy; }

private:
    BackoffPolicy policy_;
    Duration next_;
};

}  // namespace tcplock::core
