// For how long something has been so, in all: it begins and ends again and again.
#pragma once

#include "core/types.hpp"

#include <optional>

namespace tcplock::core {

class Stopwatch {
public:
    // Twice is as good as once.
    void start(Instant now) noexcept { since_ = since_.value_or(now); }
    void stop(Instant now) noexcept {
        before_ = total(now);
        since_.reset();
    }

    bool runs() const noexcept { return since_.has_value(); }
    std::optional<Instant> since() const noexcept { return since_; }
    // But for the time that runs.
    Duration before() const noexcept { return before_; }
    Duration total(Instant now) const noexcept {
        return before_ + (since_ ? now - *since_ : Duration{});
    }

private:
    std::optional<Instant> since_;
    Duration before_{};
};

}  // namespace tcplock::core
