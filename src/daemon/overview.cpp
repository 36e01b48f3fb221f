#include "daemon/overview.hpp"

#include <unistd.h>
#include <variant>

namespace tcplock::daemon {
namespace {

constexpr std::size_t recycles_remembered = 50;

// Not the end of all, and not what the first start of an office is made of.
bool is_recycle(core::StopReason reason) {
    return reason != core::StopReason::shutdown && reason != core::StopReason::fresh_profile;
}

}  // namespace

void Overview::note(const core::Effect& effect, const Backends& backends) {
    if (const auto* const stop = std::get_if<core::StopBackend>(&effect)) {
        note_stop(*stop, backends);
    }
    has_served_ = has_served_ || std::holds_alternative<core::AnnounceReady>(effect);
}

void Overview::note_stop(const core::StopBackend& effect, const Backends& backends) {
    if (!is_recycle(effect.reason)) {
        return;
    }
    const auto facts = backends.facts_of(effect.generation);
    recycles_.push_back({std::chrono::system_clock::now(), backends.instance_of(effect.generation),
                         effect.generation, effect.reason, effect.jobs, effect.age,
                         facts ? facts->memory : std::nullopt});
    if (recycles_.size() > recycles_remembered) {
        recycles_.pop_front();
    }
}

admin::View Overview::take(const core::Supervisor& core, const Backends& backends,
                           const Clients& clients) const {
    admin::View view;
    view.core = core.snapshot();
    view.instant = std::chrono::steady_clock::now();
    view.now = std::chrono::system_clock::now();
    view.started = started_;
    view.version = TCPLOCK_VERSION;
    view.pid = ::getpid();
    view.protocol = config_.protocol == config::Protocol::uno ? "uno" : "tcp";
    view.instances = policy_.backend.instances;
    view.concurrency = policy_.gate.concurrency;
    view.queue_limit = policy_.gate.queue_limit;
    view.has_served = has_served_;
    for (const core::PlaceView& place : view.core.places) {
        if (const auto facts = backends.facts_of(place.generation)) {
            view.places[place.place] = {facts->address, facts->pid, facts->memory};
        }
    }
    view.peers = clients.peers();
    view.recycles = {recycles_.begin(), recycles_.end()};
    return view;
}

}  // namespace tcplock::daemon
