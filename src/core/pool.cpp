#include "core/pool.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

namespace tcplock::core {

Pool::Pool(const Policy& policy) : policy_(policy) {
    const std::size_t ordinary = policy.backend.instances + policy.backend.standby;
    for (std::size_t i = 0; i < ordinary; ++i) {
        places_.emplace_back(PlaceId{static_cast<std::uint32_t>(i)}, policy_);
    }
}

Backend* Pool::find(Generation generation) noexcept {
    const auto lives_here = [generation](const Backend& backend) {
        return backend.phase() != Phase::vacant && backend.generation() == generation;
    };
    const auto found = std::find_if(places_.begin(), places_.end(), lives_here);
    return found == places_.end() ? nullptr : &*found;
}

Backend* Pool::holder(InstanceId instance) noexcept {
    const auto found =
        std::find_if(places_.begin(), places_.end(),
                     [instance](const Backend& backend) { return backend.instance() == instance; });
    return found == places_.end() ? nullptr : &*found;
}

std::optional<InstanceId> Pool::without_holder() const noexcept {
    for (std::uint32_t i = 0; i < policy_.backend.instances; ++i) {
        const auto holds = [i](const Backend& b) { return b.instance() == InstanceId{i}; };
        if (std::none_of(places_.begin(), places_.end(), holds)) {
            return InstanceId{i};
        }
    }
    return std::nullopt;
}

// The readiest, and of the ready ones the one that has been so for longest; none that takes nobody
// any more.
Backend* Pool::best_without_instance() noexcept {
    const auto is_readier = [](const Backend& one, const Backend& other) {
        const auto readiness = [](const Backend& backend) {
            return std::pair(backend.is_open(), backend.is_open() && backend.has_been_open());
        };
        if (readiness(one) != readiness(other)) {
            return readiness(one) > readiness(other);
        }
        return one.is_open() && one.free_since() < other.free_since();
    };
    Backend* best = nullptr;
    for (Backend& backend : places_) {
        const bool is_over = backend.phase() == Phase::ready && !backend.is_open();
        if (backend.instance() || !backend.is_alive() || is_over) {
            continue;
        }
        if (!best || is_readier(backend, *best)) {
            best = &backend;
        }
    }
    return best;
}

void Pool::obey(const Policy& policy, Instant now) {
    policy_ = policy;
    for (Backend& backend : places_) {
        backend.obey(policy, now);
    }
}

void Pool::hand_over_instances(Effects& effects) {
    for (std::uint32_t i = 0; i < policy_.backend.instances; ++i) {
        const InstanceId instance{i};
        Backend* const now_holder = holder(instance);
        if (now_holder && now_holder->is_open()) {
            continue;
        }
        Backend* const heir = best_without_instance();
        // A holder that is starting, or closed with clients inside, steps aside for a ready one.
        if (!heir || (now_holder && !heir->is_open())) {
            continue;
        }
        if (now_holder) {
            now_holder->become(std::nullopt);
        }
        heir->become(instance);
        effects.push_back(TakeOver{heir->generation(), instance});
    }
}

void Pool::take_turns(Wanted wanted, Instant now) {
    next_turn_by_.reset();
    const auto waiting = waiting_for_their_turn(now);
    if (wanted != Wanted::everything) {
        return;
    }
    if (std::any_of(places_.begin(), places_.end(),
                    [](const Backend& backend) { return backend.is_taking_turn(); })) {
        last_turn_ = now;  // It goes on until the last client has left.
    }
    // Nobody misses a standby, and it is to be fresh itself; but it may be the last there is room
    // for.
    for (const auto& [since, backend] : waiting) {
        if (!backend->instance() && !is_postponed(now)) {
            backend->take_turn();
        }
    }
    for (const auto& [since, backend] : waiting) {
        if (!backend->instance()) {
            continue;
        }
        const Instant by = std::max(since, last_turn_) + policy_.backend.stop_grace +
                           policy_.backend.start_timeout;
        if (!can_spare(*backend) && now < by) {
            next_turn_by_ = by;
            return;
        }
        backend->take_turn();
        last_turn_ = now;
    }
}

// By how long they have waited.
std::multimap<Instant, Backend*> Pool::waiting_for_their_turn(Instant now) {
    std::multimap<Instant, Backend*> waiting;
    for (Backend& backend : places_) {
        if (const auto since = backend.is_open() ? backend.planned_since(now) : std::nullopt) {
            waiting.emplace(*since, &backend);
        }
    }
    return waiting;
}

// A standby takes over at once; or there is to be none, and all the others serve.
bool Pool::can_spare(const Backend& spared) const noexcept {
    const auto others = std::count_if(places_.begin(), places_.end(), [&](const Backend& backend) {
        return &backend != &spared && backend.is_open() && backend.has_been_open();
    });
    const std::size_t needed = policy_.backend.instances - (policy_.backend.standby > 0 ? 0 : 1);
    return static_cast<std::size_t>(others) >= needed;
}

void Pool::replace_quarantined() {
    const auto is_quarantined = [](const Backend& b) { return b.phase() == Phase::quarantined; };
    const auto quarantined =
        static_cast<std::size_t>(std::count_if(places_.begin(), places_.end(), is_quarantined));
    const std::size_t allowed = policy_.backend.instances + policy_.backend.standby +
                                std::min(quarantined, policy_.backend.instances);
    while (places_.size() < allowed) {
        places_.emplace_back(PlaceId{static_cast<std::uint32_t>(places_.size())}, policy_);
    }
}

// A tree that is being ended counts as well: never are there more at once than are wanted.
std::size_t Pool::occupied() const noexcept {
    const auto is_occupied = [](const Backend& backend) { return !backend.is_still(); };
    return static_cast<std::size_t>(std::count_if(places_.begin(), places_.end(), is_occupied));
}

std::size_t Pool::count_wanted(Wanted wanted) const noexcept {
    switch (wanted) {
        case Wanted::everything:
            return policy_.backend.instances + policy_.backend.standby;
        case Wanted::instances:
            return policy_.backend.instances;
        case Wanted::nothing:
            return 0;
    }
    return 0;
}

void Pool::refill(Wanted wanted, Instant now, Effects& effects) {
    replace_quarantined();
    std::size_t missing =
        std::min(count_wanted(wanted), is_postponed(now) ? policy_.backend.instances : SIZE_MAX);
    missing -= std::min(missing, occupied());
    for (Backend& backend : places_) {
        if (missing == 0) {
            return;
        }
        if (!backend.may_spawn(now)) {
            continue;
        }
        --missing;
        const bool remakes_profile = backend.spawn(Generation{++last_generation_}, now);
        backend.become(without_holder());
        effects.push_back(SpawnBackend{backend.place(), backend.generation(), backend.instance(),
                                       remakes_profile});
    }
}

Backend* Pool::free_slot() noexcept {
    Backend* best = nullptr;
    for (Backend& backend : places_) {
        const auto order = [](const Backend& b) { return std::pair(b.inside(), b.free_since()); };
        const bool is_candidate = backend.instance() && backend.has_free_slot();
        if (is_candidate && (!best || order(backend) < order(*best))) {
            best = &backend;
        }
    }
    return best;
}

bool Pool::serves() const noexcept {
    return std::any_of(places_.begin(), places_.end(), [](const Backend& backend) {
        return backend.phase() == Phase::ready && backend.has_been_open();
    });
}

bool Pool::is_still() const noexcept {
    return std::all_of(places_.begin(), places_.end(),
                       [](const Backend& backend) { return backend.is_still(); });
}

bool Pool::has_aftermath() const noexcept {
    return std::any_of(places_.begin(), places_.end(),
                       [](const Backend& backend) { return backend.has_aftermath(); });
}

std::optional<Instant> Pool::deadline(Wanted wanted) const noexcept {
    const bool will_spawn = occupied() < count_wanted(wanted);
    const bool is_for_standby = occupied() >= policy_.backend.instances;
    std::optional<Instant> first = next_turn_by_;
    for (const Backend& backend : places_) {
        auto next = backend.deadline();
        if (will_spawn && backend.phase() == Phase::vacant) {
            next = backend.spawnable_from();
            next = next && is_for_standby ? std::max(next, no_standby_before_) : next;
        }
        first = earlier(first, next);
    }
    return first;
}

}  // namespace tcplock::core
