#include "core/supervisor.hpp"

#include "core/require.hpp"

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

namespace tcplock::core {

Supervisor::Supervisor(const Policy& policy) : policy_(policy), gate_(policy.gate), pool_(policy) {}

Effects Supervisor::handle(const Event& event, Instant now) {
    require(now >= last_now_, "time went backwards");
    last_now_ = now;
    Effects effects;
    std::visit([&](const auto& happened) { on(happened, now, effects); }, event);
    settle(now, effects);
    return effects;
}

// ---- Clients -----------------------------------------------------------------------------------

void Supervisor::on(const ClientArrived& event, Instant now, Effects& effects) {
    ++counts_.accepted;
    Waiter newcomer = gate_.newcomer(event.client, now);
    newcomer.unserved_before = unserved_.total(now);
    if (mode_ != Mode::serving) {
        refuse(newcomer, RefuseReason::shutting_down, now, effects);
    } else if (is_failing()) {
        refuse(newcomer, RefuseReason::backend_failing, now, effects);
    } else if (gate_.is_full()) {
        refuse(newcomer, RefuseReason::queue_full, now, effects);
    } else {
        gate_.enter(newcomer);
    }
}

void Supervisor::on(const ClientLeft& event, Instant, Effects&) {
    if (gate_.leave(event.client)) {
        ++counts_.left;
    }
}

void Supervisor::on(const JobBegan& event, Instant, Effects&) {
    const auto found = sessions_.find(event.client);
    if (found == sessions_.end() || found->second.has_job) {
        return;
    }
    found->second.has_job = true;
    found->second.speaks_by.reset();
    if (Backend* const backend = pool_.find(found->second.generation)) {
        backend->begin_job();
    }
}

// Idle is who says nothing while the backend is free; one that waits for its job is not.
void Supervisor::on(const ClientIdle& event, Instant now, Effects& effects) {
    const auto found = sessions_.find(event.client);
    if (found == sessions_.end() || found->second.is_cut || found->second.has_left) {
        return;
    }
    if (!policy_.probe.tells_if_free) {
        send_away(event.client, found->second, CutReason::idle_timeout, now, effects);
        return;
    }
    found->second.is_idle = true;
    if (Backend* const backend = pool_.find(found->second.generation)) {
        backend->ask_if_free();
    }
}

void Supervisor::on(const ClientStirred& event, Instant, Effects&) {
    const auto found = sessions_.find(event.client);
    if (found != sessions_.end()) {
        found->second.is_idle = false;
    }
}

void Supervisor::on(const ClientFinished& event, Instant now, Effects&) {
    const auto found = sessions_.find(event.client);
    if (found != sessions_.end() && !found->second.has_left) {
        found->second.has_left = true;
        found->second.is_idle = false;
        found->second.speaks_by.reset();
        found->second.ends = now + policy_.gate.release_timeout;
    }
}

void Supervisor::on(const SessionEnded& event, Instant now, Effects& effects) {
    const auto found = sessions_.find(event.client);
    if (found == sessions_.end()) {
        return;
    }
    const Session session = found->second;
    sessions_.erase(found);
    Backend* const backend = pool_.find(session.generation);
    const bool was_touched = event.how == SessionEnded::How::released ||
                             (event.how == SessionEnded::How::not_reached && session.is_cut);
    if (backend) {
        const auto had_job = session.has_job ? Backend::HadJob::yes : Backend::HadJob::no;
        was_touched ? backend->session_ended(had_job, now) : backend->not_entered(had_job, now);
        if (event.memory) {
            judge_memory(*backend, *event.memory, When::between_jobs, now, effects);
        }
    }
    if (session.is_cut) {
        return;  // However it ended: that is what became of the client.
    }
    switch (event.how) {
        case SessionEnded::How::released:
        case SessionEnded::How::untouched:
            break;
        case SessionEnded::How::left:
            --counts_.admitted;
            ++counts_.left;
            break;
        case SessionEnded::How::foreign:
            --counts_.admitted;
            ++counts_.refused;
            break;
        case SessionEnded::How::not_reached:
            --counts_.admitted;
            gate_.enter(session.waiter);
            if (backend && backend->phase() == Phase::ready) {
                stop_unasked(*backend, StopReason::unreachable, now, effects);
            }
            break;
    }
}

void Supervisor::refuse(Waiter waiter, RefuseReason reason, Instant now, Effects& effects) {
    ++counts_.refused;
    effects.push_back(RefuseClient{waiter.client, reason, now - waiter.since});
}

void Supervisor::cut(ClientId client, Session& session, CutReason reason, Effects& effects) {
    session.is_cut = true;
    effects.push_back(CutClient{client, reason});
}

void Supervisor::cut_who_is_idle(Generation generation, Instant now, Effects& effects) {
    for (auto& [client, session] : sessions_) {
        if (session.generation == generation && session.is_idle && !session.is_cut) {
            send_away(client, session, CutReason::idle_timeout, now, effects);
        }
    }
}

// Of one alone it is known whose job it was.
void Supervisor::cut_all_inside(Generation generation, CutReason alone, CutReason among_others,
                                Effects& effects) {
    std::vector<std::pair<const ClientId, Session>*> inside;
    for (auto& entry : sessions_) {
        const Session& session = entry.second;
        if (session.generation == generation && !session.is_cut && !is_outside(session)) {
            inside.push_back(&entry);
        }
    }
    const auto why = inside.size() == 1 ? alone : among_others;
    for (auto* const entry : inside) {
        cut(entry->first, entry->second, why, effects);
    }
}

// Until they have been idle for as long again.
void Supervisor::forget_who_is_idle(Generation generation) {
    for (auto& [client, session] : sessions_) {
        if (session.generation == generation) {
            session.is_idle = false;
        }
    }
}

// ---- Operators ---------------------------------------------------------------------------------

void Supervisor::on(const CutRequested& event, Instant now, Effects& effects) {
    if (const auto waiter = gate_.take(event.client)) {
        refuse(*waiter, RefuseReason::requested, now, effects);
        return;
    }
    const auto found = sessions_.find(event.client);
    if (found != sessions_.end() && !found->second.is_cut && !found->second.has_left) {
        send_away(event.client, found->second, CutReason::requested, now, effects);
    }
}

// Who waits is served, before an end, or is told that he is not.
void Supervisor::on(const PauseRequested&, Instant now, Effects&) {
    if (mode_ == Mode::serving) {
        gate_.pause(now);
    }
}

void Supervisor::on(const ResumeRequested&, Instant now, Effects&) {
    gate_.resume(now);
}

void Supervisor::on(const PolicyChanged& event, Instant now, Effects& effects) {
    const auto& before = policy_.backend;
    const auto& after = event.policy.backend;
    require(before.instances == after.instances && before.standby == after.standby &&
                before.is_ours == after.is_ours &&
                policy_.gate.looks_first == event.policy.gate.looks_first,
            "something was to change that cannot");
    policy_ = event.policy;
    gate_.obey(policy_.gate);
    pool_.obey(policy_, now);
    for (Backend& backend : pool_.places()) {
        forget_failed_starts(backend);  // Whatever it was, it may be mended.
        backend.forget_pauses();
        if (event.needs_fresh_backends) {
            replace(backend, StopReason::reload, now, effects);
        }
    }
}

// What was found when its start began may have changed since: one that starts is begun again, and
// one that is being spawned as soon as it has been.
void Supervisor::replace(Backend& backend, StopReason reason, Instant now, Effects& effects) {
    if (backend.phase() == Phase::starting) {
        stop(backend, reason, now, effects);
    } else if (backend.phase() == Phase::spawning || backend.phase() == Phase::ready) {
        backend.plan_recycle(reason, now);
    }
}

// ---- Backends ----------------------------------------------------------------------------------

void Supervisor::on(const BackendSpawned& event, Instant now, Effects& effects) {
    Backend* const backend = pool_.find(event.generation);
    if (!backend) {
        return;
    }
    backend->spawned(event.jitter, now);
    const auto outdated_by = backend->planned();
    if (outdated_by && wanted() != Pool::Wanted::nothing) {
        stop(*backend, *outdated_by, now, effects);
    }
}

void Supervisor::on(const SpawnFailed& event, Instant now, Effects& effects) {
    if (Backend* const backend = pool_.find(event.generation)) {
        backend->spawn_failed();
        count_failed_start(*backend);
        back_off(*backend, HasFailed::to_start, now, effects);
    }
}

void Supervisor::on(const SpawnPostponed& event, Instant now, Effects&) {
    if (Backend* const backend = pool_.find(event.generation)) {
        backend->spawn_failed();
        pool_.postpone_standby(now);
    }
}

void Supervisor::on(const BackendExited& event, Instant now, Effects& effects) {
    Backend* const backend = pool_.find(event.generation);
    if (!backend) {
        return;
    }
    backend->doubt_profile(event.exit);
    if (backend->is_fresh_profile_exit(event.exit)) {
        stop(*backend, StopReason::fresh_profile, now, effects);
    } else if (backend->phase() == Phase::starting || backend->phase() == Phase::ready) {
        stop_unasked(*backend, StopReason::died, now, effects);
    }
}

void Supervisor::on(const ProbeEnded& event, Instant now, Effects& effects) {
    Backend* const backend = pool_.find(event.generation);
    if (!backend || !backend->is_alive()) {
        return;
    }
    switch (backend->probe_ended(event.verdict, now)) {
        case Backend::News::nothing:
            break;
        case Backend::News::first_answer:
            // With that hook a start has not succeeded before clients may go in.
            if (backend->has_been_open()) {
                forget_failed_starts(*backend);
            }
            effects.push_back(AnnounceReady{event.generation, backend->age(now)});
            break;
        case Backend::News::opened:
            forget_failed_starts(*backend);
            break;
        case Backend::News::unresponsive:
            forget_who_is_idle(event.generation);  // Nobody knows whether it was free.
            stop_unasked(*backend, StopReason::unresponsive, now, effects);
            break;
        case Backend::News::is_free:
            cut_who_is_idle(event.generation, now, effects);
            break;
        case Backend::News::is_not_free:
            forget_who_is_idle(event.generation);
            break;
    }
    // What belongs to a client inside was not left behind.
    if (event.has_leftovers && backend->phase() == Phase::ready && backend->inside() == 0) {
        backend->make_due(StopReason::leftovers);
    }
}

void Supervisor::on(const MemoryMeasured& event, Instant now, Effects& effects) {
    if (Backend* const backend = pool_.find(event.generation)) {
        const auto when = backend->is_working() ? When::in_a_job : When::between_jobs;
        judge_memory(*backend, event.bytes, when, now, effects);
    }
}

// What a job uses for itself it gives back; and one that has done no job would use as much after a
// recycle.
void Supervisor::judge_memory(Backend& backend, std::uint64_t bytes, When when, Instant now,
                              Effects& effects) {
    const auto exceeds = [bytes](std::optional<std::uint64_t> limit) {
        return limit && bytes >= *limit;
    };
    const bool is_too_large = exceeds(policy_.recycle.memory_hard_limit);
    if (is_too_large && backend.phase() == Phase::starting) {
        stop_unasked(backend, StopReason::memory_hard_limit, now, effects);
    } else if (is_too_large && backend.phase() == Phase::ready) {
        backend.make_due(StopReason::memory_hard_limit);
        cut_all_inside(backend.generation(), CutReason::memory_hard_limit, CutReason::neighbour,
                       effects);
    } else if (exceeds(policy_.recycle.memory_soft_limit) && when == When::between_jobs &&
               backend.jobs() > 0) {
        backend.make_due(StopReason::memory_soft_limit);
    }
}

void Supervisor::on(const HookEnded& event, Instant now, Effects&) {
    if (event.hook == Hook::session_timeout) {
        for (Backend& backend : pool_.places()) {
            if (backend.generation() == event.generation) {
                backend.aftermath_ended();  // However it ended: the log tells.
            }
        }
        return;
    }
    Backend* const backend = pool_.find(event.generation);
    if (!backend || backend->phase() != Phase::ready) {
        return;
    }
    if (event.how == HookEnded::How::succeeded) {
        backend->prepared(now);
    } else {
        backend->preparation_failed();
    }
}

void Supervisor::on(const PlaceCleared& event, Instant, Effects&) {
    if (Backend* const backend = pool_.find(event.generation)) {
        backend->cleared();
    }
}

void Supervisor::on(const RecycleRequested& event, Instant now, Effects& effects) {
    if (mode_ != Mode::serving) {
        return;  // Who waits has no time for another start.
    }
    for (Backend& backend : pool_.places()) {
        // What comes after one that has ended may become any instance.
        const bool is_meant =
            !event.instance || backend.served_as() == event.instance || !backend.is_alive();
        if (is_meant && event.reason == StopReason::schedule) {
            recycle_in_turn(backend, event.reason, now, effects);
        } else if (is_meant) {
            backend.end_pause();
            recycle_as_asked(backend, event, now, effects);
        }
    }
}

// One that only starts is as fresh as a schedule wants it.
void Supervisor::recycle_in_turn(Backend& backend, StopReason reason, Instant now,
                                 Effects& effects) {
    if (goes_on_in_doubt(backend)) {
        effects.push_back(backend.doubt(reason, now));
    } else if (backend.phase() == Phase::ready) {
        backend.plan_recycle(reason, now);
    }
}

// At once, whoever is inside is cut, and so nobody is waited for: it is retired in this very turn.
void Supervisor::recycle_as_asked(Backend& backend, const RecycleRequested& event, Instant now,
                                  Effects& effects) {
    const bool is_at_once = event.urgency == RecycleRequested::Urgency::at_once;
    if (backend.is_beginning() && !backend.begin_again() && !is_at_once) {
        return;
    }
    if (backend.phase() != Phase::ready) {
        replace(backend, event.reason, now, effects);
    } else if (!is_at_once) {
        recycle_in_turn(backend, event.reason, now, effects);
    } else {
        backend.make_due(event.reason);
        cut_all_inside(backend.generation(), CutReason::recycle_requested,
                       CutReason::recycle_requested, effects);
    }
}

void Supervisor::stop(Backend& backend, StopReason reason, Instant now, Effects& effects) {
    effects.push_back(backend.stop(reason, how_to_stop(reason), now));
    begin_aftermath(backend, effects);
}

// An end that nobody planned: a failed start backs off, and so does a life that was too short.
void Supervisor::stop_unasked(Backend& backend, StopReason reason, Instant now, Effects& effects) {
    const bool is_by_answer = is_by_probe(reason) || reason == StopReason::unreachable;
    if (is_by_answer && goes_on_in_doubt(backend)) {
        effects.push_back(backend.doubt(reason, now));
        return;
    }
    const bool is_failed_start = !backend.has_been_open() || reason == StopReason::hook_failed;
    const bool was_healthy = backend.was_healthy(now);
    stop(backend, reason, now, effects);
    if (is_failed_start) {
        backend.doubt_start();
        count_failed_start(backend);
    }
    if (is_failed_start || !was_healthy) {
        back_off(backend, is_failed_start ? HasFailed::to_start : HasFailed::to_last, now, effects);
    }
}

// While another one serves, those who come are served.
void Supervisor::count_failed_start(Backend& backend) noexcept {
    backend.start_failed();
    failed_starts_ += pool_.serves() ? 0 : 1;
}

void Supervisor::forget_failed_starts(Backend& backend) noexcept {
    backend.forget_failed_starts();
    failed_starts_ = 0;
}

void Supervisor::back_off(Backend& backend, HasFailed what, Instant now, Effects& effects) {
    const bool is_failed_start = what == HasFailed::to_start;
    const std::size_t in_a_row = is_failed_start ? backend.failed_in_a_row() : 0;
    effects.push_back(BackOff{backend.generation(), backend.back_off(now), in_a_row});
    if (is_failed_start && failed_starts_ == failing_after && !pool_.serves()) {
        effects.push_back(AnnounceFailing{failed_starts_});
    }
}

// ---- The end -----------------------------------------------------------------------------------

void Supervisor::on(const ShutdownRequested& event, Instant now, Effects& effects) {
    if (mode_ == Mode::serving) {
        gate_.resume(now);
        mode_ = Mode::draining;
        effects.push_back(StopListening{});
    }
    if (event.urgency == ShutdownRequested::Urgency::in_time && mode_ == Mode::draining) {
        shutdown_by_ = shutdown_by_.value_or(now + policy_.shutdown_timeout);
    }
    if (event.urgency == ShutdownRequested::Urgency::at_once && mode_ != Mode::finished) {
        close(StopHow::kill, now, effects);
    }
}

// From here on nobody goes in any more, and nobody stays.
void Supervisor::close(StopHow how, Instant now, Effects& effects) {
    mode_ = Mode::closing;
    shutdown_by_.reset();
    shutdown_how_ = how;
    for (auto& [client, session] : sessions_) {
        if (!session.is_cut) {
            cut(client, session, CutReason::shutdown, effects);
        }
    }
    if (how == StopHow::kill) {
        for (Backend& backend : pool_.places()) {
            if (const auto kill = backend.hurry(now)) {
                effects.push_back(*kill);
            }
        }
    }
}

Pool::Wanted Supervisor::wanted() const noexcept {
    switch (mode_) {
        case Mode::serving:
            return is_asleep_ ? Pool::Wanted::nothing : Pool::Wanted::everything;
        case Mode::draining:
            return gate_.is_empty() && sessions_.empty() ? Pool::Wanted::nothing
                                                         : Pool::Wanted::instances;
        case Mode::closing:
        case Mode::finished:
            return Pool::Wanted::nothing;
    }
    return Pool::Wanted::nothing;
}

// ---- The rules ---------------------------------------------------------------------------------

void Supervisor::on(const DeadlineReached&, Instant, Effects&) {
    // Whatever is due is due by its time, not by this event.
}

void Supervisor::settle(Instant now, Effects& effects) {
    end_what_is_overdue(now, effects);
    sleep_or_wake(now);
    pool_.take_turns(wanted(), now);
    retire_what_is_due(now, effects);
    pool_.hand_over_instances(effects);
    pool_.refill(wanted(), now, effects);
    run_due_hooks(effects);
    send_due_probes(now, effects);
    admit_from_the_line(now, effects);
    finish_if_done(effects);
    note_service(now);
}

void Supervisor::note_service(Instant now) noexcept {
    if (pool_.serves()) {
        unserved_.stop(now);
    } else {
        unserved_.start(now);
    }
}

// Whoever wakes it finds it as new: what failed before is no reason to refuse him.
void Supervisor::sleep_or_wake(Instant now) {
    const auto limit = policy_.recycle.idle_shutdown;
    if (!is_quiet() || mode_ != Mode::serving || !limit) {
        quiet_since_.reset();
        is_asleep_ = false;
        return;
    }
    quiet_since_ = quiet_since_.value_or(now);
    if (!is_asleep_ && now >= *quiet_since_ + *limit) {
        is_asleep_ = true;
        for (Backend& backend : pool_.places()) {
            forget_failed_starts(backend);
        }
    }
}

void Supervisor::end_what_is_overdue(Instant now, Effects& effects) {
    if (mode_ == Mode::draining && shutdown_by_ && *shutdown_by_ <= now) {
        close(StopHow::ask, now, effects);
    }
    refuse_who_cannot_wait(now, effects);
    cut_overdue_sessions(now, effects);
    for (Backend& backend : pool_.places()) {
        if (backend.start_is_overdue(now)) {
            stop_unasked(backend, StopReason::start_timeout, now, effects);
        } else if (backend.proof_is_overdue(now)) {
            stop_unasked(backend, StopReason::not_free, now, effects);
        } else if (const auto effect = backend.overdue(now)) {
            effects.push_back(*effect);
        }
    }
}

void Supervisor::refuse_who_cannot_wait(Instant now, Effects& effects) {
    while (mode_ == Mode::closing && !gate_.is_empty()) {
        refuse(gate_.pop(), RefuseReason::shutting_down, now, effects);
    }
    while (gate_.head_is_impatient(now)) {
        refuse(gate_.pop(), RefuseReason::queue_timeout, now, effects);
    }
}

void Supervisor::cut_overdue_sessions(Instant now, Effects& effects) {
    for (auto& [client, session] : sessions_) {
        if (session.is_cut) {
            continue;
        }
        if (session.ends <= now) {
            cut_overdue(client, session, now, effects);  // Whatever else it is.
        } else if (session.speaks_by && *session.speaks_by <= now) {
            send_away(client, session, CutReason::first_byte_timeout, now, effects);
        }
    }
}

// Its backend is kept, and so has to close its side first, as if the client had left by itself.
void Supervisor::send_away(ClientId client, Session& session, CutReason reason, Instant now,
                           Effects& effects) {
    session.has_left = true;
    session.is_idle = false;
    session.speaks_by.reset();
    session.ends = now + policy_.gate.release_timeout;
    effects.push_back(CutClient{client, reason});
}

// It has not said what lets it in to the backend.
bool Supervisor::is_outside(const Session& session) const noexcept {
    return policy_.gate.looks_first && !session.has_job;
}

// Nobody knows what its backend was left doing.
void Supervisor::cut_overdue(ClientId client, Session& session, Instant now, Effects& effects) {
    const auto why_cut = session.has_left ? CutReason::release_timeout : CutReason::session_timeout;
    const auto why_due =
        session.has_left ? StopReason::release_timeout : StopReason::session_timeout;
    cut(client, session, why_cut, effects);
    Backend* const backend = pool_.find(session.generation);
    if (!backend || is_outside(session)) {
        return;
    }
    // A hook that mends the service wants it for itself.
    const bool is_mended = why_due == StopReason::session_timeout && policy_.hooks.session_timeout;
    if (!is_mended && goes_on_in_doubt(*backend)) {
        effects.push_back(backend->doubt(why_due, now));
        return;
    }
    backend->make_due(why_due);
    if (why_due == StopReason::session_timeout) {
        backend->need_aftermath();
        if (!backend->is_alive()) {
            begin_aftermath(*backend, effects);  // It has been given up already.
        }
    }
}

void Supervisor::begin_aftermath(Backend& backend, Effects& effects) {
    if (const auto aftermath = backend.begin_aftermath()) {
        effects.push_back(*aftermath);
    }
}

// A service that somebody else runs is not ended, and whoever is inside may well be served.
bool Supervisor::goes_on_in_doubt(const Backend& backend) const noexcept {
    return !policy_.backend.is_ours && backend.phase() == Phase::ready &&
           is_waited_for(backend.generation());
}

// A client that is only looked at goes back to the line.
bool Supervisor::is_waited_for(Generation generation) const noexcept {
    return std::any_of(sessions_.begin(), sessions_.end(), [&](const auto& entry) {
        const Session& session = entry.second;
        return session.generation == generation && !session.is_cut && !is_outside(session);
    });
}

void Supervisor::retire_what_is_due(Instant now, Effects& effects) {
    const bool nothing_is_wanted = wanted() == Pool::Wanted::nothing;
    const StopReason why_nothing = is_asleep_ ? StopReason::idle : StopReason::shutdown;
    for (Backend& backend : pool_.places()) {
        const bool has_begun =
            backend.phase() == Phase::starting || backend.phase() == Phase::ready;
        if (has_begun && nothing_is_wanted) {
            effects.push_back(backend.stop(why_nothing, shutdown_how_, now));
            if (mode_ != Mode::closing) {
                begin_aftermath(backend, effects);
            }
        } else if (backend.phase() == Phase::ready) {
            const auto due = backend.due();
            if (!due || is_waited_for(backend.generation())) {
                continue;
            }
            if (*due == StopReason::hook_failed || *due == StopReason::memory_hard_limit) {
                stop_unasked(backend, *due, now, effects);
            } else {
                stop(backend, *due, now, effects);
            }
        }
    }
}

void Supervisor::run_due_hooks(Effects& effects) {
    for (Backend& backend : pool_.places()) {
        if (backend.preparation_is_due()) {
            effects.push_back(backend.begin_preparation());
        }
    }
}

void Supervisor::send_due_probes(Instant now, Effects& effects) {
    for (Backend& backend : pool_.places()) {
        if (backend.probe_is_due(now)) {
            effects.push_back(backend.begin_probe(now));
        }
    }
}

void Supervisor::admit_from_the_line(Instant now, Effects& effects) {
    while (!gate_.is_empty() && !gate_.is_paused()) {
        Backend* const backend = pool_.free_slot();
        if (!backend) {
            break;
        }
        const Waiter head = gate_.pop();
        backend->admit();
        ++counts_.admitted;
        Session session{backend->generation(), head, now, now + policy_.gate.session_timeout};
        if (policy_.gate.first_byte_timeout) {
            session.speaks_by = to_speak_by(head.since, now);
        }
        sessions_[head.client] = session;
        const Duration unserved = unserved_.total(now) - head.unserved_before;
        effects.push_back(
            AdmitClient{head.client, backend->generation(), now - head.since, unserved});
    }
}

// Where it is looked at first, its time has run since it came; what it said is there to be seen.
Instant Supervisor::to_speak_by(Instant since, Instant now) const noexcept {
    const Duration limit = *policy_.gate.first_byte_timeout;
    if (!policy_.gate.looks_first) {
        return now + limit;
    }
    return std::max(since + limit, now + std::min(limit, time_to_look));
}

void Supervisor::finish_if_done(Effects& effects) {
    // There is time for what follows a timeout, until the time for the end is up.
    const bool is_ending =
        (mode_ == Mode::draining && !pool_.has_aftermath()) || mode_ == Mode::closing;
    if (is_ending && wanted() == Pool::Wanted::nothing && sessions_.empty() && pool_.is_still()) {
        mode_ = Mode::finished;
        shutdown_by_.reset();
        effects.push_back(Finish{});
    }
}

std::optional<Instant> Supervisor::deadline() const {
    std::optional<Instant> first = pool_.deadline(wanted());
    first = earlier(first, gate_.deadline());
    first = earlier(first, shutdown_by_);
    if (quiet_since_ && !is_asleep_) {
        first = earlier(first, *quiet_since_ + *policy_.recycle.idle_shutdown);
    }
    for (const auto& [client, session] : sessions_) {
        if (!session.is_cut) {
            first = earlier(first, session.ends);
            first = earlier(first, session.speaks_by);
        }
    }
    return first;
}

// ---- What is to be seen ------------------------------------------------------------------------

Snapshot Supervisor::snapshot() const {
    Snapshot seen;
    seen.taken = last_now_;
    seen.mode = mode_;
    seen.paused_since = gate_.paused_since();
    seen.is_failing = is_failing();
    seen.is_asleep = is_asleep_;
    seen.is_full = gate_.is_full();
    seen.shutdown_by = shutdown_by_;
    seen.counts = counts();
    seen.waiting = gate_.in_order();
    for (const auto& [client, session] : sessions_) {
        const auto ends = session.is_cut ? std::nullopt : std::optional(session.ends);
        seen.sessions.push_back({client, session.generation, session.waiter.since, session.admitted,
                                 ends, session.has_job, session.is_idle, session.has_left});
    }
    for (const Backend& backend : pool_.places()) {
        seen.places.push_back(backend.view());
    }
    return seen;
}

std::string_view to_string(Mode mode) noexcept {
    switch (mode) {
        case Mode::serving:
            return "serving";
        case Mode::draining:
            return "draining";
        case Mode::closing:
            return "closing";
        case Mode::finished:
            return "finished";
    }
    return "?";
}

Counts Supervisor::counts() const {
    Counts counts = counts_;
    counts.waiting = gate_.size();
    return counts;
}

}  // namespace tcplock::core
