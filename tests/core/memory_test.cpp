#include "core/supervisor.hpp"
#include "script.hpp"

namespace tcplock::core {
namespace {

class Memory : public Script {
protected:
    Memory() {
        policy.recycle.memory_soft_limit = 300;
        policy.recycle.memory_hard_limit = 1000;
        policy.probe.admission.reset();
    }
};

TEST_F(Memory, BeyondTheSoftLimitIsNoticedWhenTheJobEndsBeforeTheNextGoesIn) {
    serving();
    arrives(1);
    begins_job(1);
    arrives(2);
    skip();
    job_ends_with_memory(1, 300);
    expect({StopBackend{1_gen, StopReason::memory_soft_limit, StopHow::ask, 1, 0s}});
}

TEST_F(Memory, BelowTheSoftLimitChangesNothing) {
    serving();
    arrives(1);
    begins_job(1);
    arrives(2);
    skip();
    job_ends_with_memory(1, 299);
    expect({AdmitClient{2_client, 1_gen, 0s}});
}

// It gives back what it needed for itself.
TEST_F(Memory, BeyondTheSoftLimitInAJobIsNothing) {
    serving();
    arrives(1);
    begins_job(1);
    arrives(2);
    skip();
    uses_memory(1, 999);
    job_ends_with_memory(1, 100);
    expect({AdmitClient{2_client, 1_gen, 0s}});
}

TEST_F(Memory, BeyondTheSoftLimitBetweenJobsIsNoticedWithTheNextAnswerAtTheLatest) {
    serving();
    arrives(1);
    begins_job(1);
    session_ends(1);
    skip();
    uses_memory(1, 300);
    expect({StopBackend{1_gen, StopReason::memory_soft_limit, StopHow::ask, 1, 0s}});
}

TEST_F(Memory, BeyondTheSoftLimitWhenOneOfSeveralHasEndedWaitsForTheOthers) {
    policy.gate.concurrency = 2;
    serving();
    arrives(1);
    arrives(2);
    begins_job(1);
    begins_job(2);
    skip();
    job_ends_with_memory(1, 300);
    arrives(3);
    expect({});
    session_ends(2);
    expect({StopBackend{1_gen, StopReason::memory_soft_limit, StopHow::ask, 2, 0s}});
}

TEST_F(Memory, BeyondTheHardLimitWhenAJobEndsCutsNobodyWhoHasLeft) {
    serving();
    arrives(1);
    begins_job(1);
    skip();
    job_ends_with_memory(1, 1000);
    expect({StopBackend{1_gen, StopReason::memory_hard_limit, StopHow::kill, 1, 0s}});
}

// It would need as much after a recycle, and another, and another.
TEST_F(Memory, OfOneThatHasDoneNothingIsNotHeldAgainstIt) {
    serving();
    uses_memory(1, 999);
    expect({});
}

TEST_F(Memory, BeyondTheHardLimitCutsTheJobAndKillsAtOnce) {
    serving();
    arrives(1);
    begins_job(1);
    arrives(2);
    skip();
    uses_memory(1, 1000);
    expect({CutClient{1_client, CutReason::memory_hard_limit},
            StopBackend{1_gen, StopReason::memory_hard_limit, StopHow::kill, 1, 0s}});
    session_ends(1);
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});  // without a pause
    skip();
    becomes_ready(2);
    skip();
    session_ends(2);
}

TEST_F(Memory, BeyondTheHardLimitTakesTheNeighboursAlong) {
    policy.gate.concurrency = 2;
    serving();
    arrives(1);
    arrives(2);
    begins_job(1);
    skip();
    uses_memory(1, 1000);
    expect({CutClient{1_client, CutReason::neighbour}, CutClient{2_client, CutReason::neighbour},
            StopBackend{1_gen, StopReason::memory_hard_limit, StopHow::kill, 1, 0s}});
}

TEST_F(Memory, BeyondTheHardLimitLeavesThePlaceOfWhoHasSaidNothing) {
    policy.gate.looks_first = true;
    serving();
    arrives(1);
    skip();
    uses_memory(1, 1000);
    expect({StopBackend{1_gen, StopReason::memory_hard_limit, StopHow::kill, 0, 0s},
            BackOff{1_gen, 200ms, 0}});
    cannot_enter(1);
    expect({});
    EXPECT_EQ(core().counts().waiting, 1U);
}

// Or it would be started and killed for ever without a pause.
TEST_F(Memory, BeyondTheHardLimitWithNobodyInsideBacksOff) {
    serving();
    uses_memory(1, 1000);
    expect({StopBackend{1_gen, StopReason::memory_hard_limit, StopHow::kill, 0, 0s},
            BackOff{1_gen, 200ms, 0}});
}

TEST_F(Memory, BeyondTheHardLimitBeforeTheFirstAnswerIsAFailedStart) {
    starts();
    spawned(1);
    skip();
    uses_memory(1, 1000);
    expect({StopBackend{1_gen, StopReason::memory_hard_limit, StopHow::kill, 0, 0s},
            BackOff{1_gen, 200ms, 1}});
}

TEST_F(Memory, OfThePastIsNoNews) {
    serving();
    recycle_requested();
    skip();
    uses_memory(1, 1000);
    cleared(1);
    skip();
    uses_memory(1, 1000);
    expect({});
}

TEST_F(Memory, HasNoLimitWhereTheyAreOff) {
    policy.recycle.memory_soft_limit.reset();
    policy.recycle.memory_hard_limit.reset();
    serving();
    arrives(1);
    begins_job(1);
    session_ends(1);
    skip();
    uses_memory(1, std::uint64_t{1} << 60);
    expect({});
}

// ---- No room for a standby ---------------------------------------------------------------------

class NoRoom : public Script {
protected:
    NoRoom() { policy.backend.standby = 1; }

    void serving_without_a_spare() {
        starts();
        becomes_ready(1);
        is_postponed(2);
        skip();
    }
};

TEST_F(NoRoom, ForAStandbyIsNoFailedStartAndIsTriedAgainLater) {
    serving_without_a_spare();
    after(29s);
    expect({});
    after(1s);
    expect({SpawnBackend{1_place, 3_gen, std::nullopt}});
}

TEST_F(NoRoom, ForAStandbyMakesTheRecycleCold) {
    policy.recycle.max_jobs = 1;
    serving_without_a_spare();
    arrives(1);
    begins_job(1);
    skip();
    session_ends(1);
    expect({StopBackend{1_gen, StopReason::max_jobs, StopHow::ask, 1, 0s}});
    cleared(1);
    expect({SpawnBackend{0_place, 3_gen, 0_instance}});
}

// What was to be a standby had become the instance meanwhile.
TEST_F(NoRoom, NeverKeepsAnInstanceFromBeingSpawned) {
    starts();
    becomes_ready(1);
    skip();
    is_killed(1, 9);
    skip();
    is_postponed(2);
    expect({});
    cleared(1);
    expect({SpawnBackend{1_place, 3_gen, 0_instance}});
}

}  // namespace
}  // namespace tcplock::core
