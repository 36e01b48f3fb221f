#include "core/supervisor.hpp"

#include "script.hpp"

namespace tcplock::core {
namespace {

// ---- The line ----------------------------------------------------------------------------------

class TheLine : public Script {};

TEST_F(TheLine, IsServedInTheOrderOfArrival) {
    serving();
    arrives(1);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    arrives(2);
    after(1s);
    arrives(3);
    after(1s);
    session_ends(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    expect({AdmitClient{2_client, 1_gen, 2s}});
    session_ends(2);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    expect({AdmitClient{3_client, 1_gen, 1s}});
}

TEST_F(TheLine, WaitsForTheFirstAnswerOfTheBackend) {
    arrives(1);
    expect({SpawnBackend{0_place, 1_gen, 0_instance}});
    after(1s);
    spawned(1);
    expect({ProbeBackend{1_gen, ProbePurpose::readiness}});
    after(2s);
    answers(1);
    expect({AnnounceReady{1_gen, 3s}, AdmitClient{1_client, 1_gen, 3s, 3s}});
}

TEST_F(TheLine, KeepsItsOrderOverRecycles) {
    policy.recycle.max_jobs = 1;
    serving();
    arrives(1);
    arrives(2);
    arrives(3);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    begins_job(1);
    after(1s);
    session_ends(1);
    expect({StopBackend{1_gen, StopReason::max_jobs, StopHow::ask, 1, 1s}});
    arrives(4);
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
    spawned(2);
    expect({ProbeBackend{2_gen, ProbePurpose::readiness}});
    answers(2);
    expect({AnnounceReady{2_gen, 0s}, AdmitClient{2_client, 2_gen, 1s}});
    begins_job(2);
    session_ends(2);
    expect({StopBackend{2_gen, StopReason::max_jobs, StopHow::ask, 1, 0s}});
    cleared(2);
    expect({SpawnBackend{0_place, 3_gen, 0_instance}});
    becomes_ready(3);
    expect({ProbeBackend{3_gen, ProbePurpose::readiness}, AnnounceReady{3_gen, 0s},
            AdmitClient{3_client, 3_gen, 1s}});
}

TEST_F(TheLine, IsToldHowMuchOfAWaitWasARecycle) {
    policy.recycle.max_jobs = 1;
    serving();
    arrives(1);
    begins_job(1);
    after(3s);
    arrives(2);
    after(2s);
    session_ends(1);  // Until then 2 had waited for 1, though a recycle was due.
    after(1s);
    arrives(3);
    cleared(1);
    spawned(2);
    after(4s);
    skip();
    answers(2);
    expect({AnnounceReady{2_gen, 4s}, AdmitClient{2_client, 2_gen, 7s, 5s}});
    after(10s);
    session_ends(2);
    skip();
    answers(2);
    expect({AdmitClient{3_client, 2_gen, 14s, 4s}});
}

TEST_F(TheLine, RefusesANewcomerWhenItIsFull) {
    policy.gate.queue_limit = 1;
    serving();
    arrives(1);
    arrives(2);
    skip();
    arrives(3);
    expect({RefuseClient{3_client, RefuseReason::queue_full, 0s}});
}

TEST_F(TheLine, RefusesWhoHasWaitedTooLong) {
    policy.gate.queue_timeout = 10s;
    serving();
    arrives(1);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    arrives(2);
    after(3s);
    arrives(3);
    after(7s - 1ns);
    expect({});
    after(1ns);
    expect({RefuseClient{2_client, RefuseReason::queue_timeout, 10s}});
    after(3s);
    expect({RefuseClient{3_client, RefuseReason::queue_timeout, 10s}});
}

TEST_F(TheLine, ForgetsWhoLeft) {
    serving();
    arrives(1);
    arrives(2);
    arrives(3);
    skip();
    leaves(2);
    EXPECT_EQ(core().counts().left, 1U);
    session_ends(1);
    answers(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}, AdmitClient{3_client, 1_gen, 0s}});
}

TEST_F(TheLine, IsNotLeftByOneWhoIsIn) {
    serving();
    arrives(1);
    skip();
    leaves(1);
    EXPECT_EQ(core().counts().left, 0U);
    EXPECT_EQ(core().counts().admitted, 1U);
}

TEST_F(TheLine, TakesBackAtItsHeadWhoCouldNotEnter) {
    serving();
    arrives(1);
    arrives(2);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    after(1s);
    cannot_enter(1);
    expect({StopBackend{1_gen, StopReason::unreachable, StopHow::kill, 0, 1s},
            BackOff{1_gen, 200ms, 0}});
    EXPECT_EQ(core().counts().admitted, 0U);
    EXPECT_EQ(core().counts().waiting, 2U);
    after(200ms);
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
    becomes_ready(2);
    expect({ProbeBackend{2_gen, ProbePurpose::readiness}, AnnounceReady{2_gen, 0s},
            AdmitClient{1_client, 2_gen, 1200ms, 200ms}});
}

TEST_F(TheLine, GivesWhoCouldNotEnterHisOldPatience) {
    policy.gate.queue_timeout = 10s;
    serving();
    arrives(1);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    after(9s);
    cannot_enter(1);
    skip();
    after(1s - 1ns);
    expect({});
    after(1ns);
    expect({RefuseClient{1_client, RefuseReason::queue_timeout, 10s}});
}

TEST_F(TheLine, RefusesWhoComesBackAfterTheEndOfHisPatience) {
    policy.gate.queue_timeout = 10s;
    serving();
    arrives(1);
    after(11s);
    skip();
    cannot_enter(1);
    expect({StopBackend{1_gen, StopReason::unreachable, StopHow::kill, 0, 11s},
            BackOff{1_gen, 200ms, 0}, RefuseClient{1_client, RefuseReason::queue_timeout, 11s}});
}

TEST_F(TheLine, TakesBackWhoCouldNotEnterEvenWhenItIsFull) {
    policy.gate.queue_limit = 1;
    serving();
    arrives(1);
    arrives(2);
    skip();
    cannot_enter(1);
    EXPECT_EQ(core().counts().waiting, 2U);
    EXPECT_EQ(core().counts().refused, 0U);
    skip();
}

// The backend was not touched: it is as proven as before, and the next goes in at once.
TEST_F(TheLine, PassesOverWhoHadLeftBeforeHeWasLetIn) {
    serving();
    arrives(1);
    arrives(2);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    had_left(1);
    expect({AdmitClient{2_client, 1_gen, 0s}});
    EXPECT_EQ(core().counts().left, 1U);
    EXPECT_EQ(core().counts().admitted, 1U);
}

// ---- Sessions ----------------------------------------------------------------------------------

class Sessions : public Script {};

TEST_F(Sessions, AreCutAtTheirTimeoutAndTheirBackendIsKilledBeforeTheNext) {
    serving();
    arrives(1);
    arrives(2);
    begins_job(1);
    skip();
    after(120s - 1ns);
    expect({});
    after(1ns);
    expect({CutClient{1_client, CutReason::session_timeout},
            StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 1, 120s}});
    session_ends(1);
    expect({});
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
    becomes_ready(2);
    expect({ProbeBackend{2_gen, ProbePurpose::readiness}, AnnounceReady{2_gen, 0s},
            AdmitClient{2_client, 2_gen, 120s}});
}

TEST_F(Sessions, MayEndAfterTheirPlaceWasCleared) {
    serving();
    arrives(1);
    arrives(2);
    after(120s);
    cleared(1);
    becomes_ready(2);
    skip();
    session_ends(1);
    expect({});
    EXPECT_EQ(core().counts().admitted, 2U);
}

TEST_F(Sessions, AreWaitedForWhenARecycleIsPlanned) {
    serving();
    arrives(1);
    arrives(2);
    skip();
    recycle_requested();
    after(1s);
    expect({});
    session_ends(1);
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 1s}});
}

TEST_F(Sessions, ThatHangOutrankAPlannedRecycle) {
    serving();
    arrives(1);
    skip();
    recycle_requested();
    after(120s);
    expect({CutClient{1_client, CutReason::session_timeout},
            StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 120s}});
}

TEST_F(Sessions, AreCutWhenTheBackendDoesNotReleaseThem) {
    serving();
    arrives(1);
    begins_job(1);
    after(3s);
    skip();
    finishes(1);
    after(5s - 1ns);
    expect({});
    after(1ns);
    expect({CutClient{1_client, CutReason::release_timeout},
            StopBackend{1_gen, StopReason::release_timeout, StopHow::kill, 1, 8s}});
    session_ends(1);
    expect({});
}

TEST_F(Sessions, ThatSayNothingAreCutAndTheirBackendIsKept) {
    policy.gate.first_byte_timeout = 5s;
    policy.probe.admission.reset();
    serving();
    arrives(1);
    arrives(2);
    skip();
    after(5s - 1ns);
    expect({});
    after(1ns);
    expect({CutClient{1_client, CutReason::first_byte_timeout}});
    goes_without_a_word(1);
    expect({AdmitClient{2_client, 1_gen, 5s}});
    begins_job(2);
    after(60s);
    expect({});
    EXPECT_EQ(core().counts().admitted, 2U);
}

// The backend is kept, and so must let go of the client first.
TEST_F(Sessions, ThatWereSentAwayAreWaitedForAsIfTheyHadLeft) {
    policy.gate.first_byte_timeout = 5s;
    policy.gate.release_timeout = 3s;
    serving();
    arrives(1);
    arrives(2);
    skip();
    after(5s);
    expect({CutClient{1_client, CutReason::first_byte_timeout}});
    finishes(1);
    after(3s - 1ns);
    expect({});
    after(1ns);
    expect({CutClient{1_client, CutReason::release_timeout},
            StopBackend{1_gen, StopReason::release_timeout, StopHow::kill, 0, 8s}});
    session_ends(1);
}

class Looks : public Script {
protected:
    Looks() {
        policy.gate.looks_first = true;
        policy.gate.first_byte_timeout = 5s;
    }
};

// Who is silent in the line is so no longer than anybody.
TEST_F(Looks, TakeNoLongerHoweverManyAreSilent) {
    serving();
    arrives(1);
    arrives(2);
    arrives(3);
    skip();
    after(5s);
    expect({CutClient{1_client, CutReason::first_byte_timeout}});
    goes_without_a_word(1);
    expect({AdmitClient{2_client, 1_gen, 5s}});
    after(100ms);
    expect({CutClient{2_client, CutReason::first_byte_timeout}});
    goes_without_a_word(2);
    expect({AdmitClient{3_client, 1_gen, 5100ms}});
    begins_job(3);
    after(60s);
    expect({});
}

TEST_F(Looks, AreNotWaitedForByARecycle) {
    serving();
    arrives(1);
    skip();
    recycle_requested();
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s}});
    cannot_enter(1);
    cleared(1);
    becomes_ready(2);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}, ProbeBackend{2_gen, ProbePurpose::readiness},
            AnnounceReady{2_gen, 0s}, AdmitClient{1_client, 2_gen, 0s}});
}

TEST_F(Looks, ThatLastTooLongAreNotTheBackendsFault) {
    policy.gate.first_byte_timeout.reset();
    policy.hooks.session_timeout = true;
    serving();
    arrives(1);
    skip();
    after(120s);
    expect({CutClient{1_client, CutReason::session_timeout}});
    goes_without_a_word(1);
    arrives(2);
    expect({AdmitClient{2_client, 1_gen, 0s}});
}

TEST_F(Sessions, ThatHaveLeftAreNotCutAsSilent) {
    policy.gate.first_byte_timeout = 5s;
    policy.gate.release_timeout = 20s;
    serving();
    arrives(1);
    skip();
    finishes(1);
    after(19s);
    expect({});
    session_ends(1);
    skip();
}

// Nothing has to be proven anew.
TEST_F(Sessions, WithoutAWordLeaveTheBackendAsItWas) {
    serving();
    arrives(1);
    arrives(2);
    skip();
    goes_without_a_word(1);
    expect({AdmitClient{2_client, 1_gen, 0s}});
    EXPECT_EQ(core().counts().admitted, 2U);
}

TEST_F(Sessions, OfSomethingElseAreRefusedAfterAll) {
    serving();
    arrives(1);
    arrives(2);
    skip();
    speaks_something_else(1);
    expect({AdmitClient{2_client, 1_gen, 0s}});
    EXPECT_EQ(core().counts().refused, 1U);
    EXPECT_EQ(core().counts().admitted, 1U);
}

TEST_F(Sessions, ThatAreIdleAreCutWhenTheBackendSaysThatItIsFree) {
    serving();
    arrives(1);
    begins_job(1);
    skip();
    becomes_idle(1);
    expect({ProbeBackend{1_gen, ProbePurpose::idleness}});
    answers(1);
    expect({CutClient{1_client, CutReason::idle_timeout}});
    session_ends(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    arrives(2);
    expect({AdmitClient{2_client, 1_gen, 0s}});
}

TEST_F(Sessions, WhoseJobRunsAreNotIdle) {
    serving();
    arrives(1);
    begins_job(1);
    becomes_idle(1);
    skip();
    is_busy(1);
    expect({});
    becomes_idle(1);
    expect({ProbeBackend{1_gen, ProbePurpose::idleness}});
    probe_fails(1);
    expect({});
}

TEST_F(Sessions, ThatStirBeforeTheAnswerAreNotIdle) {
    serving();
    arrives(1);
    begins_job(1);
    becomes_idle(1);
    skip();
    stirs(1);
    answers(1);
    expect({});
}

TEST_F(Sessions, ThatAreIdleWaitForTheAnswerOfAProbeOnTheWay) {
    policy.probe.interval = 1s;
    serving();
    arrives(1);
    begins_job(1);
    after(1s);
    skip();
    becomes_idle(1);
    expect({});
    answers(1);  // to the round trip, which says nothing of the job
    expect({ProbeBackend{1_gen, ProbePurpose::idleness}});
    answers(1);
    expect({CutClient{1_client, CutReason::idle_timeout}});
    session_ends(1);
    skip();
}

TEST_F(Sessions, ThatAreIdleAreCutAtOnceWhereNobodyCanTell) {
    policy.probe.tells_if_free = false;
    serving();
    arrives(1);
    begins_job(1);
    skip();
    becomes_idle(1);
    expect({CutClient{1_client, CutReason::idle_timeout}});
    becomes_idle(1);
    expect({});
}

TEST_F(Sessions, ThatHaveLeftAreNotIdle) {
    serving();
    arrives(1);
    begins_job(1);
    finishes(1);
    skip();
    becomes_idle(1);
    expect({});
}

TEST_F(Sessions, FinishOnce) {
    serving();
    arrives(1);
    skip();
    finishes(1);
    after(3s);
    finishes(1);
    after(2s);
    expect({CutClient{1_client, CutReason::release_timeout},
            StopBackend{1_gen, StopReason::release_timeout, StopHow::kill, 0, 5s}});
}

TEST_F(Sessions, ReleasedInTimeAreNotCut) {
    serving();
    arrives(1);
    skip();
    finishes(1);
    after(5s - 1ns);
    session_ends(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    after(10min);
    expect({});
}

TEST_F(Sessions, WithoutAByteAreNoJobs) {
    policy.recycle.max_jobs = 1;
    serving();
    arrives(1);
    arrives(2);
    skip();
    session_ends(1);
    answers(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}, AdmitClient{2_client, 1_gen, 0s}});
}

TEST_F(Sessions, AreOneJobHoweverOftenItBegins) {
    policy.recycle.max_jobs = 2;
    serving();
    arrives(1);
    begins_job(1);
    begins_job(1);
    skip();
    session_ends(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
}

TEST_F(Sessions, CutForOneHungClientLeaveTheOthersOfTheBackendAlone) {
    policy.gate.concurrency = 2;
    policy.probe.admission.reset();
    serving();
    arrives(1);
    after(60s);
    arrives(2);
    arrives(3);
    expect({AdmitClient{1_client, 1_gen, 0s}, AdmitClient{2_client, 1_gen, 0s}});
    after(60s);
    expect({CutClient{1_client, CutReason::session_timeout}});
    session_ends(1);
    after(30s);
    expect({});
    session_ends(2);
    expect({StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 150s}});
}

// ---- A service that somebody else runs ---------------------------------------------------------

class Doubts : public Script {
protected:
    Doubts() {
        policy.backend.is_ours = false;
        policy.gate.concurrency = 3;
        policy.probe.admission.reset();
        policy.probe.beside_clients = false;
    }
};

TEST_F(Doubts, LeaveThoseInsideAloneAndEndWithTheNextAnswer) {
    serving();
    arrives(1);
    arrives(2);
    finishes(1);
    skip();
    after(policy.gate.release_timeout);
    expect({CutClient{1_client, CutReason::release_timeout},
            DoubtBackend{1_gen, StopReason::release_timeout},
            ProbeBackend{1_gen, ProbePurpose::admission}});
    arrives(3);
    expect({});
    answers(1);
    expect({AdmitClient{3_client, 1_gen, 0s}});
}

// A probe may be answered where clients are refused; without a pause that would go on for ever.
TEST_F(Doubts, OfOneThatCannotBeEnteredLeaveItTimeBeforeTheNextTry) {
    policy.probe.interval = 5s;
    serving();
    arrives(1);
    arrives(2);
    skip();
    cannot_enter(2);
    expect({DoubtBackend{1_gen, StopReason::unreachable}});
    after(5s);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    expect({AdmitClient{2_client, 1_gen, 5s}});
}

TEST_F(Doubts, AreRenewedForAsLongAsSomebodyIsInside) {
    policy.backend.start_timeout = 60s;
    serving();
    arrives(1);
    arrives(2);
    cannot_enter(2);
    after(59s);
    skip();
    after(1s);
    expect({DoubtBackend{1_gen, StopReason::not_free}});
    session_ends(1);
    after(60s);
    expect({StopBackend{1_gen, StopReason::not_free, StopHow::kill, 0, 120s}});
}

TEST_F(Doubts, FollowAClientWhomItDoesNotLetGo) {
    policy.gate.release_timeout = 5s;
    serving();
    arrives(1);
    arrives(2);
    finishes(1);
    skip();
    after(5s);
    expect({CutClient{1_client, CutReason::release_timeout},
            DoubtBackend{1_gen, StopReason::release_timeout},
            ProbeBackend{1_gen, ProbePurpose::admission}});
    session_ends(1);
    answers(1);
    arrives(3);
    expect({AdmitClient{3_client, 1_gen, 0s}});
}

TEST_F(Doubts, FollowAClientWhoseTimeIsUpWhereNoHookMendsIt) {
    serving();
    arrives(1);
    after(60s);
    arrives(2);
    skip();
    after(60s);
    expect({CutClient{1_client, CutReason::session_timeout},
            DoubtBackend{1_gen, StopReason::session_timeout},
            ProbeBackend{1_gen, ProbePurpose::admission}});
    session_ends(1);
    answers(1);
    arrives(3);
    expect({AdmitClient{3_client, 1_gen, 0s}});
}

TEST_F(Doubts, WaitForThoseBesideHimWhereAHookDoes) {
    policy.hooks.session_timeout = true;
    serving();
    arrives(1);
    after(60s);
    arrives(2);
    skip();
    after(60s);
    expect({CutClient{1_client, CutReason::session_timeout}});
    session_ends(1);
    arrives(3);
    expect({});
    session_ends(2);
    expect({StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 120s},
            RunHook{1_gen, Hook::session_timeout}});
}

TEST_F(Doubts, AreAllThatAnOperatorCanAskForWhileSomebodyIsInside) {
    serving();
    arrives(1);
    skip();
    recycle_requested();
    expect(
        {DoubtBackend{1_gen, StopReason::requested}, ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    arrives(2);
    expect({AdmitClient{2_client, 1_gen, 0s}});
}

// Nobody asks it anything while the hook runs, and so it cannot have failed to answer.
TEST_F(Doubts, DoNotEndAHookThatRuns) {
    policy.hooks.before_admission = true;
    policy.backend.start_timeout = 1s;
    starts();
    becomes_ready(1);
    hook_succeeds(1);
    answers(1);
    arrives(1);
    arrives(2);
    arrives(3);
    finishes(1);
    skip();
    session_ends(3);
    expect({RunHook{1_gen, Hook::before_admission}});
    after(policy.gate.release_timeout);
    expect({CutClient{1_client, CutReason::release_timeout},
            DoubtBackend{1_gen, StopReason::release_timeout}});
    session_ends(2);
    after(10s);
    expect({});
    hook_succeeds(1);
    expect({RunHook{1_gen, Hook::before_admission}});  // for the one who has left meanwhile
}

TEST_F(Doubts, AreNoneWhereNobodyIsInside) {
    serving();
    arrives(1);
    skip();
    cannot_enter(1);
    expect({StopBackend{1_gen, StopReason::unreachable, StopHow::kill, 0, 0s},
            BackOff{1_gen, 200ms, 0}});
}

// ---- Hooks -------------------------------------------------------------------------------------

class Hooks : public Script {
protected:
    Hooks() {
        policy.hooks.before_admission = true;
        policy.probe.admission = 15s;
    }

    // The hook has succeeded, and the backend has answered after it.
    void is_prepared(std::uint64_t generation) {
        hook_succeeds(generation);
        answers(generation);
        skip();
    }
};

TEST_F(Hooks, AreRunBeforeTheFirstClientAndBeforeEachOther) {
    starts();
    spawned(1);
    arrives(1);
    arrives(2);
    skip();
    answers(1);
    expect({AnnounceReady{1_gen, 0s}, RunHook{1_gen, Hook::before_admission}});
    hook_succeeds(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    session_ends(1);
    expect({RunHook{1_gen, Hook::before_admission}});
    hook_succeeds(1);
    answers(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}, AdmitClient{2_client, 1_gen, 0s}});
    session_ends(2);
    expect({RunHook{1_gen, Hook::before_admission}});
}

// It may restart the backend: no answer from before it proves anything, nor does the lack of one.
TEST_F(Hooks, AreNotRunBesideProbes) {
    policy.probe.interval = 1s;
    policy.probe.failure_threshold = 1;
    serving();
    after(20s);
    expect({});
    hook_succeeds(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    arrives(1);
    skip();
    after(1s);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
    session_ends(1);
    expect({RunHook{1_gen, Hook::before_admission}});
    probe_fails(1);
    expect({});
}

TEST_F(Hooks, AreFollowedByAProofAlsoWhereNoneIsAskedForOtherwise) {
    policy.probe.admission.reset();
    policy.backend.start_timeout = 60s;
    serving();
    arrives(1);
    hook_succeeds(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    after(60s);
    expect({StopBackend{1_gen, StopReason::not_free, StopHow::kill, 0, 60s},
            BackOff{1_gen, 200ms, 1}});
}

TEST_F(Hooks, AreNotRunForAVisit) {
    serving();
    is_prepared(1);
    arrives(1);
    skip();
    goes_without_a_word(1);
    expect({});
    arrives(2);
    expect({AdmitClient{2_client, 1_gen, 0s}});
}

TEST_F(Hooks, ThatFailAreAFailedStartAndTheHeadKeepsItsPlace) {
    serving();
    arrives(1);
    hook_fails(1);
    expect({StopBackend{1_gen, StopReason::hook_failed, StopHow::ask, 0, 0s},
            BackOff{1_gen, 200ms, 1}});
    cleared(1);
    after(200ms);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
    becomes_ready(2);
    skip();
    hook_succeeds(2);
    answers(2);
    expect(
        {ProbeBackend{2_gen, ProbePurpose::admission}, AdmitClient{1_client, 2_gen, 200ms, 200ms}});
}

TEST_F(Hooks, ThatFailInARowAreFailing) {
    serving();
    for (std::uint64_t generation = 1; generation <= 5; ++generation) {
        hook_fails(generation);
        cleared(generation);
        after(30s);
        becomes_ready(generation + 1);
    }
    skip();
    EXPECT_TRUE(core().is_failing());
    arrives(1);
    expect({RefuseClient{1_client, RefuseReason::backend_failing, 0s}});
    hook_succeeds(6);
    EXPECT_TRUE(core().is_failing());
    answers(6);
    EXPECT_FALSE(core().is_failing());
    skip();
}

// It may end well and leave the backend dead.
TEST_F(Hooks, ThatAreFollowedByNoAnswerAreFailedStarts) {
    serving();
    for (std::uint64_t generation = 1; generation <= 5; ++generation) {
        hook_succeeds(generation);
        is_killed(generation, 9);
        cleared(generation);
        after(30s);
        becomes_ready(generation + 1);
    }
    skip();
    EXPECT_TRUE(core().is_failing());
}

TEST_F(Hooks, ThatFailBesideAClientWaitForIt) {
    policy.gate.concurrency = 2;
    serving();
    is_prepared(1);
    arrives(1);
    arrives(2);
    session_ends(1);
    skip();
    hook_fails(1);
    expect({});
    arrives(3);
    expect({});
    session_ends(2);
    expect({StopBackend{1_gen, StopReason::hook_failed, StopHow::ask, 0, 0s},
            BackOff{1_gen, 200ms, 1}});
}

TEST_F(Hooks, AreRunAgainForASessionThatEndedMeanwhile) {
    policy.gate.concurrency = 2;
    serving();
    is_prepared(1);
    arrives(1);
    arrives(2);
    session_ends(1);
    session_ends(2);
    skip();
    hook_succeeds(1);
    expect({RunHook{1_gen, Hook::before_admission}});
    hook_succeeds(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
}

TEST_F(Hooks, OfAGenerationThatIsBeingEndedAreOldNews) {
    serving();
    recycle_requested();
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s}});
    hook_succeeds(1);
    hook_fails(1);
    expect({});
}

class HookAfterATimeout : public Script {
protected:
    HookAfterATimeout() { policy.hooks.session_timeout = true; }

    void times_out() {
        serving();
        arrives(1);
        arrives(2);
        skip();
        after(120s);
        expect({CutClient{1_client, CutReason::session_timeout},
                StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 120s},
                RunHook{1_gen, Hook::session_timeout}});
        session_ends(1);
    }
};

TEST_F(HookAfterATimeout, IsWaitedForBeforeTheNextGeneration) {
    times_out();
    cleared(1);
    expect({});
    hook_succeeds(1, Hook::session_timeout);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

TEST_F(HookAfterATimeout, MayEndBeforeThePlaceIsClear) {
    times_out();
    hook_succeeds(1, Hook::session_timeout);
    expect({});
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

TEST_F(HookAfterATimeout, MayFail) {
    times_out();
    cleared(1);
    hook_fails(1, Hook::session_timeout);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

// Whatever else came due first.
TEST_F(HookAfterATimeout, IsRunAlsoIfItsGenerationIsEndedForAnotherReason) {
    policy.gate.concurrency = 2;
    policy.gate.release_timeout = 5s;
    policy.probe.admission.reset();
    serving();
    arrives(1);
    arrives(2);
    finishes(1);
    after(5s);
    session_ends(1);
    skip();
    after(115s);
    expect({CutClient{2_client, CutReason::session_timeout},
            StopBackend{1_gen, StopReason::release_timeout, StopHow::kill, 0, 120s},
            RunHook{1_gen, Hook::session_timeout}});
}

TEST_F(HookAfterATimeout, IsRunOnceAlsoIfItsGenerationHasBeenGivenUpBefore) {
    policy.gate.concurrency = 2;
    policy.gate.session_timeout = 10s;
    serving();
    arrives(1);
    arrives(2);
    after(1s);
    is_killed(1, 9);
    skip();
    after(9s);
    expect({CutClient{1_client, CutReason::session_timeout}, RunHook{1_gen, Hook::session_timeout},
            CutClient{2_client, CutReason::session_timeout}});
}

TEST_F(HookAfterATimeout, IsNotRunForAnotherEnd) {
    serving();
    is_killed(1, 11);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 0s}, BackOff{1_gen, 200ms, 0}});
}

// ---- The row of failed starts ------------------------------------------------------------------

class Failing : public Script {
protected:
    // One start after another fails, to the number `last`.
    void starts_fail_up_to(std::uint64_t last) {
        for (std::uint64_t generation = 1; generation <= last; ++generation) {
            spawn_fails(generation);
            if (generation < last) {
                after(30s);
            }
        }
    }
};

TEST_F(Failing, IsAnnouncedWithTheFifthFailedStart) {
    starts();
    starts_fail_up_to(4);
    skip();
    EXPECT_FALSE(core().is_failing());
    after(30s);
    expect({SpawnBackend{0_place, 5_gen, 0_instance}});
    spawn_fails(5);
    expect({BackOff{5_gen, 3200ms, 5}, AnnounceFailing{5}});
    EXPECT_TRUE(core().is_failing());
}

TEST_F(Failing, IsAnnouncedOnce) {
    starts();
    starts_fail_up_to(5);
    after(30s);
    skip();
    spawn_fails(6);
    expect({BackOff{6_gen, 6400ms, 6}});
}

TEST_F(Failing, RefusesNewcomersAndKeepsWhoWaits) {
    policy.gate.queue_timeout = 1h;
    arrives(1);
    starts_fail_up_to(5);
    skip();
    arrives(2);
    expect({RefuseClient{2_client, RefuseReason::backend_failing, 0s}});
    EXPECT_EQ(core().counts().waiting, 1U);
}

TEST_F(Failing, EndsWithTheFirstAnswer) {
    policy.gate.queue_timeout = 1h;
    arrives(1);
    starts_fail_up_to(5);
    after(3200ms);
    skip();
    becomes_ready(6);
    expect({ProbeBackend{6_gen, ProbePurpose::readiness}, AnnounceReady{6_gen, 0s},
            AdmitClient{1_client, 6_gen, 123200ms, 123200ms}});
    EXPECT_FALSE(core().is_failing());
    arrives(2);
    expect({});
    EXPECT_EQ(core().counts().waiting, 1U);
}

TEST_F(Failing, CountsOnlyStartsInARow) {
    starts();
    starts_fail_up_to(4);
    after(30s);
    becomes_ready(5);
    skip();
    is_killed(5, 11);
    expect({StopBackend{5_gen, StopReason::died, StopHow::kill, 0, 30s - 1600ms},
            BackOff{5_gen, 3200ms, 0}});
}

// ---- News of the past --------------------------------------------------------------------------

class LateNews : public Script {
protected:
    // Generation 1 is gone, 2 has taken its place.
    void generation_2_serves() {
        serving();
        recycle_requested();
        cleared(1);
        becomes_ready(2);
        skip();
    }
};

TEST_F(LateNews, OfAPastGenerationIsDropped) {
    generation_2_serves();
    spawned(1);
    spawn_fails(1);
    answers(1);
    probe_fails(1);
    exits(1, 0);
    cleared(1);
    expect({});
    arrives(1);
    expect({AdmitClient{1_client, 2_gen, 0s}});
}

TEST_F(LateNews, OfAPastClientIsDropped) {
    serving();
    arrives(1);
    session_ends(1);
    answers(1);
    skip();
    session_ends(1);
    cannot_enter(1);
    had_left(1);
    begins_job(1);
    finishes(1);
    leaves(1);
    after(1h);
    expect({});
    EXPECT_EQ(core().counts().admitted, 1U);
}

TEST_F(LateNews, OfAStoppingGenerationChangesNothing) {
    serving();
    recycle_requested();
    skip();
    answers(1);
    exits(1, 0);
    expect({});
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

TEST_F(LateNews, OfACutClientWhoHadNotEnteredDoesNotPutHimBack) {
    serving();
    arrives(1);
    after(120s);
    skip();
    cannot_enter(1);
    expect({});
    EXPECT_EQ(core().counts().waiting, 0U);
}

// ---- The end -----------------------------------------------------------------------------------

class Shutdown : public Script {
protected:
    void expect_the_end() {
        expect({Finish{}});
        EXPECT_EQ(next_deadline(), std::nullopt);
    }
};

TEST_F(Shutdown, OfAnIdleSupervisorEndsTheBackendAndFinishes) {
    serving();
    after(1s);
    asked_to_end();
    expect({StopListening{}, StopBackend{1_gen, StopReason::shutdown, StopHow::ask, 0, 1s}});
    cleared(1);
    expect_the_end();
}

TEST_F(Shutdown, ServesWhoWaitsAndRefusesNewcomers) {
    serving();
    arrives(1);
    arrives(2);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    asked_to_end();
    expect({StopListening{}});
    arrives(3);
    expect({RefuseClient{3_client, RefuseReason::shutting_down, 0s}});
    session_ends(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    expect({AdmitClient{2_client, 1_gen, 0s}});
    session_ends(2);
    expect({StopBackend{1_gen, StopReason::shutdown, StopHow::ask, 0, 0s}});
    cleared(1);
    expect_the_end();
}

TEST_F(Shutdown, RefusesTheRestAtItsLimit) {
    serving();
    arrives(1);
    arrives(2);
    skip();
    asked_to_end();
    expect({StopListening{}});
    after(30s - 1ns);
    expect({});
    after(1ns);
    expect({CutClient{1_client, CutReason::shutdown},
            RefuseClient{2_client, RefuseReason::shutting_down, 30s},
            StopBackend{1_gen, StopReason::shutdown, StopHow::ask, 0, 30s}});
    cleared(1);
    expect({});
    session_ends(1);
    expect_the_end();
}

TEST_F(Shutdown, AskedForTwiceComesAtOnce) {
    serving();
    arrives(1);
    arrives(2);
    asked_to_end();
    skip();
    after(1s);
    told_to_end_at_once();
    expect({CutClient{1_client, CutReason::shutdown},
            RefuseClient{2_client, RefuseReason::shutting_down, 1s},
            StopBackend{1_gen, StopReason::shutdown, StopHow::kill, 0, 1s}});
    session_ends(1);
    cleared(1);
    expect_the_end();
}

TEST_F(Shutdown, MayComeAtOnceFromTheStart) {
    serving();
    arrives(1);
    skip();
    told_to_end_at_once();
    expect({StopListening{}, CutClient{1_client, CutReason::shutdown},
            StopBackend{1_gen, StopReason::shutdown, StopHow::kill, 0, 0s}});
    cleared(1);
    session_ends(1);
    expect_the_end();
}

TEST_F(Shutdown, BeforeAnythingWasSpawnedFinishesAtOnce) {
    asked_to_end();
    expect({StopListening{}, Finish{}});
    EXPECT_EQ(next_deadline(), std::nullopt);
}

TEST_F(Shutdown, WaitsForASpawnThatIsUnderWay) {
    starts();
    asked_to_end();
    expect({SpawnBackend{0_place, 1_gen, 0_instance}, StopListening{}});
    after(1s);
    spawned(1);
    expect({StopBackend{1_gen, StopReason::shutdown, StopHow::ask, 0, 1s}});
    cleared(1);
    expect_the_end();
}

TEST_F(Shutdown, AtOnceKillsWhatWasBeingSpawned) {
    starts();
    told_to_end_at_once();
    spawned(1);
    cleared(1);
    expect({SpawnBackend{0_place, 1_gen, 0_instance}, StopListening{},
            StopBackend{1_gen, StopReason::shutdown, StopHow::kill, 0, 0s}, Finish{}});
}

TEST_F(Shutdown, FinishesWhenTheSpawnUnderWayFails) {
    starts();
    asked_to_end();
    skip();
    spawn_fails(1);
    expect({BackOff{1_gen, 200ms, 1}, Finish{}});
    EXPECT_EQ(next_deadline(), std::nullopt);
}

TEST_F(Shutdown, EndsAStartingBackendThatNobodyWaitsFor) {
    starts();
    spawned(1);
    skip();
    asked_to_end();
    expect({StopListening{}, StopBackend{1_gen, StopReason::shutdown, StopHow::ask, 0, 0s}});
    cleared(1);
    expect_the_end();
}

TEST_F(Shutdown, LetsAStartingBackendServeWhoWaits) {
    arrives(1);
    spawned(1);
    skip();
    asked_to_end();
    expect({StopListening{}});
    answers(1);
    expect({AnnounceReady{1_gen, 0s}, AdmitClient{1_client, 1_gen, 0s}});
    session_ends(1);
    expect({StopBackend{1_gen, StopReason::shutdown, StopHow::ask, 0, 0s}});
    cleared(1);
    expect_the_end();
}

TEST_F(Shutdown, WaitsForAStopThatIsUnderWay) {
    serving();
    recycle_requested();
    skip();
    asked_to_end();
    expect({StopListening{}});
    cleared(1);
    expect_the_end();
}

TEST_F(Shutdown, StartsAGenerationMoreForThoseWhoWait) {
    serving();
    recycle_requested();
    arrives(1);
    skip();
    asked_to_end();
    cleared(1);
    expect({StopListening{}, SpawnBackend{0_place, 2_gen, 0_instance}});
    becomes_ready(2);
    expect({ProbeBackend{2_gen, ProbePurpose::readiness}, AnnounceReady{2_gen, 0s},
            AdmitClient{1_client, 2_gen, 0s}});
    session_ends(1);
    cleared(2);
    expect({StopBackend{2_gen, StopReason::shutdown, StopHow::ask, 0, 0s}, Finish{}});
}

TEST_F(Shutdown, AtOnceDoesNotWaitForTheGraceOfAStopUnderWay) {
    serving();
    asked_to_end();
    skip();
    told_to_end_at_once();
    expect({KillBackend{1_gen}});
    told_to_end_at_once();
    expect({});
    cleared(1);
    expect_the_end();
}

TEST_F(Shutdown, FinishesBesideATreeThatCannotBeKilled) {
    serving();
    asked_to_end();
    skip();
    after(5s);
    expect({KillBackend{1_gen}});
    after(30s);
    expect({QuarantinePlace{1_gen, 0_place}, Finish{}});
    EXPECT_EQ(next_deadline(), std::nullopt);
}

TEST_F(Shutdown, WhileFailingKeepsTryingForThoseWhoWait) {
    arrives(1);
    for (std::uint64_t generation = 1; generation <= 5; ++generation) {
        spawn_fails(generation);
        after(3200ms);
    }
    skip();
    asked_to_end();
    expect({StopListening{}});
    becomes_ready(6);
    expect({ProbeBackend{6_gen, ProbePurpose::readiness}, AnnounceReady{6_gen, 0s},
            AdmitClient{1_client, 6_gen, 16s, 16s}});
    session_ends(1);
    cleared(6);
    expect({StopBackend{6_gen, StopReason::shutdown, StopHow::ask, 0, 0s}, Finish{}});
}

TEST_F(Shutdown, WhileFailingRefusesAtItsLimitWhoStillWaits) {
    policy.shutdown_timeout = 2s;
    arrives(1);
    for (std::uint64_t generation = 1; generation <= 5; ++generation) {
        spawn_fails(generation);
        after(generation < 5 ? 3200ms : 0ms);
    }
    skip();
    asked_to_end();
    expect({StopListening{}});
    after(2s);
    expect({RefuseClient{1_client, RefuseReason::shutting_down, 14800ms}, Finish{}});
    EXPECT_EQ(next_deadline(), std::nullopt);
}

TEST_F(Shutdown, WhileFailingFinishesAtOnceWhenNobodyWaits) {
    starts();
    spawn_fails(1);
    skip();
    asked_to_end();
    expect({StopListening{}, Finish{}});
    EXPECT_EQ(next_deadline(), std::nullopt);
}

TEST_F(Shutdown, RunsTheHookThatFollowsATimeoutAndWaitsForIt) {
    policy.hooks.session_timeout = true;
    policy.gate.session_timeout = 10s;
    serving();
    arrives(1);
    after(9s);
    asked_to_end();
    skip();
    after(1s);
    expect({CutClient{1_client, CutReason::session_timeout},
            StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 10s},
            RunHook{1_gen, Hook::session_timeout}});
    session_ends(1);
    cleared(1);
    expect({});
    hook_succeeds(1, Hook::session_timeout);
    expect({Finish{}});
}

TEST_F(Shutdown, RunsThatHookAlsoWhenItEndsTheBackendItself) {
    policy.hooks.session_timeout = true;
    policy.gate.session_timeout = 10s;
    policy.gate.concurrency = 2;
    policy.probe.admission.reset();
    serving();
    arrives(1);
    after(8s);
    arrives(2);
    after(2s);
    session_ends(1);
    asked_to_end();
    skip();
    session_ends(2);
    expect({StopBackend{1_gen, StopReason::shutdown, StopHow::ask, 0, 10s},
            RunHook{1_gen, Hook::session_timeout}});
    cleared(1);
    hook_fails(1, Hook::session_timeout);
    expect({Finish{}});
}

TEST_F(Shutdown, DoesNotWaitForThatHookBeyondItsTime) {
    policy.hooks.session_timeout = true;
    policy.gate.session_timeout = 10s;
    serving();
    arrives(1);
    after(9s);
    asked_to_end();
    after(1s);
    session_ends(1);
    cleared(1);
    skip();
    after(policy.shutdown_timeout);
    expect({Finish{}});
}

TEST_F(Shutdown, IsFinal) {
    asked_to_end();
    skip();
    asked_to_end();
    told_to_end_at_once();
    recycle_requested();
    after(24h);
    expect({});
    arrives(1);
    expect({RefuseClient{1_client, RefuseReason::shutting_down, 0s}});
    EXPECT_EQ(next_deadline(), std::nullopt);
}

// ---- Contracts ---------------------------------------------------------------------------------

TEST(SupervisorDeathTest, WillNotHearOfATimeThatIsPast) {
    Supervisor supervisor{Policy{}};
    supervisor.handle(DeadlineReached{}, Instant{} + 2s);
    EXPECT_DEATH(supervisor.handle(DeadlineReached{}, Instant{} + 1s),
                 "internal error: time went backwards");
}

}  // namespace
}  // namespace tcplock::core
