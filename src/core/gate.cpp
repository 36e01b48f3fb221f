#include "core/gate.hpp"

#include "core/require.hpp"

namespace tcplock::core {

void Gate::enter(Waiter waiter) {
    const bool is_new = waiting_.emplace(waiter.client, waiter).second;
    require(is_new, "a client is in the line twice");
}

std::optional<Waiter> Gate::take(ClientId client) {
    const auto found = waiting_.extract(client);
    return found ? std::optional(found.mapped()) : std::nullopt;
}

Waiter Gate::pop() {
    require(!waiting_.empty(), "the head of an empty line was asked for");
    const auto head = waiting_.begin();
    const Waiter waiter = head->second;
    waiting_.erase(head);
    return waiter;
}

bool Gate::head_is_impatient(Instant now) const noexcept {
    return !waiting_.empty() &&
           patience_ends(waiting_.begin()->second) <= pause_.since().value_or(now);
}

std::optional<Instant> Gate::deadline() const noexcept {
    if (waiting_.empty() || is_paused()) {
        return std::nullopt;
    }
    return patience_ends(waiting_.begin()->second);
}

// But for the pause that runs.
Instant Gate::patience_ends(const Waiter& waiter) const noexcept {
    return waiter.since + policy_.queue_timeout + (pause_.before() - waiter.paused_before);
}

std::optional<Waiter> Gate::first() const {
    return is_empty() ? std::nullopt : std::optional(waiting_.begin()->second);
}

std::vector<Waiter> Gate::in_order() const {
    std::vector<Waiter> waiters;
    waiters.reserve(waiting_.size());
    for (const auto& [client, waiter] : waiting_) {
        waiters.push_back(waiter);
    }
    return waiters;
}

}  // namespace tcplock::core
