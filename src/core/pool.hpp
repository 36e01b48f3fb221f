// All places: who is the next instance, what is spawned, which slot frees for the head of the line.
//
// There are `instances + standby` places, and one more for each quarantined one, but at most one
// such an instance. An instance's number goes to the readiest generation: when its holder closes
// and a standby is ready, the standby takes over at once.
#pragma once

#include "core/backend.hpp"
#include "core/effects.hpp"
#include "core/policy.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

namespace tcplock::core {

// To the next try of a standby for which there was no memory.
constexpr Duration postponement = 30s;

class Pool {
public:
    explicit Pool(const Policy& policy);

    // Of as many instances and standbys as before.
    void obey(const Policy& policy, Instant now);

    std::vector<Backend>& places() noexcept { return places_; }
    const std::vector<Backend>& places() const noexcept { return places_; }

    // The backend this generation lives in; none if it is of the past.
    Backend* find(Generation generation) noexcept;

    // What is wanted: everything while we serve; no more standby than needed while we drain.
    enum class Wanted { everything, instances, nothing };

    // Planned recycles take turns: standbys at once, unless none other would fit, and an instance
    // when a standby is ready; where there are to be none, one instance at a time, while all the
    // others serve. When the last client of a turn has left, no more is waited than a stop and a
    // start may take.
    void take_turns(Wanted wanted, Instant now);
    void hand_over_instances(Effects& effects);
    void refill(Wanted wanted, Instant now, Effects& effects);
    // There was no memory for a standby: until later no more is spawned than the instances need.
    void postpone_standby(Instant now) noexcept { no_standby_before_ = now + postponement; }

    // In the one with the fewest inside, and of those in the one that has been free for longest;
    // none if all are taken or closed.
    Backend* free_slot() noexcept;

    // Clients go in somewhere, now or after the one who is inside.
    bool serves() const noexcept;
    bool is_still() const noexcept;
    bool has_aftermath() const noexcept;
    std::optional<Instant> deadline(Wanted wanted) const noexcept;

private:
    std::size_t occupied() const noexcept;
    std::size_t count_wanted(Wanted wanted) const noexcept;
    bool is_postponed(Instant now) const noexcept {
        return no_standby_before_ && now < *no_standby_before_;
    }
    std::multimap<Instant, Backend*> waiting_for_their_turn(Instant now);
    bool can_spare(const Backend& spared) const noexcept;
    Backend* holder(InstanceId instance) noexcept;
    std::optional<InstanceId> without_holder() const noexcept;
    Backend* best_without_instance() noexcept;
    void replace_quarantined();

    Policy policy_;
    std::vector<Backend> places_;
    std::optional<Instant> no_standby_before_;
    Instant last_turn_;
    std::optional<Instant> next_turn_by_;
    std::uint64_t last_generation_ = 0;
};

}  // namespace tcplock::core
