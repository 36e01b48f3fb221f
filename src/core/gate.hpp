// The line in front of the backends: first come, first served, bounded, with patience.
//
// The gate knows neither sockets nor backends: it keeps ids and times. Ids are given out in the
// order of acceptance, so the order of ids is the order of the line, also for a client that comes
// back because its backend could not be reached. A client is in the line at most once.
#pragma once

#include "core/policy.hpp"
#include "core/types.hpp"

#include <cstddef>
#include <map>
#include <optional>

namespace tcplock::core {

struct Waiter {
    ClientId client;
    Instant since;
};

class Gate {
public:
    explicit Gate(const GatePolicy& policy) : policy_(policy) {}

    bool is_full() const noexcept { return waiting_.size() >= policy_.queue_limit; }
    bool is_empty() const noexcept { return waiting_.empty(); }
    std::size_t size() const noexcept { return waiting_.size(); }

    // A newcomer must find the line not full; one who comes back finds his old place.
    void enter(Waiter waiter);

    // False if the client is not in the line.
    bool leave(ClientId client);

    // The head of the line leaves it, to be admitted or refused. The line must not be empty.
    Waiter pop();

    // The head, if its patience has ended. All have the same patience, so the head's ends first.
    bool head_is_impatient(Instant now) const noexcept;
    std::optional<Instant> deadline() const noexcept;

private:
    GatePolicy policy_;
    std::map<ClientId, Instant> waiting_;
};

}  // namespace tcplock::core
