#include "admin/gauges.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace tcplock::admin {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::array<core::Phase, 7> phases{
    core::Phase::vacant,   core::Phase::spawning, core::Phase::starting,   core::Phase::ready,
    core::Phase::stopping, core::Phase::killing,  core::Phase::quarantined};

struct Label {
    std::string_view name;
    std::string value;
};

// One family under construction.
class Family {
public:
    Family(std::string name, std::string help, MetricType type = MetricType::Gauge)
        : family_{std::move(name), std::move(help), type, {}} {}

    Family&& with(double value, std::initializer_list<Label> labels = {}) && {
        add(value, labels);
        return std::move(*this);
    }
    void add(double value, std::initializer_list<Label> labels) {
        ClientMetric metric;
        for (const Label& label : labels) {
            metric.label.push_back({std::string(label.name), label.value});
        }
        (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
        family_.metric.push_back(std::move(metric));
    }
    void join(std::vector<MetricFamily>& all) && {
        if (!family_.metric.empty()) {
            all.push_back(std::move(family_));
        }
    }

private:
    MetricFamily family_;
};

double seconds(core::Duration span) {
    return std::chrono::duration<double>(span).count();
}

// One that has been replaced counts where it served.
std::string instance_of(const core::PlaceView& place) {
    const auto instance = place.instance ? place.instance : place.was_instance;
    return instance ? std::to_string(core::number(*instance)) : "standby";
}

void tell_condition(const View& view, std::vector<MetricFamily>& all) {
    const Condition now = condition_of(view);
    Family state("tcplock_state", "In one word: 1 for the one that it is.");
    for (const std::string_view name : states) {
        state.add(now.state == name ? 1 : 0, {{"state", std::string(name)}});
    }
    std::move(state).join(all);
    Family("tcplock_ready", "Whether a client that came now would soon be served.")
        .with(now.is_ready ? 1 : 0)
        .join(all);
    Family("tcplock_build_info", "Always 1; its label is the version.")
        .with(1, {{"version", view.version}})
        .join(all);
}

void tell_line(const View& view, std::vector<MetricFamily>& all) {
    const auto& waiting = view.core.waiting;
    Family("tcplock_queue_length", "Clients who wait.")
        .with(static_cast<double>(waiting.size()))
        .join(all);
    Family("tcplock_queue_limit", "How many may wait; the next is refused.")
        .with(static_cast<double>(view.queue_limit))
        .join(all);
    Family("tcplock_queue_oldest_seconds",
           "How long the first of those who wait has waited; 0 if nobody does.")
        .with(waiting.empty() ? 0 : seconds(view.instant - waiting.front().since))
        .join(all);
    Family("tcplock_sessions_inside", "Clients who are inside a backend.")
        .with(static_cast<double>(view.core.sessions.size()))
        .join(all);
    Family("tcplock_slots", "How many may be inside at once.")
        .with(static_cast<double>(view.instances * view.concurrency))
        .join(all);
}

void tell_places(const View& view, std::vector<MetricFamily>& all) {
    std::map<std::string, std::map<core::Phase, int>> places;
    for (const core::PlaceView& place : view.core.places) {
        ++places[instance_of(place)][place.phase];
    }
    Family family("tcplock_backend_places", "Places of a backend, by what lives there.");
    for (auto& [instance, in_phase] : places) {
        for (const core::Phase phase : phases) {
            family.add(in_phase[phase], {{"backend_instance", instance},
                                         {"phase", std::string(core::to_string(phase))}});
        }
    }
    std::move(family).join(all);
}

// Of those who serve, or would.
void tell_generations(const View& view, std::vector<MetricFamily>& all) {
    Family generation("tcplock_backend_generation", "The number of the generation that serves.");
    Family age("tcplock_backend_age_seconds", "How old it is.");
    Family jobs("tcplock_backend_jobs", "How many jobs it has had.");
    for (const core::PlaceView& place : view.core.places) {
        if (!place.instance || place.phase == core::Phase::vacant) {
            continue;
        }
        const std::string instance = instance_of(place);
        generation.add(static_cast<double>(core::number(place.generation)),
                       {{"backend_instance", instance}});
        age.add(seconds(view.instant - place.born), {{"backend_instance", instance}});
        jobs.add(static_cast<double>(place.jobs), {{"backend_instance", instance}});
    }
    for (Family* const family : {&generation, &age, &jobs}) {
        std::move(*family).join(all);
    }
}

void tell_memory(const View& view, std::vector<MetricFamily>& all) {
    std::map<std::string, std::uint64_t> used;
    std::size_t zombies = 0;
    for (const core::PlaceView& place : view.core.places) {
        const auto found = view.places.find(place.place);
        if (place.phase == core::Phase::vacant || found == view.places.end()) {
            continue;
        }
        zombies += found->second.zombies;
        if (found->second.memory) {
            used[instance_of(place)] += *found->second.memory;
        }
    }
    Family memory("tcplock_backend_memory_bytes", "What the whole trees of an instance use.");
    for (const auto& [instance, bytes] : used) {
        memory.add(static_cast<double>(bytes), {{"backend_instance", instance}});
    }
    std::move(memory).join(all);
    Family soft("tcplock_backend_memory_soft_limit_bytes",
                "A tree that uses more is recycled between two jobs.");
    if (view.memory_soft_limit) {
        soft.add(static_cast<double>(*view.memory_soft_limit), {});
    }
    std::move(soft).join(all);
    Family hard("tcplock_backend_memory_hard_limit_bytes",
                "A tree that uses more is recycled at once.");
    if (view.memory_hard_limit) {
        hard.add(static_cast<double>(*view.memory_hard_limit), {});
    }
    std::move(hard).join(all);
    Family("tcplock_zombies",
           "Processes of the backends that have ended and that no parent has fetched.")
        .with(static_cast<double>(zombies))
        .join(all);
}

void tell_ourselves(const View& view, std::vector<MetricFamily>& all) {
    Family("tcplock_log_lines_dropped_total", "Log lines that nobody took in time.",
           MetricType::Counter)
        .with(static_cast<double>(view.own.log_lines_dropped))
        .join(all);
    Family("process_cpu_seconds_total", "Processor time of the supervisor itself.",
           MetricType::Counter)
        .with(seconds(view.own.processor))
        .join(all);
    Family("process_resident_memory_bytes", "Memory of the supervisor itself.")
        .with(static_cast<double>(view.own.memory))
        .join(all);
    Family("process_start_time_seconds", "When the supervisor started, since the epoch.")
        .with(std::chrono::duration<double>(view.started.time_since_epoch()).count())
        .join(all);
}

}  // namespace

std::vector<MetricFamily> gauges(const View& view) {
    std::vector<MetricFamily> all;
    tell_condition(view, all);
    tell_line(view, all);
    tell_places(view, all);
    tell_generations(view, all);
    tell_memory(view, all);
    tell_ourselves(view, all);
    return all;
}

MetricFamily accepted(const View& view, std::uint64_t unheard) {
    std::vector<MetricFamily> one;
    Family("tcplock_clients_accepted_total", "Clients who came.", MetricType::Counter)
        .with(static_cast<double>(view.core.counts.accepted + unheard))
        .join(one);
    return std::move(one.front());
}

}  // namespace tcplock::admin
