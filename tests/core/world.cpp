#include "world.hpp"

#include <algorithm>
#include <ostream>
#include <sstream>
#include <utility>

namespace tcplock::simulation {

namespace {

// Everything happens on this grid, policies included, so that events meet deadlines exactly.
constexpr Duration tick = 50ms;
constexpr int fresh_profile_exit = 81;
constexpr int broken_profile_exit = 77;
constexpr std::uint64_t soft_limit = 10;
constexpr std::uint64_t hard_limit = 30;

double seconds(Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

template <class... Ids>
std::string say(const char* what, Ids... ids) {
    std::ostringstream line;
    line << what;
    ((line << ' ' << number(ids)), ...);
    return line.str();
}

}  // namespace

// ---- Chance ------------------------------------------------------------------------------------

bool World::chance(double probability) {
    return std::uniform_real_distribution<>(0, 1)(random_) < probability;
}

Duration World::ticks(int low, int high) {
    return tick * std::uniform_int_distribution<>(low, high)(random_);
}

template <class T>
T World::one_of(std::initializer_list<T> choices) {
    const auto last = static_cast<int>(choices.size()) - 1;
    return *(choices.begin() + std::uniform_int_distribution<>(0, last)(random_));
}

Policy World::make_policy() {
    Policy policy;
    policy.gate.concurrency = one_of<std::size_t>({1, 1, 1, 2, 3});
    policy.gate.queue_limit = one_of<std::size_t>({1, 3, 10, 100});
    policy.gate.queue_timeout = one_of<Duration>({1s, 5s, 60s});
    policy.gate.session_timeout = one_of<Duration>({1s, 3s});
    policy.gate.first_byte_timeout = one_of<std::optional<Duration>>({std::nullopt, 100ms, 500ms});
    policy.gate.looks_first = chance(0.5);
    policy.gate.release_timeout = one_of<Duration>({100ms, 500ms});
    policy.backend.instances = one_of<std::size_t>({1, 1, 2, 3});
    policy.backend.standby = one_of<std::size_t>({0, 0, 1, 2});
    policy.backend.is_ours = chance(0.8);
    policy.backend.start_timeout = one_of<Duration>({500ms, 2s});
    policy.backend.stop_grace = one_of<Duration>({100ms, 1s});
    policy.backend.stop_timeout = one_of<Duration>({200ms, 2s});
    policy.backend.restart_backoff = {one_of<Duration>({100ms, 200ms}), one_of<Duration>({1s, 5s})};
    policy.backend.fresh_profile_exit = fresh_profile_exit;
    policy.backend.broken_profile_exit = broken_profile_exit;
    policy.backend.remakes_profiles = chance(0.7);
    policy.probe.interval = one_of<Duration>({200ms, 1s});
    policy.probe.failure_threshold = one_of<std::size_t>({1, 3});
    policy.probe.admission = one_of<std::optional<Duration>>({std::nullopt, 200ms, 1s});
    policy.probe.beside_clients = chance(0.5);
    policy.probe.tells_if_free = policy.probe.beside_clients && chance(0.5);
    policy.hooks.before_admission = chance(0.3);
    policy.hooks.session_timeout = chance(0.3);
    policy.recycle.max_jobs = one_of<std::optional<std::uint64_t>>({std::nullopt, 1, 3, 10});
    policy.recycle.max_age = one_of<std::optional<Duration>>({std::nullopt, 2s, 10s});
    policy.recycle.memory_soft_limit =
        one_of<std::optional<std::uint64_t>>({std::nullopt, soft_limit});
    policy.recycle.memory_hard_limit =
        one_of<std::optional<std::uint64_t>>({std::nullopt, hard_limit});
    policy.recycle.idle_shutdown =
        one_of<std::optional<Duration>>({std::nullopt, std::nullopt, 200ms, 2s});
    policy.shutdown_timeout = one_of<Duration>({500ms, 3s});
    return policy;
}

World::World(std::uint64_t seed, std::ostream* trace)
    : random_(seed), trace_(trace), policy_(make_policy()), core_(policy_), now_(Instant{} + 1h) {
    longest_session_ = policy_.gate.session_timeout;
    failing_starts_ = one_of<double>({0.0, 0.1, 0.5, 1.0});
    failing_lives_ = one_of<double>({0.0, 0.1, 0.5});
    rude_clients_ = one_of<double>({0.0, 0.1, 0.5});
}

// ---- The passing of time -----------------------------------------------------------------------

void World::at(Duration delay, std::function<void()> action) {
    agenda_.push({now_ + delay, random_(), std::move(action)});
}

void World::check(bool holds, const std::string& what) const {
    if (!holds) {
        throw Broken(what);
    }
}

void World::tell(const std::string& line) const {
    if (trace_) {
        *trace_ << seconds(now_ - (Instant{} + 1h)) << "s  " << line << '\n';
    }
}

void World::feed(const Event& event) {
    inbox_.push_back(event);
    if (is_feeding_) {
        return;
    }
    is_feeding_ = true;
    while (!inbox_.empty()) {
        const Event next = inbox_.front();
        inbox_.erase(inbox_.begin());
        ++events_;
        const Effects effects = core_.handle(next, now_);
        check(!is_finished_ || effects.empty(), "1: something was done after the end");
        for (const Effect& effect : effects) {
            std::visit([this](const auto& what) { perform(what); }, effect);
        }
        const auto deadline = core_.deadline();
        check(!deadline || *deadline > now_, "12: a deadline that has passed was left standing");
        check(!deadline || !is_finished_, "12: a deadline was left standing after the end");
        note_quiet();
        note_service();
        check_books();
        check_somebody_starts();
    }
    is_feeding_ = false;
    check_nobody_waits_in_vain();
}

void World::run_until(Instant end) {
    while (!is_finished_) {
        const auto deadline = core_.deadline();
        const bool has_agenda = !agenda_.empty() && agenda_.top().at <= end;
        const bool has_deadline = deadline && *deadline <= end;
        if (!has_agenda && !has_deadline) {
            break;
        }
        const bool deadline_first =
            has_deadline && (!has_agenda || *deadline < agenda_.top().at ||
                             (*deadline == agenda_.top().at && chance(0.5)));
        if (deadline_first) {
            now_ = *deadline;
            // A timer may fire late; then what else is due by then may come before it.
            if (!is_friendly_ && chance(0.05)) {
                now_ = std::min(end, now_ + ticks(0, 2));
                if (!agenda_.empty()) {
                    now_ = std::min(now_, std::max(*deadline, agenda_.top().at));
                }
            }
            feed(DeadlineReached{});
            continue;
        }
        const Due due = agenda_.top();
        agenda_.pop();
        now_ = due.at;
        if (chance(0.02)) {
            feed(DeadlineReached{});  // spurious
        }
        due.action();
    }
    now_ = std::max(now_, end);
}

void World::run() {
    feed(DeadlineReached{});
    const Instant hostile_until = now_ + 40s;
    keep_arriving(hostile_until);
    for (int i = 0; i < 3; ++i) {
        if (chance(0.5)) {
            at(ticks(0, 800), [this] { request_recycle(); });
        }
    }
    for (int i = 0; i < 6; ++i) {
        if (chance(0.5)) {
            at(ticks(0, 800), [this] { request_cut(); });
        }
    }
    if (chance(0.3)) {
        at(ticks(0, 800), [this] { pause(ticks(0, 200)); });
    }
    for (int i = 0; i < 2; ++i) {
        if (chance(0.3)) {
            at(ticks(0, 800), [this] { change_policy(); });
        }
    }
    run_until(hostile_until);

    if (chance(0.5)) {
        become_friendly();
        const auto& backend = policy_.backend;
        const Duration settled = policy_.gate.queue_timeout + longest_session_ +
                                 policy_.gate.release_timeout + backend.start_timeout +
                                 backend.stop_grace + backend.stop_timeout +
                                 2 * backend.restart_backoff.max + 10s;
        run_until(now_ + settled);
        check(waiting_.empty(), "7: somebody still waits although all is well");
        const auto admitted = counts_.admitted;
        arrive();
        run_until(now_ + backend.start_timeout + backend.stop_grace + backend.stop_timeout + 2s);
        check(counts_.admitted == admitted + 1,
              "7: all is well, and a client who comes is not served");
    }

    for (int i = 0; i < 5; ++i) {
        arrive();
    }
    paused_for_ = paused_for();  // A shutdown ends a pause.
    paused_since_.reset();
    if (chance(0.3)) {
        tell("drain");
        is_draining_ = true;
        feed(ShutdownRequested{ShutdownRequested::Urgency::drain});
        run_until(now_ + ticks(0, 400));
    }
    shutdown_at_ = now_;
    const bool is_urgent = chance(0.3);
    tell(is_urgent ? "shutdown at once" : "shutdown");
    is_closing_ = is_urgent;
    feed(ShutdownRequested{is_urgent ? ShutdownRequested::Urgency::at_once
                                     : ShutdownRequested::Urgency::in_time});
    if (!is_urgent && chance(0.3)) {
        at(ticks(0, 10), [this] {
            is_closing_ = true;
            feed(ShutdownRequested{ShutdownRequested::Urgency::at_once});
        });
    }
    const Duration limit = policy_.shutdown_timeout + policy_.backend.stop_grace +
                           policy_.backend.stop_timeout + longest_session_ + 2s;
    run_until(now_ + limit);
    check(is_finished_, "12: the end did not come");
}

void World::request_recycle() {
    if (is_ending()) {
        tell("recycle requested in vain");
        feed(RecycleRequested{chance(0.5) ? StopReason::schedule : StopReason::requested});
        return;
    }
    std::optional<InstanceId> only;
    if (chance(0.3)) {
        only = InstanceId{static_cast<std::uint32_t>(ticks(0, 2) / tick)};
    }
    const bool is_for_schedule = chance(0.5);
    is_recycled_at_once_ = !is_for_schedule && chance(0.4);
    tell(std::string("recycle requested") + (is_for_schedule ? " by schedule" : "") +
         (is_recycled_at_once_ ? " at once" : "") + (only ? say(" of", *only) : ""));
    std::vector<Generation> to_end_now;
    std::set<Generation> spared;
    for (auto& [generation, life] : lives_) {
        const bool is_meant = !only || life.served_as == only;
        const bool goes_on_in_doubt = !policy_.backend.is_ours && is_waited_for(life);
        if (!is_meant || life.was_stopped || (is_for_schedule && !life.answered)) {
            continue;
        }
        // A start is begun again once, until one succeeds or fails.
        const bool was_begun_again =
            !life.has_been_open && std::exchange(places_[life.place].has_begun_again, true);
        life.was_asked_again = !life.has_been_open && was_begun_again;
        if (was_begun_again && !is_recycled_at_once_) {
            spared.insert(generation);
            continue;
        }
        if (is_recycled_at_once_) {
            life.is_due = true;
        } else if (!goes_on_in_doubt) {
            life.requested = life.requested.value_or(now_);
        }
        if (life.was_spawned && (is_recycled_at_once_ || !life.answered)) {
            to_end_now.push_back(generation);
        }
    }
    if (!is_for_schedule) {
        end_pauses(only);
    }
    feed(RecycleRequested{is_for_schedule ? StopReason::schedule : StopReason::requested, only,
                          is_recycled_at_once_ ? RecycleRequested::Urgency::at_once
                                               : RecycleRequested::Urgency::in_turn});
    check(is_for_schedule || !nothing_lives_since_, "7: an operator asked, and a pause went on");
    for (const Generation generation : to_end_now) {
        check(lives_.at(generation).was_stopped, "4: what was to be ended now was kept");
    }
    for (const auto& [generation, life] : lives_) {
        check(!spared.contains(generation) || !life.was_stopped,
              "7: whoever asks again and again never lets it answer");
    }
    is_recycled_at_once_ = false;
    if (chance(0.3)) {  // Who sees no change asks again.
        at(ticks(0, 6), [this] { request_recycle(); });
    }
}

// But of those that live and are another instance.
void World::end_pauses(std::optional<InstanceId> only) {
    for (auto& [id, place] : places_) {
        const Life* const life = place.occupant ? &lives_.at(*place.occupant) : nullptr;
        if (!only || !life || life->was_stopped || life->served_as == only) {
            place.ended = {};
        }
    }
}

// An operator has other limits obeyed, and perhaps a backend that is made of something else.
void World::change_policy() {
    if (is_ending()) {
        return;
    }
    for (auto& [generation, life] : lives_) {
        life.is_due |= is_worn(life);  // By the old limit: it stays so.
    }
    policy_.gate.queue_limit = one_of<std::size_t>({1, 3, 10});
    policy_.gate.queue_timeout = one_of<Duration>({1s, 5s, 60s});
    policy_.gate.session_timeout = one_of<Duration>({1s, 3s});
    longest_session_ = std::max(longest_session_, policy_.gate.session_timeout);
    policy_.shutdown_timeout = one_of<Duration>({500ms, 3s});
    policy_.probe.interval = one_of<Duration>({200ms, 1s});
    policy_.recycle.max_jobs = one_of<std::optional<std::uint64_t>>({std::nullopt, 1, 3, 10});
    policy_.hooks.before_admission = chance(0.3);
    policy_.hooks.session_timeout = chance(0.3);
    const bool needs_fresh_backends = policy_.backend.is_ours && chance(0.5);
    tell(std::string("policy changed") + (needs_fresh_backends ? ", fresh backends needed" : ""));
    for (auto& [generation, life] : lives_) {
        obey_policy(life, needs_fresh_backends);
    }
    for (auto& [id, place] : places_) {
        place.needs_aftermath &= policy_.hooks.session_timeout;
        place.wasted = 0;
        place.failed_in_a_row = 0;
    }
    failed_starts_ = 0;
    feed(PolicyChanged{policy_, needs_fresh_backends});
    check(!nothing_lives_since_, "7: what failed before was held against what is new");
    for (const auto& [generation, life] : lives_) {
        check(!needs_fresh_backends || !life.was_spawned || life.answered || life.was_stopped,
              "4: one that is out of date, and has never answered, was kept");
    }
}

void World::obey_policy(Life& life, bool needs_fresh_backends) {
    life.is_aftermath_due &= policy_.hooks.session_timeout;
    if (life.was_stopped) {
        return;
    }
    if (life.needs_preparation && !policy_.hooks.before_admission) {
        life.needs_preparation = false;
        if (!life.is_preparing) {
            become_unproven(life, policy_.probe.admission.value_or(policy_.backend.start_timeout));
        }
    }
    if (needs_fresh_backends) {
        life.requested = life.requested.value_or(now_);
    }
}

// An operator ends one who waits, or is inside, or has gone.
void World::request_cut() {
    to_be_cut_ = ClientId{1 + random_() % std::max<std::uint64_t>(last_client_, 1)};
    const auto one_who_is_cut = std::find_if(guests_.begin(), guests_.end(),
                                             [](const auto& entry) { return entry.second.is_cut; });
    if (one_who_is_cut != guests_.end()) {
        to_be_cut_ = one_who_is_cut->first;
    }
    tell(say("cut requested of", *to_be_cut_));
    feed(CutRequested{*to_be_cut_});
    check(!waiting_.contains(*to_be_cut_), "3: one who was to be ended still waits");
    to_be_cut_.reset();
}

void World::pause(Duration how_long) {
    if (is_ending()) {
        return;
    }
    tell("paused");
    paused_since_ = paused_since_.value_or(now_);
    feed(PauseRequested{});
    at(how_long, [this] { resume(); });
}

void World::resume() {
    if (!paused_since_) {
        return;
    }
    tell("resumed");
    paused_for_ = paused_for();
    paused_since_.reset();
    feed(ResumeRequested{});
}

Duration World::paused_for() const {
    return paused_for_ + (paused_since_ ? now_ - *paused_since_ : Duration{});
}

// While the gate was not paused.
Duration World::has_waited(const Guest& guest) const {
    return now_ - guest.since - (paused_for() - guest.paused_before);
}

// ---- Clients -----------------------------------------------------------------------------------

void World::keep_arriving(Instant until) {
    const int crowd = chance(0.1) ? 10 : 1;
    for (int i = 0; i < crowd; ++i) {
        arrive();
    }
    const Duration pause = chance(0.2) ? ticks(0, 60) : ticks(0, 10);
    if (now_ + pause < until) {
        at(pause, [this, until] { keep_arriving(until); });
    }
}

void World::arrive() {
    if (!is_listening_) {
        return;
    }
    const ClientId client{++last_client_};
    tell(say("client arrives", client));
    ++counts_.accepted;
    waiting_[client] = Guest{now_, {}, {}};
    waiting_[client].paused_before = paused_for();
    waiting_[client].unserved_before = unserved_for();
    feed(ClientArrived{client});
    if (waiting_.contains(client) && !is_friendly_ && chance(0.2)) {
        at(ticks(0, 40), [this, client] {
            if (waiting_.erase(client) == 1) {
                tell(say("client leaves the line", client));
                ++counts_.left;
                feed(ClientLeft{client});
            }
        });
    }
}

void World::perform(const AdmitClient& effect) {
    tell(say("admit", effect.client) + say(" to", effect.generation));
    check(!waiting_.empty() && waiting_.begin()->first == effect.client,
          "2: the client admitted was not the head of the line");
    check(!is_closing_, "4: a client was admitted while everything closes");
    check(!paused_since_, "2: a client was admitted while the gate was paused");
    const auto found = lives_.find(effect.generation);
    check(found != lives_.end(), "4: a client was admitted to a generation that never was");
    Life& life = found->second;
    check(life.answered.has_value(), "4: a client was admitted before the first answer");
    check(!life.was_stopped, "4: a client was admitted to a generation that is being ended");
    const bool is_alone = policy_.backend.instances + policy_.backend.standby == 1;
    check(!life.is_due && (!is_alone || !planned_since(life) || is_ending()),
          "4: a client was admitted though a recycle was due");
    check(!policy_.recycle.max_jobs || life.jobs < *policy_.recycle.max_jobs,
          "4: a client was admitted after the last job");
    check(!life.unproven_since, "5: a client was admitted to an unproven generation");
    check(!life.needs_preparation && !life.is_preparing,
          "4: a client was admitted before the hook that is due");
    const bool probe_is_inside = life.is_probing && !policy_.probe.beside_clients;
    check(life.inside.size() + (probe_is_inside ? 1 : 0) < policy_.gate.concurrency,
          "1: too many are inside");

    Guest guest = waiting_.extract(effect.client).mapped();
    check(effect.waited == now_ - guest.since, "3: a client's wait was told wrongly");
    check(effect.unserved == unserved_for() - guest.unserved_before,
          "3: how much of a client's wait was a recycle was told wrongly");
    guest.entered = now_;
    guest.generation = effect.generation;
    guest.limit = policy_.gate.session_timeout;
    guests_[effect.client] = guest;
    life.inside.insert(effect.client);
    life.uncut.insert(effect.client);
    ++counts_.admitted;
    const ClientId client = effect.client;
    at(ticks(0, 1), [this, client] { session(client); });
}

void World::session(ClientId client) {
    const auto found = guests_.find(client);
    if (found == guests_.end() || found->second.has_left) {
        return;
    }
    Guest& guest = found->second;
    if (!guest.is_cut && chance(is_friendly_ ? 0 : 0.02)) {
        end_session(client, SessionEnded::How::left);
        return;
    }
    if (!guest.is_cut && !is_friendly_ && chance(0.1)) {
        stay_outside(client);
        return;
    }
    if (policy_.gate.looks_first && !guest.is_cut) {
        begin_job(client);
    }
    const Life& life = lives_.at(guest.generation);
    if (!life.has_tree || now_ < life.answers_from || (life.hangs && chance(0.5))) {
        end_session(client, SessionEnded::How::not_reached);
        return;
    }
    guest.has_entered = true;
    enter(client);
}

void World::begin_job(ClientId client) {
    const auto speaker = guests_.find(client);
    if (speaker == guests_.end() || speaker->second.is_cut || speaker->second.has_left ||
        speaker->second.has_job) {
        return;
    }
    speaker->second.has_job = true;
    ++lives_.at(speaker->second.generation).jobs;
    feed(JobBegan{client});
}

bool World::is_outside(const Guest& guest) const {
    return policy_.gate.looks_first && !guest.has_job;
}

std::size_t World::count_uncut(const Life& life) const {
    const auto count = std::count_if(life.uncut.begin(), life.uncut.end(), [this](ClientId client) {
        return !is_outside(guests_.at(client));
    });
    return static_cast<std::size_t>(count);
}

bool World::is_waited_for(const Life& life) const {
    return count_uncut(life) > 0;
}

Instant World::to_speak_by(const Guest& guest) const {
    const Duration limit = *policy_.gate.first_byte_timeout;
    if (!policy_.gate.looks_first) {
        return guest.entered + limit;
    }
    return std::max(guest.since + limit, guest.entered + std::min(limit, time_to_look));
}

// What it says is looked at before the backend is touched; and some say nothing.
void World::stay_outside(ClientId client) {
    const auto how = one_of<std::optional<SessionEnded::How>>(
        {SessionEnded::How::untouched, SessionEnded::How::foreign, std::nullopt});
    if (how) {
        at(ticks(0, 4), [this, client, how] { end_session(client, *how); });
    }
}

void World::enter(ClientId client) {
    if (chance(0.9)) {
        at(ticks(0, 4), [this, client] { begin_job(client); });
    }
    if (is_friendly_ || !chance(rude_clients_)) {
        const int stay = chance(0.1) ? 100 : 10;
        at(ticks(0, stay), [this, client] { leave(client); });
    }
    if (!is_friendly_ && chance(0.3)) {
        at(ticks(0, 20), [this, client] { become_idle(client); });
    }
    const Generation generation = guests_.at(client).generation;
    at(ticks(0, 20), [this, generation] { measure_memory(generation); });
}

void World::become_idle(ClientId client) {
    const auto found = guests_.find(client);
    if (found == guests_.end() || found->second.is_cut) {
        return;
    }
    tell(say("has become idle", client));
    found->second.is_idle = !found->second.has_left;
    feed(ClientIdle{client});
    if (chance(0.5)) {
        at(ticks(0, 10), [this, client] {
            const auto stirred = guests_.find(client);
            if (stirred != guests_.end() && !stirred->second.is_cut) {
                tell(say("is no longer idle", client));
                stirred->second.is_idle = false;
                feed(ClientStirred{client});
            }
        });
    }
}

// What it is measured at, and what must come of that.
std::uint64_t World::memory_of(Life& life, bool is_between_jobs) {
    const bool is_wasteful = !is_friendly_ && chance(0.1);
    const auto bytes =
        is_wasteful ? one_of<std::uint64_t>({soft_limit, hard_limit}) : soft_limit - 1;
    const bool is_too_large = policy_.recycle.memory_hard_limit && bytes >= hard_limit;
    const bool is_large = policy_.recycle.memory_soft_limit && bytes >= soft_limit;
    tell(std::string("measured") + (is_large ? ", large" : "") +
         (is_too_large ? ", too large" : ""));
    if (is_too_large) {
        life.inside_when_too_large = count_uncut(life);
    }
    life.is_due |=
        life.answered && (is_too_large || (is_large && is_between_jobs && life.jobs > 0));
    return bytes;
}

void World::measure_memory(Generation generation) {
    Life& life = lives_.at(generation);
    if (!life.was_spawned || !life.has_tree) {
        return;
    }
    const bool is_working =
        std::any_of(life.inside.begin(), life.inside.end(),
                    [&](ClientId client) { return guests_.at(client).has_job; });
    const auto bytes = memory_of(life, !is_working);
    const bool is_too_large = policy_.recycle.memory_hard_limit && bytes >= hard_limit;
    feed(MemoryMeasured{generation, bytes});
    check(!is_too_large || life.was_stopped, "12: one that is too large was kept");
}

void World::leave(ClientId client) {
    const auto found = guests_.find(client);
    if (found == guests_.end() || found->second.is_cut || found->second.has_left) {
        return;
    }
    const Life& life = lives_.at(found->second.generation);
    if (chance(0.6)) {
        found->second.has_left = true;
        found->second.is_idle = false;
        found->second.entered = now_;
        feed(ClientFinished{client});
        const bool never_closes = life.hangs || (!is_friendly_ && chance(0.05));
        if (never_closes) {
            return;
        }
    } else if (life.hangs) {
        return;
    }
    at(ticks(0, 3), [this, client] { end_session(client, SessionEnded::How::released); });
}

void World::end_session(ClientId client, SessionEnded::How how) {
    const auto found = guests_.find(client);
    if (found == guests_.end()) {
        return;
    }
    const Guest guest = found->second;
    guests_.erase(found);
    Life& life = lives_.at(guest.generation);
    life.inside.erase(client);
    life.left = now_;
    life.uncut.erase(client);
    if (how == SessionEnded::How::left) {
        tell(say("had left before it was let in", client));
        --counts_.admitted;
        ++counts_.left;
    } else if (how == SessionEnded::How::foreign && !guest.is_cut) {
        tell(say("speaks something else", client));
        --counts_.admitted;
        ++counts_.refused;
    } else if (how == SessionEnded::How::untouched || how == SessionEnded::How::foreign) {
        tell(say("never touched the backend", client));
    } else if (how == SessionEnded::How::not_reached && !guest.is_cut) {
        tell(say("could not be reached for client", client));
        --counts_.admitted;
        waiting_[client] = Guest{guest.since, {}, {}};
        waiting_[client].paused_before = guest.paused_before;
        waiting_[client].unserved_before = guest.unserved_before;
    } else {
        tell(say("session ended", client));
        how = SessionEnded::How::released;
        life.served += guest.has_job ? 1 : 0;
        if (life.served > 0 && std::exchange(life.was_asked_again, false)) {
            life.requested = life.requested.value_or(now_);
        }
        if (!is_friendly_ && chance(0.1)) {
            life.computes_until = chance(0.2) ? Instant::max() : now_ + ticks(0, 40);
        }
        life.has_leftovers |= !is_friendly_ && chance(0.05);
        if (policy_.hooks.before_admission) {
            life.needs_preparation = true;
        } else if (policy_.probe.admission) {
            become_unproven(life, *policy_.probe.admission);
        }
    }
    std::optional<std::uint64_t> memory;
    if (how == SessionEnded::How::released && guest.has_job) {
        memory = memory_of(life, true);
    }
    feed(SessionEnded{client, how, memory});
}

void World::become_unproven(Life& life, Duration limit) {
    life.unproven_since = now_;
    life.proof_limit = limit;
    life.is_probe_stale = life.is_probing;
}

void World::perform(const RefuseClient& effect) {
    tell(say("refuse", effect.client) + " reason " +
         std::to_string(static_cast<int>(effect.reason)));
    const auto found = waiting_.find(effect.client);
    check(found != waiting_.end(), "3: somebody was refused who does not wait");
    switch (effect.reason) {
        case RefuseReason::queue_full:
            check(waiting_.size() > policy_.gate.queue_limit,
                  "3: refused, but the line is not full");
            break;
        case RefuseReason::queue_timeout:
            check(has_waited(found->second) >= policy_.gate.queue_timeout,
                  "3: refused before his patience had ended");
            break;
        case RefuseReason::backend_failing:
            check(failed_starts_ >= 5, "7: refused as failing, but it is not");
            break;
        case RefuseReason::shutting_down:
            check(is_ending(), "3: refused at a shutdown nobody asked for");
            break;
        case RefuseReason::requested:
            check(to_be_cut_ == effect.client, "3: refused as an operator's wish, but it was none");
            break;
    }
    waiting_.erase(found);
    ++counts_.refused;
}

void World::perform(const CutClient& effect) {
    tell(say("cut", effect.client));
    const auto found = guests_.find(effect.client);
    check(found != guests_.end(), "3: somebody was cut who is not inside");
    Guest& guest = found->second;
    check(!guest.is_cut, "3: somebody was cut twice");
    switch (effect.reason) {
        case CutReason::session_timeout:
            check(now_ - guest.entered >= guest.limit, "5: cut too early");
            break;
        case CutReason::first_byte_timeout:
            check(!guest.has_job && !guest.has_left && policy_.gate.first_byte_timeout &&
                      now_ >= to_speak_by(guest),
                  "5: cut as silent, but too early");
            break;
        case CutReason::idle_timeout:
            check(guest.is_idle, "5: cut as idle, but it was not");
            check(!policy_.probe.tells_if_free || lives_.at(guest.generation).says_that_it_is_free,
                  "5: cut as idle while its job may be running");
            break;
        case CutReason::release_timeout:
            check(guest.has_left && now_ - guest.entered >= policy_.gate.release_timeout,
                  "5: the backend's time to close had not ended");
            break;
        case CutReason::memory_hard_limit:
            check(lives_.at(guest.generation).inside_when_too_large == 1,
                  "12: cut for memory, but it was not alone");
            break;
        case CutReason::neighbour:
            check(lives_.at(guest.generation).inside_when_too_large > 1,
                  "12: cut for its neighbours, but there were none");
            break;
        case CutReason::requested:
            check(to_be_cut_ == effect.client, "3: cut as an operator's wish, but it was none");
            break;
        case CutReason::recycle_requested:
            check(is_recycled_at_once_ && lives_.at(guest.generation).is_due,
                  "3: cut for a recycle that nobody asked for");
            break;
        case CutReason::shutdown:
            check(shutdown_at_.has_value(), "3: cut at a shutdown nobody asked for");
            check(now_ - *shutdown_at_ <= policy_.shutdown_timeout + 2 * tick,
                  "12: cut long after the time for the shutdown had ended");
            break;
    }
    Life& life = lives_.at(guest.generation);
    const ClientId client = effect.client;
    const auto how = guest.has_entered ? SessionEnded::How::released : SessionEnded::How::untouched;
    const bool is_sent_away = effect.reason == CutReason::first_byte_timeout ||
                              effect.reason == CutReason::idle_timeout ||
                              effect.reason == CutReason::requested;
    if (is_sent_away) {
        // The backend is kept, and closes its side in its own time, or never.
        guest.has_left = true;
        guest.is_idle = false;
        guest.entered = now_;
        if (!guest.has_entered || (!life.hangs && !chance(0.1))) {
            at(ticks(0, 3), [this, client, how] { end_session(client, how); });
        }
        return;
    }
    guest.is_cut = true;
    life.uncut.erase(effect.client);
    const bool is_mended =
        effect.reason == CutReason::session_timeout && policy_.hooks.session_timeout;
    const bool goes_on_in_doubt = !is_mended && !policy_.backend.is_ours && is_waited_for(life);
    const bool is_its_fault =
        effect.reason != CutReason::shutdown && !is_outside(guest) && !goes_on_in_doubt;
    life.is_due |= is_its_fault;
    life.is_aftermath_due |= is_its_fault && policy_.hooks.session_timeout &&
                             effect.reason == CutReason::session_timeout;
    Record& place = places_[life.place];
    place.needs_aftermath |= is_its_fault && life.is_aftermath_due && life.was_stopped &&
                             place.occupant == guest.generation && !place.has_aftermath &&
                             effect.reason == CutReason::session_timeout;
    at(ticks(0, 2), [this, client, how] { end_session(client, how); });
}

// ---- Backends ----------------------------------------------------------------------------------

void World::perform(const SpawnBackend& effect) {
    tell(say("spawn", effect.generation) + say(" in place", effect.place));
    Record& place = places_[effect.place];
    check(!place.occupant, "4: spawned into a place that is not clear");
    check(effect.instance || !postponed_ || now_ - *postponed_ >= postponement,
          "8: a standby that had been postponed was tried too soon");
    check(!is_asleep_ || !waiting_.empty(), "12: spawned although nobody comes");
    for (const auto& [generation, life] : lives_) {
        check(life.place != effect.place || !life.has_tree,
              "4: spawned into a place where a tree still lives");
    }
    check(!place.needs_aftermath && !place.has_aftermath,
          "4: spawned before the hook that follows a timeout had ended");
    check(!is_closing_, "4: spawned while everything closes");
    if (place.wasted > 0) {
        Duration pause = policy_.backend.restart_backoff.first;
        for (std::size_t i = 1; i < place.wasted && pause < policy_.backend.restart_backoff.max;
             ++i) {
            pause *= 2;
        }
        pause = std::min(pause, policy_.backend.restart_backoff.max);
        check(now_ - place.ended >= pause, "8: started again without the pause that is due");
    }
    const auto occupied = std::count_if(places_.begin(), places_.end(), [this](const auto& entry) {
        const auto& occupant = entry.second.occupant;
        return occupant && !lives_.at(*occupant).was_quarantined;
    });
    check(static_cast<std::size_t>(occupied) < policy_.backend.instances + policy_.backend.standby,
          "8: more trees live at once than are wanted");
    check(number(effect.place) < policy_.backend.instances * 2 + policy_.backend.standby,
          "12: more places than are allowed");

    if (effect.remakes_profile) {
        check(policy_.backend.remakes_profiles,
              "8: a profile was made anew that may hold anything");
        check(!place.remade_profile, "8: a profile was made anew twice without an answer between");
    } else if (place.doubts_profile && policy_.backend.remakes_profiles) {
        check(place.remade_profile, "8: started with a profile that is known to be of no use");
    }

    place.occupant = effect.generation;
    Life& life = lives_[effect.generation];
    life.remakes_profile = effect.remakes_profile;
    life.place = effect.place;
    life.born = now_;
    life.is_standby = !effect.instance;
    life.instance = life.served_as = effect.instance;
    const Generation generation = effect.generation;
    at(ticks(0, 3), [this, generation] { come_to_life(generation); });
}

void World::come_to_life(Generation generation) {
    Life& life = lives_.at(generation);
    if (life.is_standby && !is_friendly_ && chance(0.1)) {
        tell(say("postponed", generation));
        life.was_stopped = true;
        places_[life.place].occupant.reset();
        postponed_ = now_;
        feed(SpawnPostponed{generation});
        return;
    }
    const double failing = is_friendly_ ? 0 : failing_starts_;
    if (chance(failing / 4)) {
        tell(say("spawn failed", generation));
        note_end_of_life(generation, false);
        life.was_stopped = true;
        places_[life.place].occupant.reset();
        feed(SpawnFailed{generation});
        return;
    }
    places_[life.place].remade_profile |= life.remakes_profile;
    places_[life.place].doubts_profile = false;
    life.was_spawned = life.has_tree = life.has_leader = true;
    life.jitter = std::uniform_real_distribution<>(0, 1)(random_);
    life.ignores_term = !is_friendly_ && chance(0.3);
    life.survives_kill = !is_friendly_ && chance(0.05);
    life.answers_from = now_ + ticks(0, is_friendly_ ? 2 : 8);
    if (chance(failing)) {
        life.answers_from = Instant::max();
    }
    if (chance(failing / 2)) {
        const Exit exit{Exit::Kind::status,
                        one_of<int>({0, 1, fresh_profile_exit, broken_profile_exit})};
        at(ticks(0, 12), [this, generation, exit] { leader_dies(generation, exit); });
    }
    if (!is_friendly_ && chance(failing_lives_)) {
        const Duration when = ticks(4, 100);
        switch (one_of<int>({0, 1, 2})) {
            case 0:
                at(when, [this, generation] {
                    tree_dies(generation, Exit{Exit::Kind::signal, 9});
                });
                break;
            case 1:
                at(when, [this, generation] {
                    leader_dies(generation, Exit{Exit::Kind::signal, 9});
                });
                break;
            case 2:
                at(when, [this, generation] {
                    tell(say("hangs", generation));
                    lives_.at(generation).hangs = true;
                    lives_.at(generation).hung_since = now_;
                });
                break;
        }
    }
    at(ticks(0, 6), [this, generation] { measure_memory(generation); });
    feed(BackendSpawned{generation, life.jitter});
}

void World::perform(const ProbeBackend& effect) {
    Life& life = lives_.at(effect.generation);
    check(life.was_spawned && !life.was_stopped, "4: a probe without a backend");
    check(!life.is_probing, "12: two probes of one generation at once");
    check(!life.is_preparing, "4: a probe beside a hook");
    check(policy_.probe.beside_clients || life.inside.size() < policy_.gate.concurrency,
          "1: a probe went in where no slot was free");
    life.is_probing = true;
    const Generation generation = effect.generation;
    const ProbePurpose purpose = effect.purpose;
    at(ticks(0, 3), [this, generation, purpose] { probe_ends(generation, purpose); });
}

void World::probe_ends(Generation generation, ProbePurpose purpose) {
    using Verdict = ProbeEnded::Verdict;
    Life& life = lives_.at(generation);
    const bool lives = life.has_tree && life.answers_from <= now_ && !life.hangs &&
                       (is_friendly_ || !chance(0.02));
    const bool is_about_a_guest = purpose == ProbePurpose::idleness;
    const bool is_busy = (purpose == ProbePurpose::admission && life.computes_until > now_) ||
                         (is_about_a_guest && chance(0.3));
    const Verdict verdict = !lives ? Verdict::failed : is_busy ? Verdict::busy : Verdict::answered;
    const bool has_leftovers =
        purpose == ProbePurpose::admission && verdict == Verdict::answered && life.has_leftovers;
    life.is_probing = false;
    const bool counts = !std::exchange(life.is_probe_stale, false) && !life.was_stopped;
    if (counts && verdict != Verdict::failed) {
        life.missed = life.missed_at_all = 0;
    } else if (counts && life.answered) {
        life.missed += life.unproven_since ? 0 : 1;
        ++life.missed_at_all;
    }
    if (counts && verdict == Verdict::answered) {
        life.unproven_since.reset();
        if (!life.answered) {
            tell(say("first answer", generation));
            life.answered = life.prepared = now_;
            life.needs_preparation = policy_.hooks.before_admission;
            places_[life.place].saw_fresh_exit = false;
            places_[life.place].remade_profile = false;
        }
    }
    const bool opens = counts && verdict == Verdict::answered && !life.needs_preparation;
    if (opens && !std::exchange(life.has_been_open, true)) {
        failed_starts_ = 0;
        places_[life.place].failed_in_a_row = 0;
        places_[life.place].has_begun_again = false;
    }
    if (counts && has_leftovers && life.inside.empty()) {
        tell(say("has leftovers", generation));
        life.is_due = true;
    }
    life.says_that_it_is_free = counts && is_about_a_guest && verdict == Verdict::answered;
    feed(ProbeEnded{generation, verdict, has_leftovers});
    life.says_that_it_is_free = false;
    for (auto& [client, guest] : guests_) {
        guest.is_idle &= guest.generation != generation || !is_about_a_guest || !counts;
    }
    check(life.was_stopped || (!policy_.backend.is_ours && is_waited_for(life)) ||
              life.missed < policy_.probe.failure_threshold,
          "4: a hung generation was kept");
}

void World::perform(const RunHook& effect) {
    tell(say("run hook for", effect.generation) + " " + std::string(to_string(effect.hook)));
    const Generation generation = effect.generation;
    Life& life = lives_.at(generation);
    if (effect.hook == Hook::session_timeout) {
        Record& place = places_[life.place];
        check(std::exchange(place.needs_aftermath, false), "5: a hook follows no timeout");
        place.has_aftermath = true;
        at(ticks(0, 6), [this, generation] { aftermath_ends(generation); });
        return;
    }
    check(may_be_open(life), "4: a hook was run in a generation that takes nobody");
    check(life.needs_preparation && !life.is_preparing, "12: a hook was run that is not due");
    life.needs_preparation = false;
    life.is_preparing = true;
    life.is_probe_stale = life.is_probing;
    life.unproven_since.reset();
    const int longest = !is_friendly_ && chance(0.1) ? 60 : 4;
    at(ticks(0, longest), [this, generation] { preparation_ends(generation); });
}

void World::preparation_ends(Generation generation) {
    Life& life = lives_.at(generation);
    const bool failed = !is_friendly_ && chance(0.1);
    if (!life.was_stopped) {
        life.is_preparing = false;
        life.is_due |= failed;
        life.prepared = now_;  // However it ended: no probe is sent beside a hook.
    }
    if (!life.was_stopped && !failed) {
        if (!life.needs_preparation) {
            become_unproven(life, policy_.probe.admission.value_or(policy_.backend.start_timeout));
        }
    }
    feed(HookEnded{generation, Hook::before_admission,
                   failed ? HookEnded::How::failed : HookEnded::How::succeeded});
    check(!failed || life.was_stopped || is_waited_for(life),
          "4: a generation was kept although its hook failed");
}

void World::aftermath_ends(Generation generation) {
    places_[lives_.at(generation).place].has_aftermath = false;
    feed(HookEnded{generation, Hook::session_timeout,
                   chance(0.5) ? HookEnded::How::failed : HookEnded::How::succeeded});
}

void World::leader_dies(Generation generation, Exit exit) {
    Life& life = lives_.at(generation);
    if (!life.has_leader) {
        return;
    }
    tell(say("leader dies", generation));
    life.has_leader = false;
    const bool was_stopped = life.was_stopped;
    Record& place = places_[life.place];
    const bool is_fresh = !was_stopped && !life.answered && exit.kind == Exit::Kind::status &&
                          exit.value == fresh_profile_exit &&
                          !std::exchange(place.saw_fresh_exit, true);
    if (!was_stopped && !life.answered && exit == Exit{Exit::Kind::status, broken_profile_exit}) {
        place.doubts_profile = true;
    }
    if (!was_stopped) {
        note_end_of_life(generation, is_fresh);
    }
    feed(BackendExited{generation, exit});
    check(life.was_stopped, "6: the leader is dead and its tree was left");
}

void World::tree_dies(Generation generation, Exit exit) {
    Life& life = lives_.at(generation);
    if (!life.has_tree) {
        return;
    }
    tell(say("tree dies", generation));
    life.has_tree = false;
    for (const ClientId client : life.inside) {
        if (guests_.at(client).has_entered) {
            at(ticks(0, 2), [this, client] { end_session(client, SessionEnded::How::released); });
        }
    }
    at(ticks(0, 2), [this, generation, exit] { leader_dies(generation, exit); });
    if (life.was_stopped) {
        at(ticks(0, 2), [this, generation] { clear_place(generation); });
    }
}

void World::clear_place(Generation generation) {
    Life& life = lives_.at(generation);
    Record& place = places_[life.place];
    if (place.occupant != generation) {
        return;
    }
    tell(say("place cleared of", generation));
    place.occupant.reset();
    feed(PlaceCleared{generation});
}

void World::perform(const StopBackend& effect) {
    tell(say("stop", effect.generation) + " " + std::string(to_string(effect.reason)));
    Life& life = lives_.at(effect.generation);
    check(life.was_spawned, "4: something was stopped that had not begun");
    check(!life.was_stopped, "4: a generation was stopped twice");
    check(effect.jobs == life.jobs, "3: jobs were counted wrongly");
    const bool is_planned = effect.how == StopHow::ask && effect.reason != StopReason::shutdown;
    check(!is_planned || !is_waited_for(life), "4: a planned recycle with a client inside");
    check_turn(life, effect.reason);
    check_proof(life, effect.reason);
    check(effect.reason != StopReason::idle ||
              (quiet_since_ && now_ - *quiet_since_ >= *policy_.recycle.idle_shutdown),
          "12: ended for want of clients too early");
    check(effect.reason != StopReason::memory_soft_limit || life.jobs > 0,
          "8: one that has done nothing was recycled for its size");
    check(effect.reason != StopReason::session_timeout || !is_waited_for(life),
          "4: a neighbour was killed by somebody else's timeout");
    const std::size_t missed = policy_.probe.beside_clients ? life.missed_at_all : life.missed;
    check(effect.reason != StopReason::unresponsive || missed >= policy_.probe.failure_threshold,
          "5: taken for hung while it might have had a job to finish");
    switch (effect.reason) {
        case StopReason::unresponsive:
        case StopReason::not_free:
        case StopReason::unreachable:
        case StopReason::start_timeout:
        case StopReason::memory_hard_limit:
            note_end_of_life(effect.generation, false);
            break;
        case StopReason::hook_failed:
            ++places_[life.place].wasted;
            places_[life.place].ended = now_;
            note_failed_start(effect.generation);
            break;
        case StopReason::died:
        case StopReason::fresh_profile:
            break;  // noted when it happened
        case StopReason::max_jobs:
        case StopReason::max_age:
        case StopReason::schedule:
        case StopReason::requested:
        case StopReason::reload:
        case StopReason::leftovers:
        case StopReason::memory_soft_limit:
        case StopReason::idle:
        case StopReason::session_timeout:
        case StopReason::release_timeout:
        case StopReason::shutdown:
            note_end_of_life(effect.generation, true);
            break;
    }
    life.was_stopped = true;
    places_[life.place].needs_aftermath = life.is_aftermath_due && !has_closed();
    turn_back_who_is_outside(effect.generation);
    const Generation generation = effect.generation;
    const Exit exit{Exit::Kind::signal, 15};
    if (effect.how == StopHow::kill) {
        perform(KillBackend{generation});
    } else if (!life.has_tree) {
        at(ticks(0, 2), [this, generation] { clear_place(generation); });
    } else if (!life.ignores_term && !life.hangs) {
        at(ticks(0, 4), [this, generation, exit] { tree_dies(generation, exit); });
    }
}

void World::turn_back_who_is_outside(Generation generation) {
    for (const ClientId client : lives_.at(generation).inside) {
        at(ticks(0, 2), [this, client, generation] {
            const auto found = guests_.find(client);
            const bool waits = found != guests_.end() && found->second.generation == generation &&
                               !found->second.is_cut && !found->second.has_left &&
                               !found->second.has_entered && is_outside(found->second);
            if (waits) {
                end_session(client, SessionEnded::How::not_reached);
            }
        });
    }
}

void World::perform(const DoubtBackend& effect) {
    tell(say("doubt", effect.generation) + " " + std::string(to_string(effect.reason)));
    Life& life = lives_.at(effect.generation);
    check(!policy_.backend.is_ours && !life.was_stopped && is_waited_for(life),
          "5: doubted instead of being ended");
    check_proof(life, effect.reason);
    life.missed = life.missed_at_all = 0;
    life.unproven_since.reset();
    if (!life.needs_preparation && !life.is_preparing) {
        become_unproven(life, policy_.backend.start_timeout);
    }
}

void World::perform(const KillBackend& effect) {
    Life& life = lives_.at(effect.generation);
    check(life.was_stopped && !life.was_killed, "6: KILL without a stop, or twice");
    life.was_killed = true;
    const Generation generation = effect.generation;
    if (!life.has_tree) {
        at(ticks(0, 2), [this, generation] { clear_place(generation); });
        return;
    }
    const Duration when = life.survives_kill ? ticks(0, 400) : ticks(0, 2);
    at(when, [this, generation] { tree_dies(generation, Exit{Exit::Kind::signal, 9}); });
}

void World::perform(const QuarantinePlace& effect) {
    tell(say("quarantine", effect.place));
    Life& life = lives_.at(effect.generation);
    check(life.was_killed, "6: quarantined before KILL");
    check(life.place == effect.place, "6: the wrong place was quarantined");
    life.was_quarantined = true;
}

void World::perform(const AnnounceReady& effect) {
    const Life& life = lives_.at(effect.generation);
    check(life.answered == now_, "4: announced ready without an answer");
    check(effect.after == now_ - life.born, "4: the time to ready was told wrongly");
}

void World::perform(const TakeOver& effect) {
    tell(say("takes over", effect.generation));
    Life& life = lives_.at(effect.generation);
    check(!life.was_stopped, "4: a stopped generation took over");
    check(number(effect.instance) < policy_.backend.instances, "4: an instance that is not");
    check(!life.instance, "4: a standby was handed out twice");
    check(!life.has_been_open || may_be_open(life), "4: one that takes nobody any more took over");
    const bool is_another_ready = std::any_of(lives_.begin(), lives_.end(), [&](const auto& entry) {
        const Life& other = entry.second;
        return &other != &life && !other.instance && other.has_been_open && is_open(other);
    });
    check(life.has_been_open || !is_another_ready, "4: one that is not ready yet took over");
    for (auto& [generation, other] : lives_) {
        if (other.instance != effect.instance) {
            continue;
        }
        check(other.was_stopped || !is_open(other), "4: taken from one that serves");
        check(other.was_stopped || life.answered, "4: one that never answered took over");
        other.instance.reset();
        if (!other.answered) {
            other.served_as.reset();
        }
    }
    life.instance = life.served_as = effect.instance;
}

void World::perform(const BackOff& effect) {
    const Record& place = places_[lives_.at(effect.generation).place];
    check(place.wasted > 0, "7: a pause after a life that was worth something");
    check(effect.failed_starts == (place.was_failed_start ? place.failed_in_a_row : 0),
          "8: failed starts were counted wrongly");
    check(effect.delay <= policy_.backend.restart_backoff.max, "8: a pause longer than allowed");
}

void World::perform(const AnnounceFailing&) {
    tell("failing");
    check(failed_starts_ == 5, "7: announced as failing at the wrong time");
}

void World::perform(const StopListening&) {
    check(is_ending(), "3: stopped listening without a shutdown");
    is_listening_ = false;
}

void World::perform(const Finish&) {
    tell("finish");
    check(is_ending(), "12: finished without a shutdown");
    const bool has_aftermath = std::any_of(places_.begin(), places_.end(), [](const auto& entry) {
        return entry.second.has_aftermath;
    });
    check(has_closed() || !has_aftermath, "5: finished before the hook that follows a timeout");
    check(waiting_.empty() && guests_.empty(), "3: finished although somebody waits or is inside");
    for (const auto& [generation, life] : lives_) {
        check(!life.has_tree || life.was_quarantined, "6: finished although a tree lives");
    }
    is_finished_ = true;
}

// ---- The promises ------------------------------------------------------------------------------

// A life that was of no use, and nobody's doing, makes the next start of its place wait.
void World::note_end_of_life(Generation generation, bool was_planned) {
    const Life& life = lives_.at(generation);
    Record& place = places_[life.place];
    const bool was_long =
        life.answered && now_ - *life.answered >= policy_.backend.restart_backoff.max;
    const bool has_job_inside =
        std::any_of(life.inside.begin(), life.inside.end(),
                    [this](ClientId client) { return guests_.at(client).has_job; });
    const bool was_healthy = life.answered && (life.served > 0 || has_job_inside || was_long);
    if (was_healthy) {
        place.wasted = 0;
    }
    const bool is_failed_start = !life.has_been_open && !was_planned;
    if (is_failed_start || (!was_healthy && !was_planned)) {
        ++place.wasted;
        place.ended = now_;
    }
    if (is_failed_start) {
        note_failed_start(generation);
    } else {
        place.was_failed_start = false;
    }
}

// One that serves is there for those who come, whatever becomes of the others.
void World::note_failed_start(Generation generation) {
    Record& place = places_[lives_.at(generation).place];
    place.was_failed_start = true;
    ++place.failed_in_a_row;
    place.has_begun_again = false;
    const bool serves = std::any_of(lives_.begin(), lives_.end(), [generation](const auto& entry) {
        const auto& [other, life] = entry;
        return other != generation && life.has_been_open && !life.was_stopped;
    });
    failed_starts_ += serves ? 0 : 1;
}

void World::note_quiet() {
    const auto limit = policy_.recycle.idle_shutdown;
    if (!waiting_.empty() || !guests_.empty() || !limit || is_ending()) {
        quiet_since_.reset();
        is_asleep_ = false;
        return;
    }
    quiet_since_ = quiet_since_.value_or(now_);
    if (!is_asleep_ && now_ - *quiet_since_ >= *limit) {
        tell("asleep");
        check(now_ - *quiet_since_ <= *limit + 2 * tick, "12: kept awake for too long");
        is_asleep_ = true;
        failed_starts_ = 0;
        for (auto& [id, place] : places_) {
            place.failed_in_a_row = 0;
        }
    }
}

// Some generation is open, whoever may be inside, and will be until it is ended.
void World::note_service() {
    const bool is_served = std::any_of(lives_.begin(), lives_.end(), [](const auto& entry) {
        return entry.second.has_been_open && !entry.second.was_stopped;
    });
    if (is_served) {
        unserved_for_ = unserved_for();
        unserved_since_.reset();
    } else {
        unserved_since_ = unserved_since_.value_or(now_);
    }
}

Duration World::unserved_for() const {
    return unserved_for_ + (unserved_since_ ? now_ - *unserved_since_ : Duration{});
}

void World::check_proof(const Life& life, StopReason reason) const {
    check(reason != StopReason::not_free ||
              (life.unproven_since && now_ - *life.unproven_since >= life.proof_limit),
          "5: taken for not free before its time to say so had ended");
}

// Told to end, and no time is left for what might follow.
bool World::has_closed() const {
    return shutdown_at_ && (is_closing_ || now_ - *shutdown_at_ >= policy_.shutdown_timeout);
}

// For its age, or because somebody asked for it: that waits for its turn.
std::optional<Instant> World::planned_since(const Life& life) const {
    if (!life.answered) {
        return std::nullopt;
    }
    std::optional<Instant> since = life.requested;
    if (policy_.recycle.max_age) {
        const Duration limit = *policy_.recycle.max_age;
        const auto taken_off = static_cast<double>(limit.count()) * (life.jitter / 10);
        const Instant old = life.born + limit - Duration{static_cast<Duration::rep>(taken_off)};
        if (old <= now_) {
            since = std::min(since.value_or(now_), std::max(old, *life.answered));
        }
    }
    return since;
}

// But for its turn, which may have come.
bool World::may_be_open(const Life& life) const {
    return life.answered && !life.was_stopped && !life.is_due && !is_worn(life);
}

bool World::is_worn(const Life& life) const {
    return policy_.recycle.max_jobs && life.jobs >= *policy_.recycle.max_jobs;
}

bool World::is_open(const Life& life) const {
    return may_be_open(life) && !planned_since(life);
}

// With nobody inside a turn ends at once: then there is one for each instance, unless it has waited
// for longer than a start may take, or a standby cannot be had.
void World::check_turn(const Life& life, StopReason reason) {
    const bool is_turn = reason == StopReason::max_age || reason == StopReason::schedule ||
                         reason == StopReason::requested || reason == StopReason::reload;
    const bool may_end_a_start = reason == StopReason::requested || reason == StopReason::reload;
    if (!is_turn || is_recycled_at_once_ || (may_end_a_start && !life.answered)) {
        return;
    }
    const auto since = planned_since(life);
    check(since.has_value(), "4: recycled too early");
    if (!life.instance || !life.inside.empty() || life.left == now_) {
        return;
    }
    const Instant waits_since = std::max(*since, std::exchange(last_turn_, now_));
    if (now_ - waits_since >= policy_.backend.stop_grace + policy_.backend.start_timeout) {
        return;
    }
    const auto others = std::count_if(lives_.begin(), lives_.end(), [&](const auto& entry) {
        return &entry.second != &life && may_be_open(entry.second);
    });
    const bool has_standby = policy_.backend.standby > 0;
    check(static_cast<std::size_t>(others) + (has_standby ? 0 : 1) >= policy_.backend.instances,
          "8: a planned recycle did not wait for its turn");
}

// With every place empty or quarantined, the next start must come after the longest pause.
void World::check_somebody_starts() {
    std::size_t living = 0;
    std::size_t quarantined = 0;
    bool has_aftermath = false;
    for (const auto& [id, place] : places_) {
        has_aftermath |= place.has_aftermath;
        if (place.occupant) {
            ++(lives_.at(*place.occupant).was_quarantined ? quarantined : living);
        }
    }
    if (living > 0 || has_aftermath || quarantined > policy_.backend.instances || is_asleep_ ||
        is_ending()) {
        nothing_lives_since_.reset();
        return;
    }
    nothing_lives_since_ = nothing_lives_since_.value_or(now_);
    check(now_ - *nothing_lives_since_ <= policy_.backend.restart_backoff.max + 2 * tick,
          "7: nothing lives, and nothing is started");
}

void World::check_books() const {
    const Counts counts = core_.counts();
    check(counts.accepted == counts.admitted + counts.refused + counts.left + counts.waiting,
          "3: accepted is not admitted + refused + left + waiting");
    check(counts.accepted == counts_.accepted && counts.admitted == counts_.admitted &&
              counts.refused == counts_.refused && counts.left == counts_.left &&
              counts.waiting == waiting_.size(),
          "3: the core's books differ from the world's");
    check_snapshot();
    check(core_.is_failing() == (failed_starts_ >= 5), "7: failing, or not, but wrongly");
    for (const auto& [client, guest] : guests_) {
        const Duration limit = guest.has_left ? policy_.gate.release_timeout : guest.limit;
        // A late timer may be up to two ticks late, another event at that time tells as well.
        check(guest.is_cut || now_ - guest.entered <= limit + 2 * tick,
              "5: somebody is inside for longer than allowed");
        check(guest.is_cut || guest.has_job || guest.has_left || !policy_.gate.first_byte_timeout ||
                  now_ <= to_speak_by(guest) + 2 * tick,
              "5: somebody is inside and silent for longer than allowed");
    }
    for (const auto& [id, place] : places_) {
        if (!place.occupant) {
            continue;
        }
        const Life& life = lives_.at(*place.occupant);
        // A probe takes up to three ticks, is sent again two later, and a timer may be two late.
        const Duration found = policy_.probe.interval * policy_.probe.failure_threshold + 10 * tick;
        check(life.was_stopped || !life.hangs || !life.answered || !policy_.probe.beside_clients ||
                  !policy_.backend.is_ours || life.is_preparing ||
                  now_ - std::max(life.hung_since, life.prepared) <= found,
              "5: a hung generation was not found in time");
        check(life.was_stopped || !life.unproven_since ||
                  now_ - *life.unproven_since <= life.proof_limit + 2 * tick,
              "5: a generation was unproven for longer than allowed");
        check(!is_open(life) || !life.needs_preparation || life.is_preparing || is_ending(),
              "7: a hook that is due is not run");
        check(!place.needs_aftermath, "5: no hook follows a timeout");
        const Duration turn = (longest_session_ + policy_.gate.release_timeout +
                               policy_.backend.stop_grace + policy_.backend.start_timeout) *
                              policy_.backend.instances;
        const auto planned = planned_since(life);
        check(life.was_stopped || is_ending() || !planned || is_waited_for(life) ||
                  now_ - life.left <= 2 * tick || now_ - *planned <= turn + 2 * tick,
              "8: a planned recycle waited for longer than allowed");
    }
    for (const auto& [generation, life] : lives_) {
        check(!is_asleep_ || !life.was_spawned || life.was_stopped,
              "12: something lives although nobody comes");
    }
    for (const auto& [client, guest] : waiting_) {
        check(has_waited(guest) <= policy_.gate.queue_timeout + 2 * tick,
              "12: somebody waits for longer than allowed");
    }
}

// What is shown is what is.
void World::check_snapshot() const {
    const Snapshot seen = core_.snapshot();
    check(seen.paused_since.has_value() == paused_since_.has_value(), "3: paused, or not, wrongly");
    check(std::equal(seen.waiting.begin(), seen.waiting.end(), waiting_.begin(), waiting_.end(),
                     [](const Waiter& shown, const auto& known) {
                         return shown.client == known.first && shown.since == known.second.since;
                     }),
          "3: the line that is shown is not the line");
    check(std::equal(seen.sessions.begin(), seen.sessions.end(), guests_.begin(), guests_.end(),
                     [](const SessionView& shown, const auto& known) {
                         const Guest& guest = known.second;
                         return shown.client == known.first &&
                                shown.generation == guest.generation &&
                                shown.since == guest.since && shown.has_job == guest.has_job &&
                                shown.ends.has_value() != guest.is_cut;
                     }),
          "3: the sessions that are shown are not those that are");
    for (const PlaceView& shown : seen.places) {
        const auto found = places_.find(shown.place);
        const bool is_known = found != places_.end() && found->second.occupant.has_value();
        check(is_known == (shown.phase != Phase::vacant), "3: an empty place is shown as taken");
        if (!is_known) {
            continue;
        }
        const Life& life = lives_.at(*found->second.occupant);
        check(shown.generation == *found->second.occupant && shown.jobs == life.jobs &&
                  shown.inside == life.inside.size() && shown.born == life.born,
              "3: a place is shown wrongly");
        check((shown.phase == Phase::ready) == (life.answered && !life.was_stopped),
              "3: a phase is shown wrongly");
    }
}

// A slot is free, its generation open and proven, and the line not empty: a lost wake-up. With a
// standby ready, which of the open ones are the instances is the core's business.
void World::check_nobody_waits_in_vain() const {
    if (waiting_.empty() || is_closing_ || is_ending() || paused_since_) {
        return;
    }
    std::size_t open = 0;
    bool has_free_slot = false;
    for (const auto& [generation, life] : lives_) {
        open += may_be_open(life) ? 1 : 0;
        if (!is_open(life)) {
            continue;
        }
        const bool probe_is_inside = life.is_probing && !policy_.probe.beside_clients;
        const std::size_t taken = life.inside.size() + (probe_is_inside ? 1 : 0);
        const bool is_prepared = !life.needs_preparation && !life.is_preparing;
        has_free_slot |= is_prepared && !life.unproven_since && taken < policy_.gate.concurrency;
    }
    check(!has_free_slot || open > policy_.backend.instances,
          "2: a slot is free and somebody waits");
}

void World::become_friendly() {
    tell("all becomes well");
    is_friendly_ = true;
    resume();
    for (auto& [generation, life] : lives_) {
        life.ignores_term = false;
        if (life.survives_kill && life.has_tree) {
            const Generation survivor = generation;
            at(tick, [this, survivor] {
                if (lives_.at(survivor).was_killed) {
                    tree_dies(survivor, Exit{Exit::Kind::signal, 9});
                }
            });
            life.survives_kill = false;
        }
    }
}

}  // namespace tcplock::simulation
