#include "daemon/overview.hpp"

#include "daemon/log.hpp"
#include "io/proc.hpp"

#include <ctime>
#include <unistd.h>
#include <variant>

namespace tcplock::daemon {
namespace {

constexpr std::size_t recycles_remembered = 50;
// What the trees use is looked up no more often.
constexpr auto memory_interval = std::chrono::seconds{5};

std::chrono::nanoseconds processor_time() {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

admin::View::Own ourselves() {
    const auto stat = io::read_stat(::getpid());
    return {processor_time(), stat ? stat->resident_bytes : 0, lines_lost()};
}

std::string name_of(std::optional<core::InstanceId> instance) {
    return instance ? std::to_string(core::number(*instance)) : admin::standby_name;
}

// The instance that is started, or whose first answer has come.
std::string whom(const core::Effect& effect, const Backends& backends) {
    if (const auto* const spawn = std::get_if<core::SpawnBackend>(&effect)) {
        return name_of(spawn->instance);
    }
    const auto* const ready = std::get_if<core::AnnounceReady>(&effect);
    return ready != nullptr ? backends.instance_of(ready->generation) : std::string();
}

// Not the end of all, and not what the first start of an office is made of.
bool is_recycle(core::StopReason reason) {
    return reason != core::StopReason::shutdown && reason != core::StopReason::fresh_profile;
}

}  // namespace

Overview::Overview(const config::Config& config, const core::Policy& policy)
    : config_(config),
      policy_(policy),
      record_(policy.backend.instances, started_, std::chrono::steady_clock::now()) {}

void Overview::note(const core::Effect& effect, const Backends& backends) {
    record_.note(effect, whom(effect, backends));
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
    record_.recycled(recycles_.back());
}

void Overview::sample(const core::Supervisor& core, const Backends& backends) {
    const auto instant = std::chrono::steady_clock::now();
    admin::Sample sample{core.counts().waiting};
    if (const auto first = core.first_in_line()) {
        sample.oldest_wait = instant - first->since;
    }
    if (instant >= look_at_memory_at_) {
        look_at_memory_at_ = instant + memory_interval;
        for (const core::Backend& backend : core.pool().places()) {
            const auto facts = backends.facts_of(backend.generation());
            if (facts && facts->memory && backend.instance()) {
                sample.memory[name_of(backend.instance())] = *facts->memory;
            }
        }
    }
    record_.sample(sample, instant);
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
    view.memory_soft_limit = policy_.recycle.memory_soft_limit;
    view.memory_hard_limit = policy_.recycle.memory_hard_limit;
    view.own = ourselves();
    view.has_served = has_served_;
    for (const core::PlaceView& place : view.core.places) {
        if (const auto facts = backends.facts_of(place.generation)) {
            view.places[place.place] = {facts->address, facts->pid, facts->memory, facts->zombies};
        }
    }
    view.peers = clients.peers();
    view.recycles = {recycles_.begin(), recycles_.end()};
    return view;
}

}  // namespace tcplock::daemon
