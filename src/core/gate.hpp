// The line in front of the backends: first come, first served, bounded, with patience. While it is
// paused, nobody's patience runs.
//
// The gate knows neither sockets nor backends: it keeps ids and times. Ids are given out in the
// order of acceptance, so the order of ids is the order of the line, also for a client that comes
// back because its backend could not be reached. A client is in the line at most once.
#pragma once

#include "core/policy.hpp"
#include "core/stopwatch.hpp"
#include "core/types.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace tcplock::core {

struct Waiter {
    ClientId client;
    Instant since;
    Duration paused_before{};  // for how long the gate had been paused in all when he came
    Duration
        unserved_before{};  // and for how long no backend had served, which the gate keeps only
};

class Gate {
public:
    explicit Gate(const GatePolicy& policy) : policy_(policy) {}

    // A line that is longer than it may be now only becomes shorter.
    void obey(const GatePolicy& policy) noexcept { policy_ = policy; }

    bool is_full() const noexcept { return waiting_.size() >= policy_.queue_limit; }
    bool is_empty() const noexcept { return waiting_.empty(); }
    std::size_t size() const noexcept { return waiting_.size(); }

    Waiter newcomer(ClientId client, Instant now) const noexcept {
        return {client, now, pause_.total(now)};
    }
    // A newcomer must find the line not full; one who comes back finds his old place.
    void enter(Waiter waiter);

    // None if the client is not in the line.
    std::optional<Waiter> take(ClientId client);
    bool leave(ClientId client) { return take(client).has_value(); }

    // The head of the line leaves it, to be admitted or refused. The line must not be empty.
    Waiter pop();

    // The head, if its patience has ended. All have the same patience, so the head's ends first.
    bool head_is_impatient(Instant now) const noexcept;
    std::optional<Instant> deadline() const noexcept;

    void pause(Instant now) noexcept { pause_.start(now); }
    void resume(Instant now) noexcept { pause_.stop(now); }
    bool is_paused() const noexcept { return pause_.runs(); }
    std::optional<Instant> paused_since() const noexcept { return pause_.since(); }

    // Who stands at the head of it.
    std::optional<Waiter> first() const;
    std::vector<Waiter> in_order() const;

private:
    Instant patience_ends(const Waiter& waiter) const noexcept;

    GatePolicy policy_;
    std::map<ClientId, Waiter> waiting_;
    Stopwatch pause_;
};

}  // namespace tcplock::core
