// One place, and the life of the generation that lives in it.
//
//   vacant ──▶ spawning ──▶ starting ──▶ ready
//      ▲           │            │          │     stop: the stop signal, or KILL at once
//      │◀──failed──┘            ▼          ▼
//      │◀─────cleared────── stopping ─▶ killing ─▶ quarantined
//      └◀─────cleared───────────────────────┴───────────┘
//
// The backend knows its phase, its probes, how many are inside and when its next deadline is. It
// does not decide who goes in or what is spawned: that is pool.hpp and supervisor.hpp.
//
// Invariants: a place is spawned into only when it is vacant, and it becomes vacant only when the
// shell has said that the tree is gone and the address refuses (or that nothing was spawned).
#pragma once

#include "core/backoff.hpp"
#include "core/effects.hpp"
#include "core/events.hpp"
#include "core/policy.hpp"
#include "core/recycle.hpp"
#include "core/types.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace tcplock::core {

enum class Phase { vacant, spawning, starting, ready, stopping, killing, quarantined };

std::string_view to_string(Phase phase) noexcept;

// What an operator may see of a place.
struct PlaceView {
    PlaceId place;
    Phase phase = Phase::vacant;
    Generation generation{};                 // of its last life; 0: none yet
    std::optional<InstanceId> instance;      // none: a standby, or one that has been replaced
    std::optional<InstanceId> was_instance;  // the one it was replaced as
    Instant born;
    std::size_t inside = 0;
    std::uint64_t jobs = 0;
    bool is_unproven = false;
    std::size_t missed_probes = 0;      // in a row: it may be hung
    std::optional<StopReason> due;      // it takes nobody any more
    std::optional<StopReason> planned;  // it waits for its turn
    std::optional<Instant> not_before;  // vacant: when the next start may come
    std::size_t failed_in_a_row = 0;
};

// Between two tries of a backend that has not answered yet, or not again after a session.
constexpr Duration probe_retry_interval = 100ms;

// So many starts in a row must fail before a place's profile is made anew.
constexpr std::size_t doubtful_after = 3;

class Backend {
public:
    Backend(PlaceId place, const Policy& policy);

    // What runs keeps the time it was given; a hook that is none any more is not waited for.
    void obey(const Policy& policy, Instant now);

    PlaceId place() const noexcept { return place_; }
    Phase phase() const noexcept { return phase_; }
    Generation generation() const noexcept { return generation_; }
    std::optional<InstanceId> instance() const noexcept { return instance_; }
    void become(std::optional<InstanceId> instance) noexcept;
    // The instance it is, or was until another took over from it: somebody may be inside still.
    std::optional<InstanceId> served_as() const noexcept {
        return instance_ ? instance_ : was_instance_;
    }

    bool is_alive() const noexcept;  // spawning, starting or ready
    bool is_still() const noexcept;  // vacant or quarantined: nothing more can be done here
    bool may_spawn(Instant now) const noexcept;
    // When it may, if only time is missing to that.
    std::optional<Instant> spawnable_from() const noexcept;

    // Whether newcomers may be meant for it at all, and whether one may go in now.
    bool is_open() const noexcept { return phase_ == Phase::ready && !due_; }
    bool has_free_slot() const noexcept;
    Instant free_since() const noexcept { return free_since_; }
    std::size_t inside() const noexcept { return inside_; }
    bool is_working() const noexcept { return working_ > 0; }

    // The phases.
    // Whether its profile is to be made anew first.
    [[nodiscard]] bool spawn(Generation generation, Instant now);
    void spawned(double jitter, Instant now);
    void spawn_failed();
    // Nobody may have gone in yet.
    bool is_beginning() const noexcept { return is_alive() && !has_been_open_; }
    // Somebody has asked for it. It is done once until a start fails or succeeds, or who asks again
    // and again would let nobody in: where this is false, it is recycled after its first job.
    [[nodiscard]] bool begin_again() noexcept;
    // What has failed before says nothing of the next start.
    void forget_pauses() noexcept;
    // The next start need not wait; if it fails, the pause after it is as long as it would be.
    void end_pause() noexcept { not_before_ = {}; }
    StopBackend stop(StopReason reason, StopHow how, Instant now);
    // It must answer again before the next client, as after a session.
    DoubtBackend doubt(StopReason reason, Instant now);
    // One that was asked to stop is not given the rest of its grace.
    std::optional<KillBackend> hurry(Instant now);
    void cleared();
    // What the passing of time does to a phase; at most one effect.
    std::optional<Effect> overdue(Instant now);

    // Probes.
    enum class News {
        nothing,
        first_answer,
        opened,  // for the first time somebody may go in, which is later where a hook comes first
        unresponsive,
        is_free,      // it was asked, with clients inside
        is_not_free,  // nor may it be
    };
    // As soon as no other probe is under way.
    void ask_if_free() noexcept { wants_to_know_if_free_ = true; }
    bool probe_is_due(Instant now) const noexcept;
    ProbeBackend begin_probe(Instant now);
    News probe_ended(ProbeEnded::Verdict verdict, Instant now);
    bool start_is_overdue(Instant now) const noexcept;
    bool proof_is_overdue(Instant now) const noexcept;

    // Hooks. One before each client, with no probe beside it, for it may do anything to the
    // backend; when it has succeeded the backend must answer again.
    bool preparation_is_due() const noexcept;
    RunHook begin_preparation() noexcept;
    void prepared(Instant now);
    void preparation_failed() noexcept;
    // And one that is run after the end: until then nothing is spawned here.
    void need_aftermath() noexcept {
        is_aftermath_due_ = policy_.hooks.session_timeout && !has_aftermath_;
    }
    std::optional<RunHook> begin_aftermath() noexcept;
    void aftermath_ended() noexcept { has_aftermath_ = false; }
    bool has_aftermath() const noexcept { return has_aftermath_; }

    // Sessions.
    void admit();
    void begin_job() noexcept;
    enum class HadJob { no, yes };
    void session_ended(HadJob had_job, Instant now);
    // The client did not get in: as if it had not been admitted.
    void not_entered(HadJob had_job, Instant now);

    // Once due, no newcomer goes in. The first reason stands, but a hung one outranks a planned
    // one.
    void make_due(StopReason reason) noexcept;
    std::optional<StopReason> due() const noexcept { return due_; }

    // A recycle for its age, by schedule or on request waits for its turn: until then it serves.
    void plan_recycle(StopReason reason, Instant now) noexcept;
    std::optional<StopReason> planned() const noexcept;
    // Since when one is planned.
    std::optional<Instant> planned_since(Instant now) noexcept;
    void take_turn() noexcept {
        has_taken_turn_ = true;
        make_due(planned_->reason);
    }
    // Somebody is inside still.
    bool is_taking_turn() const noexcept { return phase_ == Phase::ready && has_taken_turn_; }

    // Starts that fail in a row, or an exit that says so, throw doubt on the profile of the place.
    // It is made anew once before the next answer: if it was not that, no more is lost.
    void doubt_start() noexcept { ++doubtful_starts_; }
    void doubt_profile(const Exit& exit) noexcept;
    bool must_remake_profile() const noexcept;

    // In a row, until clients may go in here.
    void start_failed() noexcept;
    void forget_failed_starts() noexcept { failed_in_a_row_ = 0; }
    std::size_t failed_in_a_row() const noexcept { return failed_in_a_row_; }

    // An exit by which a backend asks to be started again, believed once before the next answer.
    bool is_fresh_profile_exit(const Exit& exit) noexcept;

    // Whether anybody could have gone in: if not, its unasked end is a failed start.
    bool has_been_open() const noexcept { return has_been_open_; }
    // Whether this life was worth something: if not, its unasked end backs off.
    bool was_healthy(Instant now) const noexcept;
    Duration back_off(Instant now);

    std::optional<Instant> deadline() const noexcept;
    PlaceView view() const;
    std::uint64_t jobs() const noexcept { return wear_.jobs; }
    Duration age(Instant now) const noexcept { return now - wear_.born; }

private:
    void enter(Phase phase, std::optional<Instant> deadline) noexcept;
    bool probe_has_room() const noexcept;
    bool is_missed() const noexcept;
    bool is_prepared() const noexcept { return !needs_preparation_ && !is_preparing_; }
    void prove_within(Duration limit, Instant now);
    ProbePurpose next_purpose() const noexcept;
    News judge(ProbeEnded::Verdict verdict, Instant now);
    News open_up() noexcept;
    void leave_slot(HadJob had_job, Instant now);

    PlaceId place_;
    Policy policy_;
    Phase phase_ = Phase::vacant;
    std::optional<Instant> phase_deadline_;

    Generation generation_{};
    std::optional<InstanceId> instance_;
    std::optional<InstanceId> was_instance_;  // another took over
    Wear wear_;
    Instant answered_at_;
    bool has_served_ = false;  // somebody with a job
    bool has_been_open_ = false;
    std::optional<StopReason> due_;
    struct Plan {
        StopReason reason;
        Instant since;
    };
    std::optional<Plan> planned_;
    bool has_taken_turn_ = false;

    std::size_t inside_ = 0;
    std::size_t working_ = 0;  // of those inside: with a job
    Instant free_since_;

    bool is_probing_ = false;
    ProbePurpose purpose_ = ProbePurpose::readiness;  // of the last one
    bool wants_to_know_if_free_ = false;
    bool probe_is_stale_ = false;  // a session ended while it ran: its answer proves nothing
    Instant probe_began_;
    Instant next_probe_;
    std::size_t missed_probes_ = 0;
    Instant next_miss_;  // while unproven, a probe that began earlier counts as no miss
    std::optional<Instant> prove_by_;  // set: unproven

    bool needs_preparation_ = false;
    bool is_preparing_ = false;
    bool has_begun_again_ = false;
    bool was_asked_again_ = false;
    bool has_aftermath_ = false;
    bool is_aftermath_due_ = false;

    Backoff backoff_;
    Instant not_before_;
    bool fresh_profile_seen_ = false;
    std::size_t failed_in_a_row_ = 0;
    std::size_t doubtful_starts_ = 0;  // since the last answer
    bool doubts_profile_ = false;
    bool remakes_profile_ = false;     // this spawn
    bool has_remade_profile_ = false;  // and a spawn came of it
};

}  // namespace tcplock::core
