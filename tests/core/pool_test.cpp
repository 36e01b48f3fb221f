#include "core/pool.hpp"

#include "script.hpp"

namespace tcplock::core {
namespace {

// ---- Several instances -------------------------------------------------------------------------

class Instances : public Script {
protected:
    Instances() { policy.backend.instances = 2; }

    // Generation 2 has been ready for a second when generation 1 follows.
    void both_serve() {
        starts();
        becomes_ready(2);
        after(1s);
        becomes_ready(1);
        skip();
    }
};

TEST_F(Instances, LiveEachInAPlaceOfItsOwn) {
    starts();
    expect({SpawnBackend{0_place, 1_gen, 0_instance}, SpawnBackend{1_place, 2_gen, 1_instance}});
}

TEST_F(Instances, GetTheHeadOfTheLineInTheOrderOfTheirFreeSlots) {
    both_serve();
    arrives(1);
    arrives(2);
    arrives(3);
    expect({AdmitClient{1_client, 2_gen, 0s}, AdmitClient{2_client, 1_gen, 0s}});
    session_ends(2);
    answers(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}, AdmitClient{3_client, 1_gen, 0s}});
    session_ends(1);
    answers(2);
    after(1s);
    session_ends(3);
    answers(1);
    skip();
    arrives(4);
    expect({AdmitClient{4_client, 2_gen, 0s}});
}

TEST_F(Instances, ServeWhileOneOfThemIsRecycled) {
    policy.recycle.max_jobs = 1;
    both_serve();
    arrives(1);
    begins_job(1);
    session_ends(1);
    expect({AdmitClient{1_client, 2_gen, 0s},
            StopBackend{2_gen, StopReason::max_jobs, StopHow::ask, 1, 1s}});
    arrives(2);
    expect({AdmitClient{2_client, 1_gen, 0s}});
    arrives(3);
    cleared(2);
    becomes_ready(3);
    expect({SpawnBackend{1_place, 3_gen, 1_instance}, ProbeBackend{3_gen, ProbePurpose::readiness},
            AnnounceReady{3_gen, 0s}, AdmitClient{3_client, 3_gen, 0s}});
}

TEST_F(Instances, AreRecycledOnRequestOneAfterTheOther) {
    both_serve();
    arrives(1);
    skip();
    recycle_requested();
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 1s}});
    session_ends(1);
    answers(2);
    arrives(2);
    cleared(1);
    expect({ProbeBackend{2_gen, ProbePurpose::admission}, AdmitClient{2_client, 2_gen, 0s},
            SpawnBackend{0_place, 3_gen, 0_instance}});
    becomes_ready(3);
    session_ends(2);
    expect({ProbeBackend{3_gen, ProbePurpose::readiness}, AnnounceReady{3_gen, 0s},
            StopBackend{2_gen, StopReason::requested, StopHow::ask, 0, 1s}});
}

TEST_F(Instances, WaitNoLongerForTheirTurnThanAStartMayTake) {
    policy.backend.stop_grace = 5s;
    policy.backend.start_timeout = 20s;
    both_serve();
    recycle_requested();
    cleared(1);
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 1s},
            SpawnBackend{0_place, 3_gen, 0_instance}});
    after(25s - 1ns);
    skip();
    after(1ns);
    expect({StopBackend{2_gen, StopReason::requested, StopHow::ask, 0, 26s}});
}

// Otherwise nobody would be let in anywhere until it has ended.
TEST_F(Instances, WaitForTheLastClientOfATurn) {
    policy.backend.stop_grace = 5s;
    policy.backend.start_timeout = 20s;
    policy.gate.session_timeout = 1h;
    both_serve();
    arrives(1);
    arrives(2);
    skip();
    recycle_requested();
    after(10min);
    expect({});
    session_ends(2);
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 10min + 1s}});
    arrives(3);
    session_ends(1);
    answers(2);
    expect({ProbeBackend{2_gen, ProbePurpose::admission}, AdmitClient{3_client, 2_gen, 0s}});
}

TEST_F(Instances, AreRecycledForTheirAgeOneAfterTheOther) {
    policy.recycle.max_age = 10h;
    both_serve();
    after(10h - 1s);
    expect({StopBackend{1_gen, StopReason::max_age, StopHow::ask, 0, 10h}});
    cleared(1);
    becomes_ready(3);
    expect({SpawnBackend{0_place, 3_gen, 0_instance}, ProbeBackend{3_gen, ProbePurpose::readiness},
            AnnounceReady{3_gen, 0s},
            StopBackend{2_gen, StopReason::max_age, StopHow::ask, 0, 10h}});
}

// The jobs are a limit, not a plan.
TEST_F(Instances, AreRecycledAfterTheirJobsWhateverTheOthersDo) {
    policy.recycle.max_jobs = 1;
    both_serve();
    arrives(1);
    arrives(2);
    begins_job(1);
    begins_job(2);
    skip();
    session_ends(1);
    session_ends(2);
    expect({StopBackend{2_gen, StopReason::max_jobs, StopHow::ask, 1, 1s},
            StopBackend{1_gen, StopReason::max_jobs, StopHow::ask, 1, 1s}});
}

TEST_F(Instances, BackOffEachOnItsOwnAndFailTogether) {
    starts();
    skip();
    spawn_fails(1);
    spawn_fails(2);
    expect({BackOff{1_gen, 200ms, 1}, BackOff{2_gen, 200ms, 1}});
    after(200ms);
    expect({SpawnBackend{0_place, 3_gen, 0_instance}, SpawnBackend{1_place, 4_gen, 1_instance}});
}

TEST_F(Instances, OfWhichOneServesAreNotFailing) {
    starts();
    becomes_ready(1);
    spawned(2);
    std::uint64_t generation = 2;
    for (std::size_t failures = 1; failures <= failing_after + 2; ++failures) {
        is_killed(generation, 9);
        cleared(generation);
        after(30s);
        ++generation;
        spawned(generation);
    }
    EXPECT_FALSE(core().is_failing());
    skip();
    arrives(1);
    expect({AdmitClient{1_client, 1_gen, 0s}});
}

TEST_F(Instances, HaveOneFreshPlaceEachForThoseThatCannotBeKilled) {
    both_serve();
    is_killed(1, 9);
    is_killed(2, 9);
    skip();
    after(30s);
    expect({QuarantinePlace{1_gen, 0_place}, QuarantinePlace{2_gen, 1_place},
            SpawnBackend{2_place, 3_gen, 0_instance}, SpawnBackend{3_place, 4_gen, 1_instance}});
}

// ---- Standby -----------------------------------------------------------------------------------

class Standby : public Script {
protected:
    Standby() {
        policy.backend.standby = 1;
        policy.recycle.max_jobs = 1;
    }

    void both_are_ready() {
        starts();
        becomes_ready(1);
        becomes_ready(2);
        skip();
    }
};

TEST_F(Standby, IsSpawnedWithoutANumber) {
    starts();
    expect({SpawnBackend{0_place, 1_gen, 0_instance}, SpawnBackend{1_place, 2_gen, std::nullopt}});
}

TEST_F(Standby, TakesNoClients) {
    both_are_ready();
    arrives(1);
    arrives(2);
    expect({AdmitClient{1_client, 1_gen, 0s}});
}

TEST_F(Standby, TakesOverAtOnceAndTheOldTreeIsEndedBehindTheScenes) {
    both_are_ready();
    arrives(1);
    session_ends(1);
    arrives(2);
    skip();
    is_killed(1, 9);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 0s}, BackOff{1_gen, 200ms, 0},
            TakeOver{2_gen, 0_instance}, AdmitClient{2_client, 2_gen, 0s}});
    after(1s);
    cleared(1);
    expect({SpawnBackend{0_place, 3_gen, std::nullopt}});
}

// The last job that a generation may serve closes it to newcomers as soon as it begins.
TEST_F(Standby, TakesOverBesideTheLastJobOfTheOldOne) {
    both_are_ready();
    arrives(1);
    arrives(2);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    begins_job(1);
    expect({TakeOver{2_gen, 0_instance}, AdmitClient{2_client, 2_gen, 0s}});
    session_ends(1);
    expect({StopBackend{1_gen, StopReason::max_jobs, StopHow::ask, 1, 0s}});
    cleared(1);
    expect({SpawnBackend{0_place, 3_gen, std::nullopt}});
}

TEST_F(Standby, TakesOverFromABackendThatHangs) {
    both_are_ready();
    arrives(1);
    arrives(2);
    skip();
    after(120s);
    expect({CutClient{1_client, CutReason::session_timeout},
            StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 120s},
            TakeOver{2_gen, 0_instance}, AdmitClient{2_client, 2_gen, 120s}});
}

TEST_F(Standby, TakesOverFromOneThatIsStillStarting) {
    starts();
    spawned(1);
    spawned(2);
    arrives(1);
    skip();
    answers(2);
    expect(
        {AnnounceReady{2_gen, 0s}, TakeOver{2_gen, 0_instance}, AdmitClient{1_client, 2_gen, 0s}});
    answers(1);
    expect({AnnounceReady{1_gen, 0s}});
}

TEST_F(Standby, TakesTheNumberEvenBeforeItHasAnswered) {
    starts();
    becomes_ready(1);
    spawned(2);
    skip();
    is_killed(1, 9);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 0s}, BackOff{1_gen, 200ms, 0},
            TakeOver{2_gen, 0_instance}});
    arrives(1);
    expect({});
    answers(2);
    expect({AnnounceReady{2_gen, 0s}, AdmitClient{1_client, 2_gen, 0s}});
}

TEST_F(Standby, TakesOverFromOneThatIsDueWithSeveralClientsInside) {
    policy.gate.concurrency = 2;
    policy.probe.admission.reset();
    both_are_ready();
    arrives(1);
    after(60s);
    arrives(2);
    skip();
    after(60s);
    expect({CutClient{1_client, CutReason::session_timeout}, TakeOver{2_gen, 0_instance}});
    arrives(3);
    expect({AdmitClient{3_client, 2_gen, 0s}});
    session_ends(1);
    expect({});
    session_ends(2);
    expect({StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 120s}});
}

TEST_F(Standby, IsRecycledBeforeTheInstanceForWhichItIsToBeFresh) {
    both_are_ready();
    recycle_requested();
    expect({StopBackend{2_gen, StopReason::requested, StopHow::ask, 0, 0s}});
    arrives(1);
    cleared(2);
    expect({AdmitClient{1_client, 1_gen, 0s}, SpawnBackend{1_place, 3_gen, std::nullopt}});
    becomes_ready(3);
    expect({ProbeBackend{3_gen, ProbePurpose::readiness}, AnnounceReady{3_gen, 0s},
            TakeOver{3_gen, 0_instance}});
    session_ends(1);
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s}});
}

TEST_F(Standby, IsNotWaitedForForEverWhereThereIsNoMemoryForIt) {
    policy.backend.stop_grace = 5s;
    policy.backend.start_timeout = 10s;
    starts();
    becomes_ready(1);
    is_postponed(2);
    skip();
    recycle_requested();
    after(15s - 1ns);
    expect({});
    after(1ns);
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 15s}});
}

// It may be the last for which there was memory.
TEST_F(Standby, StandsInBeforeItIsRecycledWhereThereIsNoMemoryForAnother) {
    policy.backend.standby = 2;
    starts();
    becomes_ready(1);
    becomes_ready(2);
    is_postponed(3);
    skip();
    recycle_requested();
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s},
            TakeOver{2_gen, 0_instance}});
    arrives(1);
    expect({AdmitClient{1_client, 2_gen, 0s}});
}

// One whose hook has not been run yet would let nobody in for a while.
TEST_F(Standby, TakesOverOnlyIfNoOtherIsReadier) {
    policy.backend.standby = 2;
    policy.hooks.before_admission = true;
    policy.probe.admission.reset();
    starts();
    for (const std::uint64_t generation : {1, 2, 3}) {
        becomes_ready(generation);
        after(1s);
    }
    for (const std::uint64_t generation : {1, 3}) {
        hook_succeeds(generation);
        answers(generation);
    }
    skip();
    is_killed(1, 9);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 3s}, BackOff{1_gen, 200ms, 0},
            TakeOver{3_gen, 0_instance}});
}

TEST_F(Standby, IsAsBigAsWantedAndNoBiggerWhileATreeIsEnded) {
    both_are_ready();
    is_killed(1, 9);
    skip();
    after(30s - 1ns);
    expect({});
    after(1ns);
    expect({QuarantinePlace{1_gen, 0_place}, SpawnBackend{2_place, 3_gen, std::nullopt}});
}

TEST_F(Standby, IsNotReplacedWhileDraining) {
    both_are_ready();
    arrives(1);
    arrives(2);
    asked_to_end();
    begins_job(1);
    session_ends(1);
    skip();
    cleared(1);
    expect({});
    session_ends(2);
    cleared(2);
    expect({StopBackend{2_gen, StopReason::shutdown, StopHow::ask, 0, 0s}, Finish{}});
}

TEST_F(Standby, TakesOverInTheOrderInWhichTheyBecameReady) {
    policy.backend.standby = 2;
    starts();
    becomes_ready(1);
    after(1s);
    becomes_ready(3);
    after(1s);
    becomes_ready(2);
    skip();
    is_killed(1, 9);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 2s}, BackOff{1_gen, 200ms, 0},
            TakeOver{3_gen, 0_instance}});
}

}  // namespace
}  // namespace tcplock::core
