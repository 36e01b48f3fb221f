#include "core/gate.hpp"

#include "core/require.hpp"

namespace tcplock::core {

void Gate::enter(Waiter waiter) {
    const bool is_new = waiting_.emplace(waiter.client, waiter.since).second;
    require(is_new, "a client is in the line twice");
}

bool Gate::leave(ClientId client) {
    return waiting_.erase(client) == 1;
}

Waiter Gate::pop() {
    require(!waiting_.empty(), "the head of an empty line was asked for");
    const auto head = waiting_.begin();
    const Waiter waiter{head->first, head->second};
    waiting_.erase(head);
    return waiter;
}

bool Gate::head_is_impatient(Instant now) const noexcept {
    const auto ends = deadline();
    return ends && *ends <= now;
}

std::optional<Instant> Gate::deadline() const noexcept {
    if (waiting_.empty()) {
        return std::nullopt;
    }
    return waiting_.begin()->second + policy_.queue_timeout;
}

}  // namespace tcplock::core
