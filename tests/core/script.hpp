// A test of the core as a little script: what happens, one verb a line, and what is to be done.
//
//   serving();
//   arrives(1);
//   expect({AdmitClient{1_client, 1_gen, 0s}});
//
// Effects pile up until expect() compares the whole list, so that an unexpected effect fails too;
// so do those that are left at the end of the test. After each event the fixture also checks what
// must always hold: every client is accounted for, and the deadline is not in the past.
#pragma once

#include "core/supervisor.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <ostream>
#include <source_location>
#include <sstream>
#include <string>

namespace tcplock::core {

constexpr ClientId operator""_client(unsigned long long number) {
    return ClientId{number};
}
constexpr Generation operator""_gen(unsigned long long number) {
    return Generation{number};
}
constexpr PlaceId operator""_place(unsigned long long number) {
    return PlaceId{static_cast<std::uint32_t>(number)};
}
constexpr InstanceId operator""_instance(unsigned long long number) {
    return InstanceId{static_cast<std::uint32_t>(number)};
}

inline std::string in_words(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
           "ms";
}

// Effects as a failing test prints them. The enumerators without a text of their own are numbers,
// in the order of their declaration.
struct Teller {
    std::ostream& out;

    void operator()(const SpawnBackend& e) const {
        out << "SpawnBackend place=" << number(e.place) << " gen=" << number(e.generation)
            << " instance=" << (e.instance ? std::to_string(number(*e.instance)) : "standby")
            << (e.remakes_profile ? " with a fresh profile" : "");
    }
    void operator()(const ProbeBackend& e) const {
        constexpr std::string_view purposes[] = {"readiness", "liveness", "admission", "idleness"};
        out << "ProbeBackend gen=" << number(e.generation) << " "
            << purposes[static_cast<int>(e.purpose)];
    }
    void operator()(const RunHook& e) const {
        out << "RunHook gen=" << number(e.generation) << " " << to_string(e.hook);
    }
    void operator()(const AnnounceReady& e) const {
        out << "AnnounceReady gen=" << number(e.generation) << " after=" << in_words(e.after);
    }
    void operator()(const TakeOver& e) const {
        out << "TakeOver gen=" << number(e.generation) << " instance=" << number(e.instance);
    }
    void operator()(const StopBackend& e) const {
        out << "StopBackend gen=" << number(e.generation) << " reason=" << to_string(e.reason)
            << (e.how == StopHow::ask ? " ask" : " kill") << " jobs=" << e.jobs
            << " age=" << in_words(e.age);
    }
    void operator()(const DoubtBackend& e) const {
        out << "DoubtBackend gen=" << number(e.generation) << " reason=" << to_string(e.reason);
    }
    void operator()(const KillBackend& e) const {
        out << "KillBackend gen=" << number(e.generation);
    }
    void operator()(const QuarantinePlace& e) const {
        out << "QuarantinePlace gen=" << number(e.generation) << " place=" << number(e.place);
    }
    void operator()(const BackOff& e) const {
        out << "BackOff gen=" << number(e.generation) << " delay=" << in_words(e.delay)
            << " failed_starts=" << e.failed_starts;
    }
    void operator()(const AnnounceFailing& e) const {
        out << "AnnounceFailing failed_starts=" << e.failed_starts;
    }
    void operator()(const AdmitClient& e) const {
        out << "AdmitClient client=" << number(e.client) << " gen=" << number(e.generation)
            << " waited=" << in_words(e.waited) << " unserved=" << in_words(e.unserved);
    }
    void operator()(const RefuseClient& e) const {
        out << "RefuseClient client=" << number(e.client)
            << " reason=" << static_cast<int>(e.reason) << " waited=" << in_words(e.waited);
    }
    void operator()(const CutClient& e) const {
        out << "CutClient client=" << number(e.client) << " reason=" << static_cast<int>(e.reason);
    }
    void operator()(const StopListening&) const { out << "StopListening"; }
    void operator()(const Finish&) const { out << "Finish"; }
};

inline std::string in_words(const Effects& effects) {
    std::ostringstream out;
    for (const Effect& effect : effects) {
        out << "    ";
        std::visit(Teller{out}, effect);
        out << '\n';
    }
    return effects.empty() ? "    nothing\n" : out.str();
}

class Script : public testing::Test {
protected:
    // Where probes and wear are not the subject, they keep quiet.
    Script() {
        policy.probe.interval = 1000h;
        policy.gate.first_byte_timeout.reset();
        policy.gate.looks_first = false;
        policy.recycle.max_jobs.reset();
        policy.recycle.max_age.reset();
    }

    void TearDown() override { expect({}); }

    // To be changed before the first verb; later it takes a verb of its own.
    Policy policy;

    // ---- Time ----------------------------------------------------------------------------------

    // Passes, with every deadline kept on the way.
    void after(Duration duration) {
        const Instant end = now_ + duration;
        for (auto due = core().deadline(); due && *due <= end; due = core().deadline()) {
            if (*due <= now_ && has_begun_) {
                ADD_FAILURE() << "the deadline is in the past";
                break;
            }
            now_ = *due;
            happens(DeadlineReached{});
        }
        now_ = end;
    }

    // Passes, with the shell busy elsewhere: whatever came due is told by the next event only.
    void after_without_a_look(Duration duration) { now_ += duration; }

    std::optional<Duration> next_deadline() {
        const auto due = core().deadline();
        return due ? std::optional(*due - now_) : std::nullopt;
    }

    // ---- Clients -------------------------------------------------------------------------------

    void arrives(std::uint64_t client) { happens(ClientArrived{ClientId{client}}); }
    void leaves(std::uint64_t client) { happens(ClientLeft{ClientId{client}}); }
    void begins_job(std::uint64_t client) { happens(JobBegan{ClientId{client}}); }
    void becomes_idle(std::uint64_t client) { happens(ClientIdle{ClientId{client}}); }
    void stirs(std::uint64_t client) { happens(ClientStirred{ClientId{client}}); }
    void finishes(std::uint64_t client) { happens(ClientFinished{ClientId{client}}); }
    void session_ends(std::uint64_t client) { ends(client, SessionEnded::How::released); }
    void job_ends_with_memory(std::uint64_t client, std::uint64_t bytes) {
        happens(SessionEnded{ClientId{client}, SessionEnded::How::released, bytes});
    }
    void cannot_enter(std::uint64_t client) { ends(client, SessionEnded::How::not_reached); }
    void goes_without_a_word(std::uint64_t client) { ends(client, SessionEnded::How::untouched); }
    void speaks_something_else(std::uint64_t client) { ends(client, SessionEnded::How::foreign); }
    void had_left(std::uint64_t client) { ends(client, SessionEnded::How::left); }

    // ---- Backends ------------------------------------------------------------------------------

    void starts() { happens(DeadlineReached{}); }
    void spawned(std::uint64_t generation, double jitter = 0) {
        happens(BackendSpawned{Generation{generation}, jitter});
    }
    void is_postponed(std::uint64_t generation) { happens(SpawnPostponed{Generation{generation}}); }
    void uses_memory(std::uint64_t generation, std::uint64_t bytes) {
        happens(MemoryMeasured{Generation{generation}, bytes});
    }
    void spawn_fails(std::uint64_t generation) { happens(SpawnFailed{Generation{generation}}); }
    void answers(std::uint64_t generation) {
        happens(ProbeEnded{Generation{generation}, ProbeEnded::Verdict::answered});
    }
    void answers_with_leftovers(std::uint64_t generation) {
        happens(ProbeEnded{Generation{generation}, ProbeEnded::Verdict::answered, true});
    }
    void is_busy(std::uint64_t generation) {
        happens(ProbeEnded{Generation{generation}, ProbeEnded::Verdict::busy});
    }
    void probe_fails(std::uint64_t generation) {
        happens(ProbeEnded{Generation{generation}, ProbeEnded::Verdict::failed});
    }
    void hook_succeeds(std::uint64_t generation, Hook hook = Hook::before_admission) {
        happens(HookEnded{Generation{generation}, hook, HookEnded::How::succeeded});
    }
    void hook_fails(std::uint64_t generation, Hook hook = Hook::before_admission) {
        happens(HookEnded{Generation{generation}, hook, HookEnded::How::failed});
    }
    void exits(std::uint64_t generation, int status) {
        happens(BackendExited{Generation{generation}, {Exit::Kind::status, status}});
    }
    void is_killed(std::uint64_t generation, int signal) {
        happens(BackendExited{Generation{generation}, {Exit::Kind::signal, signal}});
    }
    void cleared(std::uint64_t generation) { happens(PlaceCleared{Generation{generation}}); }

    // ---- Operators -----------------------------------------------------------------------------

    void recycle_requested() { happens(RecycleRequested{StopReason::requested}); }
    void recycle_scheduled() { happens(RecycleRequested{StopReason::schedule}); }
    void recycle_requested(std::uint64_t instance) {
        happens(RecycleRequested{StopReason::requested, InstanceId{std::uint32_t(instance)}});
    }
    void recycle_requested_at_once(std::optional<InstanceId> instance = {}) {
        happens(
            RecycleRequested{StopReason::requested, instance, RecycleRequested::Urgency::at_once});
    }
    void cut_requested(std::uint64_t client) { happens(CutRequested{ClientId{client}}); }
    void paused() { happens(PauseRequested{}); }
    void resumed() { happens(ResumeRequested{}); }
    // To what `policy` is by now.
    void limits_change() { happens(PolicyChanged{policy, false}); }
    void backend_changes() { happens(PolicyChanged{policy, true}); }
    void asked_to_end() { happens(ShutdownRequested{ShutdownRequested::Urgency::in_time}); }
    void asked_to_drain() { happens(ShutdownRequested{ShutdownRequested::Urgency::drain}); }
    void told_to_end_at_once() { happens(ShutdownRequested{ShutdownRequested::Urgency::at_once}); }

    // ---- What is not the subject of a test -----------------------------------------------------

    // A spawned generation comes up.
    void becomes_ready(std::uint64_t generation) {
        spawned(generation);
        answers(generation);
    }

    // One instance, its first generation ready, nobody there.
    void serving() {
        starts();
        becomes_ready(1);
        skip();
    }

    void skip() { seen_.clear(); }

    // ---- What is to be done --------------------------------------------------------------------

    void expect(const Effects& expected,
                std::source_location where = std::source_location::current()) {
        EXPECT_TRUE(seen_ == expected) << "line " << where.line() << ": expected\n"
                                       << in_words(expected) << "  got\n"
                                       << in_words(seen_);
        seen_.clear();
    }

    Supervisor& core() {
        if (!core_) {
            core_.emplace(policy);
        }
        return *core_;
    }

private:
    void ends(std::uint64_t client, SessionEnded::How how) {
        happens(SessionEnded{ClientId{client}, how});
    }

    void happens(const Event& event) {
        const Effects effects = core().handle(event, now_);
        has_begun_ = true;
        seen_.insert(seen_.end(), effects.begin(), effects.end());
        const Counts counts = core().counts();
        EXPECT_EQ(counts.accepted, counts.admitted + counts.refused + counts.left + counts.waiting)
            << "a client was lost";
        EXPECT_TRUE(!core().deadline() || *core().deadline() > now_)
            << "the deadline is in the past";
    }

    std::optional<Supervisor> core_;
    bool has_begun_ = false;
    Instant now_ = Instant{} + 1000h;  // A machine that has been up for a while.
    Effects seen_;
};

}  // namespace tcplock::core
