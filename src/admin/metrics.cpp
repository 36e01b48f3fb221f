#include "admin/metrics.hpp"

#include "admin/gauges.hpp"

#include <array>
#include <initializer_list>
#include <prometheus/text_serializer.h>
#include <utility>
#include <vector>

namespace tcplock::admin {
namespace {

using prometheus::Histogram;
using prometheus::Labels;
using Verdict = core::ProbeEnded::Verdict;

// Seconds. A client waits from a millisecond, at an idle gate, up to gate.queue_timeout; a session
// lasts from a visit's moment up to gate.session_timeout.
const Histogram::BucketBoundaries long_spans{0.005, 0.025, 0.1, 0.25, 0.5, 1,   2.5,
                                             5,     10,    30,  60,   120, 300, 600};
// An office starts within 1 s to 5 s; backend.start_timeout is 60 s.
const Histogram::BucketBoundaries start_spans{0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60};
// A probe's round trip takes below a millisecond; probe.timeout is 2 s.
const Histogram::BucketBoundaries short_spans{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                              0.05,   0.1,   0.25,   0.5,   1,    2.5};

constexpr std::string_view outcome = "outcome";
constexpr std::string_view label_of_instance = "backend_instance";

constexpr std::array<core::StopReason, 17> recycle_reasons{core::StopReason::max_jobs,
                                                           core::StopReason::max_age,
                                                           core::StopReason::schedule,
                                                           core::StopReason::requested,
                                                           core::StopReason::reload,
                                                           core::StopReason::memory_soft_limit,
                                                           core::StopReason::memory_hard_limit,
                                                           core::StopReason::idle,
                                                           core::StopReason::session_timeout,
                                                           core::StopReason::release_timeout,
                                                           core::StopReason::died,
                                                           core::StopReason::unresponsive,
                                                           core::StopReason::not_free,
                                                           core::StopReason::start_timeout,
                                                           core::StopReason::leftovers,
                                                           core::StopReason::unreachable,
                                                           core::StopReason::hook_failed};

constexpr std::array<core::RefuseReason, 5> refuse_reasons{
    core::RefuseReason::queue_full, core::RefuseReason::queue_timeout,
    core::RefuseReason::backend_failing, core::RefuseReason::shutting_down,
    core::RefuseReason::requested};

constexpr std::array<core::CutReason, 9> cut_reasons{
    core::CutReason::session_timeout,   core::CutReason::first_byte_timeout,
    core::CutReason::idle_timeout,      core::CutReason::release_timeout,
    core::CutReason::memory_hard_limit, core::CutReason::neighbour,
    core::CutReason::requested,         core::CutReason::recycle_requested,
    core::CutReason::shutdown};

// Those of a session, as the log has them.
constexpr std::array<std::string_view, 13> end_codes{"--", "S-", "CD", "SD", "TD", "cR", "cD",
                                                     "TL", "CL", "RD", "ND", "KD", "GD"};

constexpr std::array<core::ProbePurpose, 4> purposes{
    core::ProbePurpose::readiness, core::ProbePurpose::liveness, core::ProbePurpose::admission,
    core::ProbePurpose::idleness};

double seconds(core::Duration span) {
    return std::chrono::duration<double>(span).count();
}

Labels label(std::string_view name, std::string_view value) {
    return {{std::string(name), std::string(value)}};
}

Labels labels(const std::string& instance, std::string_view name, std::string_view value) {
    return {{std::string(label_of_instance), instance}, {std::string(name), std::string(value)}};
}

std::string_view to_string(core::ProbePurpose purpose) {
    switch (purpose) {
        case core::ProbePurpose::readiness:
            return "readiness";
        case core::ProbePurpose::liveness:
            return "liveness";
        case core::ProbePurpose::admission:
            return "admission";
        case core::ProbePurpose::idleness:
            return "idleness";
    }
    return "?";
}

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::answered:
            return "answered";
        case Verdict::busy:
            return "busy";
        case Verdict::failed:
            return "failed";
    }
    return "?";
}

Labels labels(const std::string& instance, core::ProbePurpose purpose, Verdict verdict) {
    Labels all = labels(instance, "result", to_string(verdict));
    all.emplace("purpose", to_string(purpose));
    return all;
}

std::vector<std::string> names(std::size_t instances) {
    std::vector<std::string> all{standby_name};
    for (std::size_t instance = 0; instance < instances; ++instance) {
        all.push_back(std::to_string(instance));
    }
    return all;
}

}  // namespace

Metrics::Metrics(std::size_t instances)
    : refused_(counters("tcplock_clients_refused_total",
                        "Clients turned away before they were in, by reason.")),
      left_(counters("tcplock_clients_left_total", "Clients who left while they waited.")),
      cut_(counters("tcplock_clients_cut_total", "Clients ended after they were in, by reason.")),
      sessions_(counters("tcplock_sessions_total",
                         "Sessions that have ended, by the code of their end in the log.")),
      jobs_(counters("tcplock_jobs_total",
                     "Sessions that have ended in which the client had sent something.")),
      bytes_(counters("tcplock_bytes_total",
                      "Bytes of sessions that have ended: in, from clients; out, to them.")),
      starts_(counters("tcplock_backend_starts_total", "Starts of a backend that were begun.")),
      failed_starts_(counters("tcplock_backend_failed_starts_total",
                              "Starts of a backend that never led to an answer.")),
      recycles_(counters("tcplock_recycles_total", "Generations that were ended, by reason.")),
      probes_(counters("tcplock_probes_total",
                       "Probes; busy: it lives, but did not say that it is free.")),
      waits_(
          histograms("tcplock_wait_seconds", "How long clients waited, by what became of them.")),
      lengths_(histograms("tcplock_session_seconds",
                          "How long sessions lasted, by the code of their end in the log.")),
      start_times_(histograms("tcplock_backend_start_seconds",
                              "From the start of a backend to its first answer.")),
      probe_times_(histograms("tcplock_probe_seconds", "How long probes took, by what for.")),
      delays_(
          histograms("tcplock_event_loop_delay_seconds",
                     "How late the event loop comes to what is due, looked at once a second while "
                     "there are clients.")),
      waits_of_admitted_(waits_.Add(label(outcome, "admitted"), long_spans)),
      bytes_in_(bytes_.Add(label("direction", "in"))),
      bytes_out_(bytes_.Add(label("direction", "out"))) {
    begin_at_zero(instances);
}

Metrics::Counters& Metrics::counters(const std::string& name, const std::string& help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
}

Metrics::Histograms& Metrics::histograms(const std::string& name, const std::string& help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
}

void Metrics::begin_at_zero(std::size_t instances) {
    for (const core::RefuseReason reason : refuse_reasons) {
        refused_.Add(label("reason", core::to_string(reason)));
    }
    for (const char* const reason : {reason_not_allowed, reason_open_files, reason_foreign}) {
        refused_.Add(label("reason", reason));
    }
    for (const core::CutReason reason : cut_reasons) {
        cut_.Add(label("reason", core::to_string(reason)));
    }
    for (const char* const what : {"refused", "left"}) {
        waits_.Add(label(outcome, what), long_spans);
    }
    for (const core::ProbePurpose purpose : purposes) {
        probe_times_.Add(label("purpose", to_string(purpose)), short_spans);
    }
    for (const std::string& instance : names(instances)) {
        for (const std::string_view code : end_codes) {
            sessions_.Add(labels(instance, "end", code));
        }
        jobs_.Add(label(label_of_instance, instance));
        starts_.Add(label(label_of_instance, instance));
        start_times_.Add(label(label_of_instance, instance), start_spans);
        for (const core::ProbePurpose purpose : purposes) {
            for (const Verdict verdict : {Verdict::answered, Verdict::busy, Verdict::failed}) {
                probes_.Add(labels(instance, purpose, verdict));
            }
        }
        for (const core::StopReason reason : recycle_reasons) {
            recycles_.Add(labels(instance, "reason", core::to_string(reason)));
        }
    }
    left_.Add({});
    failed_starts_.Add({});
    delays_.Add({}, short_spans);
}

// ---- What happens ------------------------------------------------------------------------------

void Metrics::admitted(core::Duration waited) {
    waits_of_admitted_.Observe(seconds(waited));
}

void Metrics::left(core::Duration waited) {
    left_.Add({}).Increment();
    waits_.Add(label(outcome, "left"), long_spans).Observe(seconds(waited));
}

void Metrics::refused(const Refused& refused) {
    unheard_ += refused.was_heard_of ? 0 : 1;
    refused_.Add(label("reason", refused.reason)).Increment();
    if (refused.was_heard_of) {  // The others never waited.
        waits_.Add(label(outcome, "refused"), long_spans).Observe(seconds(refused.waited));
    }
}

void Metrics::cut(core::CutReason reason) {
    cut_.Add(label("reason", core::to_string(reason))).Increment();
}

void Metrics::ended(const EndedSession& session) {
    OfSessions& known = of_sessions(session.instance, session.end);
    known.ended.Increment();
    known.jobs.Increment(session.had_job ? 1 : 0);
    known.lengths.Observe(seconds(session.lasted));
    bytes_in_.Increment(static_cast<double>(session.bytes_in));
    bytes_out_.Increment(static_cast<double>(session.bytes_out));
}

Metrics::OfSessions& Metrics::of_sessions(const std::string& instance, std::string_view end) {
    auto& of_instance = known_sessions_[instance];
    auto found = of_instance.find(end);
    if (found == of_instance.end()) {
        const OfSessions first{sessions_.Add(labels(instance, "end", end)),
                               jobs_.Add(label(label_of_instance, instance)),
                               lengths_.Add(label("end", end), long_spans)};
        found = of_instance.emplace(end, first).first;
    }
    return found->second;
}

void Metrics::starts(const std::string& instance) {
    starts_.Add(label(label_of_instance, instance)).Increment();
}

void Metrics::ready(const std::string& instance, core::Duration after) {
    start_times_.Add(label(label_of_instance, instance), start_spans).Observe(seconds(after));
}

void Metrics::start_failed() {
    failed_starts_.Add({}).Increment();
}

void Metrics::recycled(const Recycle& recycle) {
    recycles_.Add(labels(recycle.instance, "reason", core::to_string(recycle.reason))).Increment();
}

void Metrics::probed(const Probed& probe) {
    probes_.Add(labels(probe.instance, probe.purpose, probe.verdict)).Increment();
    probe_times_.Add(label("purpose", to_string(probe.purpose)), short_spans)
        .Observe(seconds(probe.took));
}

void Metrics::loop_was_late(core::Duration by) {
    delays_.Add({}, short_spans).Observe(seconds(by));
}

// ---- As text -----------------------------------------------------------------------------------

std::string Metrics::text(const View& view) const {
    std::vector<prometheus::MetricFamily> families = gauges(view);
    families.push_back(accepted(view, unheard_));
    for (prometheus::MetricFamily& counted : registry_.Collect()) {
        families.push_back(std::move(counted));
    }
    return prometheus::TextSerializer().Serialize(families);
}

}  // namespace tcplock::admin
