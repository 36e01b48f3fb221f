// Decides who goes in, what the backends should be doing, and when: the whole policy, and nothing
// but policy.
//
//   events (what happened) ──▶ handle() ──▶ effects (what to do about it)
//
// It is pure: time comes in with each event, the same events give the same effects, and it neither
// reads a clock nor does I/O. The shell feeds it one event at a time, carries the effects out in
// their order, and sends DeadlineReached at deadline() at the latest.
//
// After each event the same rules are settled, in this order, and the order is the policy:
//
//   1. what time has ended: the shutdown, patience, sessions, start, proof, grace, stop; and the
//      wakefulness of one that nobody has come to
//   2. retire every generation that is due and has no uncut client inside
//   3. instance numbers go to the readiest generations: a standby takes over
//   4. vacant places are filled
//   5. hooks that are due are run, and their generations are left alone meanwhile
//   6. probes that are due go out, before a client can take the last slot
//   7. the head of the line is admitted, for as long as there is a free slot
//   8. finish, if the end was asked for and nothing is left
//
// 2 before 7 is the promise "fresh before next". Two surprises it guards against: news of a past
// generation (dropped in one place, find()), and a client admitted to a backend that died in that
// very moment (SessionEnded::not_reached: he goes back to his place in the line, nothing is lost).
#pragma once

#include "core/effects.hpp"
#include "core/events.hpp"
#include "core/gate.hpp"
#include "core/policy.hpp"
#include "core/pool.hpp"
#include "core/snapshot.hpp"
#include "core/stopwatch.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace tcplock::core {

// So long may it take to see what a client has said while it waited.
constexpr Duration time_to_look = 100ms;

// So many starts in a row must fail before newcomers are refused.
constexpr std::size_t failing_after = 5;

class Supervisor {
public:
    explicit Supervisor(const Policy& policy);

    // The first event, whichever, spawns what is wanted. `now` never goes backwards.
    Effects handle(const Event& event, Instant now);

    // When DeadlineReached is due, at the latest; always after the `now` of the last event.
    std::optional<Instant> deadline() const;

    Counts counts() const;
    Mode mode() const noexcept { return mode_; }
    bool is_failing() const noexcept { return failed_starts_ >= failing_after; }
    const Pool& pool() const noexcept { return pool_; }
    std::optional<Waiter> first_in_line() const { return gate_.first(); }
    // All there is to be seen, as it was after the last event. It has each who waits.
    Snapshot snapshot() const;

private:
    struct Session {
        Generation generation;
        Waiter waiter;  // as it was in the line
        Instant admitted;
        Instant ends;  // by session_timeout, or by release_timeout once the client has left
        std::optional<Instant> speaks_by = {};  // until it has a job, or has left
        bool has_job = false;
        bool is_idle = false;
        bool has_left = false;
        bool is_cut = false;
    };

    void on(const ClientArrived& event, Instant now, Effects& effects);
    void on(const ClientLeft& event, Instant now, Effects& effects);
    void on(const JobBegan& event, Instant now, Effects& effects);
    void on(const ClientIdle& event, Instant now, Effects& effects);
    void on(const ClientStirred& event, Instant now, Effects& effects);
    void on(const ClientFinished& event, Instant now, Effects& effects);
    void on(const SessionEnded& event, Instant now, Effects& effects);
    void on(const BackendSpawned& event, Instant now, Effects& effects);
    void on(const SpawnFailed& event, Instant now, Effects& effects);
    void on(const SpawnPostponed& event, Instant now, Effects& effects);
    void on(const BackendExited& event, Instant now, Effects& effects);
    void on(const ProbeEnded& event, Instant now, Effects& effects);
    void on(const MemoryMeasured& event, Instant now, Effects& effects);
    void on(const HookEnded& event, Instant now, Effects& effects);
    void on(const PlaceCleared& event, Instant now, Effects& effects);
    void on(const RecycleRequested& event, Instant now, Effects& effects);
    void on(const CutRequested& event, Instant now, Effects& effects);
    void on(const PauseRequested& event, Instant now, Effects& effects);
    void on(const ResumeRequested& event, Instant now, Effects& effects);
    void on(const PolicyChanged& event, Instant now, Effects& effects);
    void on(const ShutdownRequested& event, Instant now, Effects& effects);
    void on(const DeadlineReached& event, Instant now, Effects& effects);

    void settle(Instant now, Effects& effects);
    void sleep_or_wake(Instant now);
    void end_what_is_overdue(Instant now, Effects& effects);
    void refuse_who_cannot_wait(Instant now, Effects& effects);
    void cut_overdue_sessions(Instant now, Effects& effects);
    void retire_what_is_due(Instant now, Effects& effects);
    void run_due_hooks(Effects& effects);
    void send_due_probes(Instant now, Effects& effects);
    void admit_from_the_line(Instant now, Effects& effects);
    void finish_if_done(Effects& effects);
    void note_service(Instant now) noexcept;

    Pool::Wanted wanted() const noexcept;
    void close(StopHow how, Instant now, Effects& effects);
    void stop(Backend& backend, StopReason reason, Instant now, Effects& effects);
    void stop_unasked(Backend& backend, StopReason reason, Instant now, Effects& effects);
    enum class HasFailed { to_start, to_last };
    void count_failed_start(Backend& backend) noexcept;
    void forget_failed_starts(Backend& backend) noexcept;
    void back_off(Backend& backend, HasFailed what, Instant now, Effects& effects);
    void refuse(Waiter waiter, RefuseReason reason, Instant now, Effects& effects);
    void cut(ClientId client, Session& session, CutReason reason, Effects& effects);
    void send_away(ClientId client, Session& session, CutReason reason, Instant now,
                   Effects& effects);
    bool is_outside(const Session& session) const noexcept;
    bool is_waited_for(Generation generation) const noexcept;
    bool goes_on_in_doubt(const Backend& backend) const noexcept;
    void begin_aftermath(Backend& backend, Effects& effects);
    Instant to_speak_by(Instant since, Instant now) const noexcept;
    void cut_overdue(ClientId client, Session& session, Instant now, Effects& effects);
    void cut_who_is_idle(Generation generation, Instant now, Effects& effects);
    void forget_who_is_idle(Generation generation);
    enum class When { between_jobs, in_a_job };
    void judge_memory(Backend& backend, std::uint64_t bytes, When when, Instant now,
                      Effects& effects);
    void cut_all_inside(Generation generation, CutReason alone, CutReason among_others,
                        Effects& effects);
    void recycle_in_turn(Backend& backend, StopReason reason, Instant now, Effects& effects);
    void recycle_as_asked(Backend& backend, const RecycleRequested& event, Instant now,
                          Effects& effects);
    void replace(Backend& backend, StopReason reason, Instant now, Effects& effects);
    bool is_quiet() const noexcept { return gate_.is_empty() && sessions_.empty(); }

    Policy policy_;
    Gate gate_;
    Pool pool_;
    std::map<ClientId, Session> sessions_;
    Counts counts_;
    Stopwatch unserved_;  // while clients can go in nowhere, not even after who is inside
    std::size_t failed_starts_ = 0;  // in a row, over all places, while none of them serves
    Mode mode_ = Mode::serving;
    StopHow shutdown_how_ = StopHow::ask;
    std::optional<Instant> shutdown_by_;
    std::optional<Instant> quiet_since_;  // nobody waits, nobody is inside
    bool is_asleep_ = false;              // for want of clients nothing is to live
    Instant last_now_;
};

}  // namespace tcplock::core
