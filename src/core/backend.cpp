#include "core/backend.hpp"

#include "core/require.hpp"

#include <algorithm>
#include <utility>

namespace tcplock::core {

std::string_view to_string(Phase phase) noexcept {
    switch (phase) {
        case Phase::vacant:
            return "vacant";
        case Phase::spawning:
            return "spawning";
        case Phase::starting:
            return "starting";
        case Phase::ready:
            return "ready";
        case Phase::stopping:
            return "stopping";
        case Phase::killing:
            return "killing";
        case Phase::quarantined:
            return "quarantined";
    }
    return "?";
}

Backend::Backend(PlaceId place, const Policy& policy)
    : place_(place), policy_(policy), backoff_(policy.backend.restart_backoff) {}

bool Backend::is_alive() const noexcept {
    return phase_ == Phase::spawning || phase_ == Phase::starting || phase_ == Phase::ready;
}

bool Backend::is_still() const noexcept {
    return phase_ == Phase::vacant || phase_ == Phase::quarantined;
}

bool Backend::may_spawn(Instant now) const noexcept {
    const auto from = spawnable_from();
    return from && *from <= now;
}

std::optional<Instant> Backend::spawnable_from() const noexcept {
    const bool is_free = phase_ == Phase::vacant && !has_aftermath_;
    return is_free ? std::optional(not_before_) : std::nullopt;
}

bool Backend::has_free_slot() const noexcept {
    const bool probe_takes_one = is_probing_ && !policy_.probe.beside_clients;
    const std::size_t taken = inside_ + (probe_takes_one ? 1 : 0);
    return is_open() && is_prepared() && !prove_by_ && taken < policy_.gate.concurrency;
}

// ---- Phases ------------------------------------------------------------------------------------

void Backend::enter(Phase phase, std::optional<Instant> deadline) noexcept {
    phase_ = phase;
    phase_deadline_ = deadline;
}

bool Backend::spawn(Generation generation, Instant now) {
    require(phase_ == Phase::vacant, "a generation was spawned into a place that is not vacant");
    generation_ = generation;
    wear_ = Wear{0, now, 0};
    has_served_ = false;
    due_.reset();
    planned_.reset();
    has_taken_turn_ = false;
    inside_ = working_ = 0;
    has_been_open_ = is_aftermath_due_ = false;
    is_probing_ = probe_is_stale_ = wants_to_know_if_free_ = false;
    next_probe_ = now;
    missed_probes_ = 0;
    next_miss_ = now;
    prove_by_.reset();
    needs_preparation_ = is_preparing_ = was_asked_again_ = false;
    enter(Phase::spawning, std::nullopt);
    return remakes_profile_ = must_remake_profile();
}

bool Backend::must_remake_profile() const noexcept {
    const bool is_doubtful = doubts_profile_ || doubtful_starts_ >= doubtful_after;
    return policy_.backend.remakes_profiles && is_doubtful && !has_remade_profile_;
}

void Backend::doubt_profile(const Exit& exit) noexcept {
    const auto& broken = policy_.backend.broken_profile_exit;
    doubts_profile_ =
        phase_ == Phase::starting && broken && exit == Exit{Exit::Kind::status, *broken};
}

void Backend::spawned(double jitter, Instant now) {
    require(phase_ == Phase::spawning, "an unexpected generation was spawned");
    wear_.jitter = jitter;
    has_remade_profile_ |= remakes_profile_;
    doubts_profile_ = false;
    next_probe_ = now;
    enter(Phase::starting, now + policy_.backend.start_timeout);
}

void Backend::spawn_failed() {
    require(phase_ == Phase::spawning, "the spawning of an unexpected generation failed");
    instance_.reset();
    enter(Phase::vacant, std::nullopt);
}

void Backend::forget_pauses() noexcept {
    backoff_.healthy();
    not_before_ = {};
}

void Backend::obey(const Policy& policy, Instant now) {
    policy_ = policy;
    backoff_.obey(policy.backend.restart_backoff);
    next_probe_ = std::min(next_probe_, now + policy.probe.interval);
    if (is_alive() && is_worn_out(wear_, policy_.recycle)) {
        make_due(StopReason::max_jobs);
    }
    is_aftermath_due_ = is_aftermath_due_ && policy.hooks.session_timeout;
    if (needs_preparation_ && !policy.hooks.before_admission) {
        needs_preparation_ = false;
        if (!is_preparing_) {
            prove_within(policy.probe.admission.value_or(policy.backend.start_timeout), now);
        }
    }
}

StopBackend Backend::stop(StopReason reason, StopHow how, Instant now) {
    require(phase_ == Phase::starting || phase_ == Phase::ready, "nothing is there to be stopped");
    instance_.reset();
    if (was_healthy(now) && reason != StopReason::hook_failed) {
        backoff_.healthy();
    }
    if (how == StopHow::ask) {
        enter(Phase::stopping, now + policy_.backend.stop_grace);
    } else {
        enter(Phase::killing, now + policy_.backend.stop_timeout);
    }
    return {generation_, reason, how, wear_.jobs, age(now)};
}

DoubtBackend Backend::doubt(StopReason reason, Instant now) {
    require(phase_ == Phase::ready, "what has not answered yet cannot be doubted");
    missed_probes_ = 0;
    prove_by_.reset();
    if (is_prepared()) {  // Otherwise the proof follows the hook.
        prove_within(policy_.backend.start_timeout, now);
    }
    // A probe may answer where clients are refused: they are not to be sent there in a row.
    if (reason == StopReason::unreachable) {
        next_probe_ = now + std::min(policy_.probe.interval, policy_.backend.start_timeout / 2);
    }
    return {generation_, reason};
}

std::optional<KillBackend> Backend::hurry(Instant now) {
    if (phase_ != Phase::stopping) {
        return std::nullopt;
    }
    enter(Phase::killing, now + policy_.backend.stop_timeout);
    return KillBackend{generation_};
}

void Backend::cleared() {
    require(phase_ == Phase::stopping || phase_ == Phase::killing || phase_ == Phase::quarantined,
            "a place was cleared that had not been asked to");
    enter(Phase::vacant, std::nullopt);
}

std::optional<Effect> Backend::overdue(Instant now) {
    if (!phase_deadline_ || *phase_deadline_ > now) {
        return std::nullopt;
    }
    if (phase_ == Phase::stopping) {
        return hurry(now);
    }
    if (phase_ == Phase::killing) {
        enter(Phase::quarantined, std::nullopt);
        return QuarantinePlace{generation_, place_};
    }
    return std::nullopt;
}

bool Backend::start_is_overdue(Instant now) const noexcept {
    return phase_ == Phase::starting && *phase_deadline_ <= now;
}

// ---- Probes ------------------------------------------------------------------------------------

bool Backend::probe_has_room() const noexcept {
    return policy_.probe.beside_clients || inside_ < policy_.gate.concurrency;
}

bool Backend::probe_is_due(Instant now) const noexcept {
    const bool can_answer = phase_ == Phase::starting || (phase_ == Phase::ready && !is_preparing_);
    const bool is_wanted = next_probe_ <= now || wants_to_know_if_free_;
    return can_answer && !is_probing_ && is_wanted && probe_has_room();
}

ProbePurpose Backend::next_purpose() const noexcept {
    if (phase_ == Phase::starting) {
        return ProbePurpose::readiness;
    }
    if (prove_by_) {
        return ProbePurpose::admission;
    }
    return wants_to_know_if_free_ ? ProbePurpose::idleness : ProbePurpose::liveness;
}

ProbeBackend Backend::begin_probe(Instant now) {
    is_probing_ = true;
    probe_began_ = now;
    purpose_ = next_purpose();
    if (purpose_ == ProbePurpose::idleness) {
        wants_to_know_if_free_ = false;
    }
    return {generation_, purpose_};
}

Backend::News Backend::probe_ended(ProbeEnded::Verdict verdict, Instant now) {
    if (!is_probing_) {
        return News::nothing;
    }
    is_probing_ = false;
    if (std::exchange(probe_is_stale_, false)) {
        next_probe_ = std::max(next_probe_, now);
        return News::nothing;
    }
    const News news = judge(verdict, now);
    if (news != News::nothing || purpose_ != ProbePurpose::idleness) {
        return news;
    }
    return verdict == ProbeEnded::Verdict::answered ? News::is_free : News::is_not_free;
}

Backend::News Backend::judge(ProbeEnded::Verdict verdict, Instant now) {
    // From start to start, so that a hung backend is found after threshold × interval + timeout.
    // One that takes a slot leaves clients a turn, however long it took.
    const Duration turn = policy_.probe.beside_clients ? 0ms : probe_retry_interval;
    next_probe_ = std::max(now + turn, probe_began_ + policy_.probe.interval);
    if (verdict != ProbeEnded::Verdict::failed) {
        missed_probes_ = 0;
        next_miss_ = now;
    }
    if (verdict == ProbeEnded::Verdict::answered) {
        prove_by_.reset();
        if (phase_ != Phase::starting) {
            return open_up();
        }
        answered_at_ = free_since_ = now;
        fresh_profile_seen_ = false;
        doubtful_starts_ = 0;
        has_remade_profile_ = false;
        needs_preparation_ = policy_.hooks.before_admission;
        if (!needs_preparation_) {
            open_up();
        }
        enter(Phase::ready, std::nullopt);
        return News::first_answer;
    }
    if (phase_ == Phase::starting || prove_by_) {
        next_probe_ = now + probe_retry_interval;
    }
    if (verdict == ProbeEnded::Verdict::busy || phase_ == Phase::starting || !is_missed()) {
        return News::nothing;
    }
    // The next interval, counted from the last answer, or from the session's end.
    next_miss_ +=
        ((probe_began_ - next_miss_) / policy_.probe.interval + 1) * policy_.probe.interval;
    ++missed_probes_;
    return missed_probes_ >= policy_.probe.failure_threshold ? News::unresponsive : News::nothing;
}

// After a session it is asked more often, and may have to finish a job before it answers. A probe
// that goes in beside clients is told that it is busy, and waits for no job itself: without even
// that it is a miss as ever, once an interval.
bool Backend::is_missed() const noexcept {
    return !prove_by_ || (policy_.probe.beside_clients && probe_began_ >= next_miss_);
}

Backend::News Backend::open_up() noexcept {
    has_begun_again_ = false;
    return std::exchange(has_been_open_, true) ? News::nothing : News::opened;
}

bool Backend::proof_is_overdue(Instant now) const noexcept {
    return phase_ == Phase::ready && prove_by_ && *prove_by_ <= now;
}

// ---- Hooks -------------------------------------------------------------------------------------

bool Backend::preparation_is_due() const noexcept {
    return phase_ == Phase::ready && !due_ && needs_preparation_ && !is_preparing_;
}

RunHook Backend::begin_preparation() noexcept {
    needs_preparation_ = false;
    is_preparing_ = true;
    probe_is_stale_ = is_probing_;
    prove_by_.reset();
    return {generation_, Hook::before_admission};
}

void Backend::prepared(Instant now) {
    is_preparing_ = false;
    if (needs_preparation_) {
        return;  // Another session has ended meanwhile.
    }
    prove_within(policy_.probe.admission.value_or(policy_.backend.start_timeout), now);
}

void Backend::preparation_failed() noexcept {
    is_preparing_ = false;
    make_due(StopReason::hook_failed);
}

std::optional<RunHook> Backend::begin_aftermath() noexcept {
    if (!std::exchange(is_aftermath_due_, false)) {
        return std::nullopt;
    }
    has_aftermath_ = true;
    return RunHook{generation_, Hook::session_timeout};
}

// ---- Sessions ----------------------------------------------------------------------------------

void Backend::admit() {
    require(has_free_slot(), "a client was admitted where no slot is free");
    ++inside_;
}

void Backend::begin_job() noexcept {
    ++wear_.jobs;
    ++working_;
    if (is_worn_out(wear_, policy_.recycle)) {
        make_due(StopReason::max_jobs);
    }
}

void Backend::leave_slot(HadJob had_job, Instant now) {
    require(inside_ > 0, "more sessions ended than had begun");
    --inside_;
    working_ -= had_job == HadJob::yes ? 1 : 0;
    wants_to_know_if_free_ = wants_to_know_if_free_ && inside_ > 0;
    free_since_ = now;
}

void Backend::session_ended(HadJob had_job, Instant now) {
    leave_slot(had_job, now);
    has_served_ = has_served_ || had_job == HadJob::yes;
    if (has_served_ && was_asked_again_) {
        plan_recycle(StopReason::requested, now);
    }
    if (policy_.hooks.before_admission) {
        needs_preparation_ = true;  // The proof follows.
    } else if (policy_.probe.admission) {
        prove_within(*policy_.probe.admission, now);
    }
}

void Backend::prove_within(Duration limit, Instant now) {
    prove_by_ = now + limit;
    next_probe_ = now;
    next_miss_ = std::max(next_miss_, now);
    probe_is_stale_ = is_probing_;
}

void Backend::not_entered(HadJob had_job, Instant now) {
    leave_slot(had_job, now);
}

// ---- Its end -----------------------------------------------------------------------------------

void Backend::make_due(StopReason reason) noexcept {
    const bool outranks = due_ && how_to_stop(*due_) == StopHow::ask;
    if (!due_ || (outranks && how_to_stop(reason) == StopHow::kill)) {
        due_ = reason;
    }
}

bool Backend::begin_again() noexcept {
    was_asked_again_ = std::exchange(has_begun_again_, true);
    return !was_asked_again_;
}

void Backend::plan_recycle(StopReason reason, Instant now) noexcept {
    planned_ = planned_.value_or(Plan{reason, now});
    was_asked_again_ = false;
}

std::optional<StopReason> Backend::planned() const noexcept {
    return planned_ ? std::optional(planned_->reason) : std::nullopt;
}

std::optional<Instant> Backend::planned_since(Instant now) noexcept {
    const auto old = old_at(wear_, policy_.recycle);
    if (old && *old <= now) {
        plan_recycle(StopReason::max_age, now);
    }
    return planned_ ? std::optional(planned_->since) : std::nullopt;
}

void Backend::start_failed() noexcept {
    ++failed_in_a_row_;
    has_begun_again_ = false;
}

bool Backend::is_fresh_profile_exit(const Exit& exit) noexcept {
    const auto& expected = policy_.backend.fresh_profile_exit;
    const bool asks =
        phase_ == Phase::starting && expected && exit == Exit{Exit::Kind::status, *expected};
    return asks && !std::exchange(fresh_profile_seen_, true);
}

Duration Backend::back_off(Instant now) {
    const Duration pause = backoff_.failed();
    not_before_ = now + pause;
    return pause;
}

// A death with a client's job inside is the client's doing: a poisonous document costs one restart.
// One who has said nothing has done nothing.
bool Backend::was_healthy(Instant now) const noexcept {
    const bool has_answered = phase_ == Phase::ready;
    const bool was_long = now - answered_at_ >= policy_.backend.restart_backoff.max;
    return has_answered && (has_served_ || working_ > 0 || was_long);
}

void Backend::become(std::optional<InstanceId> instance) noexcept {
    // Nobody was ever inside of one that has not answered.
    was_instance_ = instance || phase_ != Phase::ready ? std::nullopt : instance_;
    instance_ = instance;
}

PlaceView Backend::view() const {
    PlaceView seen;
    seen.place = place_;
    seen.phase = phase_;
    seen.generation = generation_;
    seen.instance = instance_;
    seen.was_instance = was_instance_;
    seen.born = wear_.born;
    seen.inside = inside_;
    seen.jobs = wear_.jobs;
    seen.is_unproven = prove_by_.has_value();
    seen.missed_probes = phase_ == Phase::ready ? missed_probes_ : 0;
    seen.due = due_;
    if (is_alive()) {
        seen.planned = planned();
    }
    if (phase_ == Phase::vacant) {
        seen.not_before = not_before_;
    }
    seen.failed_in_a_row = failed_in_a_row_;
    return seen;
}

std::optional<Instant> Backend::deadline() const noexcept {
    std::optional<Instant> first = phase_deadline_;
    if (phase_ == Phase::starting || phase_ == Phase::ready) {
        if (!is_probing_ && !is_preparing_ && probe_has_room()) {
            first = earlier(first, next_probe_);
        }
    }
    if (phase_ == Phase::ready) {
        first = earlier(first, prove_by_);
        if (!due_ && !planned_) {
            first = earlier(first, old_at(wear_, policy_.recycle));
        }
    }
    return first;
}

}  // namespace tcplock::core
