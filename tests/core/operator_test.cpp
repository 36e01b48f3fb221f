// What an operator may ask for, and what he is shown.

#include "script.hpp"

namespace tcplock::core {
namespace {

// ---- A pause -----------------------------------------------------------------------------------

using Pause = Script;

TEST_F(Pause, HoldsAdmissionsAndLetsInInTheirOrderAfterwards) {
    serving();
    paused();
    arrives(1);
    arrives(2);
    expect({});
    resumed();
    expect({AdmitClient{1_client, 1_gen, 0s}});
}

TEST_F(Pause, DoesNotTouchWhoIsInside) {
    serving();
    arrives(1);
    skip();
    paused();
    begins_job(1);
    session_ends(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
}

TEST_F(Pause, StopsPatienceButNotTheTimeOfASession) {
    policy.gate.queue_timeout = 60s;
    policy.gate.session_timeout = 100s;
    policy.probe.admission.reset();
    serving();
    arrives(1);
    arrives(2);
    skip();
    after(50s);
    paused();
    expect({});
    after(50s);
    expect({CutClient{1_client, CutReason::session_timeout},
            StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 100s}});
    session_ends(1);
    cleared(1);
    becomes_ready(2);
    skip();
    after(1h);
    resumed();
    expect({AdmitClient{2_client, 2_gen, 1h + 100s}});
}

TEST_F(Pause, RefusesWhoComesToAFullLine) {
    policy.gate.queue_limit = 1;
    serving();
    paused();
    arrives(1);
    arrives(2);
    expect({RefuseClient{2_client, RefuseReason::queue_full, 0s}});
}

TEST_F(Pause, EndsWithAShutdownSoThatWhoWaitsIsServed) {
    serving();
    paused();
    arrives(1);
    asked_to_end();
    expect({StopListening{}, AdmitClient{1_client, 1_gen, 0s}});
    paused();
    EXPECT_FALSE(core().snapshot().paused_since);
}

// ---- A drain -----------------------------------------------------------------------------------

using Drain = Script;

TEST_F(Drain, TakesWhateverTimeItTakes) {
    policy.gate.session_timeout = 24h;
    serving();
    arrives(1);
    arrives(2);
    skip();
    asked_to_drain();
    expect({StopListening{}});
    after(10min - 1s);
    session_ends(1);
    answers(1);
    expect(
        {ProbeBackend{1_gen, ProbePurpose::admission}, AdmitClient{2_client, 1_gen, 10min - 1s}});
    session_ends(2);
    skip();
    answers(1);
    cleared(1);
    expect({Finish{}});
}

TEST_F(Drain, IsHurriedByAShutdown) {
    serving();
    arrives(1);
    skip();
    asked_to_drain();
    after(1min);
    asked_to_end();
    expect({StopListening{}});
    after(policy.shutdown_timeout);
    expect({CutClient{1_client, CutReason::shutdown},
            StopBackend{1_gen, StopReason::shutdown, StopHow::ask, 0, 1min + 30s}});
    session_ends(1);
    cleared(1);
    expect({Finish{}});
}

// ---- A recycle ---------------------------------------------------------------------------------

using RecycleAsked = Script;

TEST_F(RecycleAsked, OfOneInstanceLeavesTheOthersAlone) {
    policy.backend.instances = 2;
    starts();
    becomes_ready(1);
    becomes_ready(2);
    skip();
    recycle_requested(1);
    expect({StopBackend{2_gen, StopReason::requested, StopHow::ask, 0, 0s}});
}

TEST_F(RecycleAsked, AtOnceCutsWhoIsInside) {
    policy.gate.concurrency = 2;
    serving();
    arrives(1);
    arrives(2);
    begins_job(1);
    skip();
    recycle_requested_at_once();
    expect({CutClient{1_client, CutReason::recycle_requested},
            CutClient{2_client, CutReason::recycle_requested},
            StopBackend{1_gen, StopReason::requested, StopHow::ask, 1, 0s}});
}

TEST_F(RecycleAsked, AtOnceReachesOneThatAnotherHasTakenOverFrom) {
    policy.backend.standby = 1;
    starts();
    becomes_ready(1);
    becomes_ready(2);
    arrives(1);
    recycle_requested(0);
    skip();
    EXPECT_EQ(core().snapshot().places[0].was_instance, 0_instance);
    recycle_requested_at_once(0_instance);
    expect({CutClient{1_client, CutReason::recycle_requested},
            StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s},
            StopBackend{2_gen, StopReason::requested, StopHow::ask, 0, 0s}});
}

TEST_F(RecycleAsked, AtOnceEndsAStartThatHangs) {
    starts();
    spawned(1);
    skip();
    recycle_requested_at_once(0_instance);
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s}});
}

TEST_F(RecycleAsked, AtOnceGoesBeforeOneThatWaitsForItsTurn) {
    serving();
    arrives(1);
    skip();
    recycle_requested();
    expect({});
    recycle_requested_at_once();
    expect({CutClient{1_client, CutReason::recycle_requested},
            StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s}});
}

TEST_F(RecycleAsked, BeginsAStartAgainWithNoFailureCounted) {
    starts();
    spawned(1);
    skip();
    recycle_requested();
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s}});
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

TEST_F(RecycleAsked, BeginsAStartAgainAsSoonAsItHasBegun) {
    starts();
    skip();
    recycle_requested(0);
    expect({});
    spawned(1);
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s}});
}

TEST_F(RecycleAsked, ByScheduleLeavesAStartAlone) {
    starts();
    spawned(1);
    skip();
    recycle_scheduled();
    expect({});
}

TEST_F(RecycleAsked, BeginsAStartAgainOnceUntilItHasAnswered) {
    starts();
    spawned(1);
    recycle_requested();
    cleared(1);
    spawned(2);
    skip();
    recycle_requested();
    expect({});
    recycle_requested_at_once();
    expect({StopBackend{2_gen, StopReason::requested, StopHow::ask, 0, 0s}});
}

TEST_F(RecycleAsked, OfAStartThatWasBegunAgainComesAfterItsFirstJob) {
    policy.probe.admission.reset();
    arrives(1);
    arrives(2);
    starts();
    spawned(1);
    recycle_requested();
    cleared(1);
    spawned(2);
    recycle_requested();
    skip();
    answers(2);
    expect({AnnounceReady{2_gen, 0s}, AdmitClient{1_client, 2_gen, 0s}});
    begins_job(1);
    session_ends(1);
    expect({StopBackend{2_gen, StopReason::requested, StopHow::ask, 1, 0s}});
}

TEST_F(RecycleAsked, AgainAndAgainWhileAHookPreparesItLetsItOpen) {
    policy.hooks.before_admission = true;
    starts();
    spawned(1);
    recycle_requested();
    cleared(1);
    spawned(2);
    answers(2);
    skip();
    recycle_requested();
    expect({});
}

TEST_F(RecycleAsked, WaitsForNoPauseAndMakesTheNextNoShorter) {
    starts();
    spawned(1);
    exits(1, 1);
    cleared(1);
    skip();
    recycle_requested(0);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
    spawned(2);
    skip();
    exits(2, 1);
    expect({StopBackend{2_gen, StopReason::died, StopHow::kill, 0, 0s},
            BackOff{2_gen, 2 * policy.backend.restart_backoff.first, 2}});
}

TEST_F(RecycleAsked, WhileItDrainsLeavesAStartToThoseWhoWait) {
    starts();
    arrives(1);
    spawned(1);
    asked_to_end();
    skip();
    recycle_requested();
    expect({});
}

// ---- A cut -------------------------------------------------------------------------------------

using CutAsked = Script;

TEST_F(CutAsked, OfOneWhoWaitsIsARefusal) {
    serving();
    arrives(1);
    arrives(2);
    skip();
    after(3s);
    cut_requested(2);
    expect({RefuseClient{2_client, RefuseReason::requested, 3s}});
}

TEST_F(CutAsked, OfOneInsideKeepsTheBackendIfThatLetsGo) {
    policy.probe.admission.reset();
    serving();
    arrives(1);
    arrives(2);
    begins_job(1);
    skip();
    cut_requested(1);
    expect({CutClient{1_client, CutReason::requested}});
    session_ends(1);
    expect({AdmitClient{2_client, 1_gen, 0s}});
}

TEST_F(CutAsked, OfOneInsideRecyclesABackendThatDoesNotLetGo) {
    policy.gate.release_timeout = 5s;
    serving();
    arrives(1);
    begins_job(1);
    skip();
    cut_requested(1);
    skip();
    after(5s);
    expect({CutClient{1_client, CutReason::release_timeout},
            StopBackend{1_gen, StopReason::release_timeout, StopHow::kill, 1, 5s}});
}

TEST_F(CutAsked, OfOneWhoHasGoneOrIsGoingIsNothing) {
    serving();
    arrives(1);
    skip();
    cut_requested(7);
    expect({});
    finishes(1);
    cut_requested(1);
    expect({});
}

// ---- What is shown -----------------------------------------------------------------------------

using Shown = Script;

TEST_F(Shown, AreTheLineTheSessionsAndThePlaces) {
    policy.gate.session_timeout = 100s;
    policy.backend.standby = 1;
    starts();
    becomes_ready(1);
    becomes_ready(2);
    arrives(1);
    after(2s);
    begins_job(1);
    arrives(2);
    skip();
    const Snapshot seen = core().snapshot();
    EXPECT_EQ(seen.mode, Mode::serving);
    EXPECT_EQ(seen.counts.accepted, 2U);
    ASSERT_EQ(seen.waiting.size(), 1U);
    EXPECT_EQ(seen.waiting[0].client, 2_client);
    ASSERT_EQ(seen.sessions.size(), 1U);
    EXPECT_EQ(seen.sessions[0].client, 1_client);
    EXPECT_EQ(seen.sessions[0].ends, seen.sessions[0].admitted + 100s);
    EXPECT_EQ(seen.taken - seen.sessions[0].admitted, 2s);
    EXPECT_TRUE(seen.sessions[0].has_job);
    ASSERT_EQ(seen.places.size(), 2U);
    EXPECT_EQ(seen.places[0].instance, 0_instance);
    EXPECT_EQ(seen.places[0].jobs, 1U);
    EXPECT_EQ(seen.places[0].inside, 1U);
    EXPECT_EQ(seen.places[1].instance, std::nullopt);
    EXPECT_EQ(seen.places[1].phase, Phase::ready);
}

TEST_F(Shown, IsWhyAPlaceTakesNobody) {
    serving();
    arrives(1);
    recycle_requested();
    skip();
    EXPECT_EQ(core().snapshot().places[0].planned, StopReason::requested);
    session_ends(1);
    skip();
    EXPECT_EQ(core().snapshot().places[0].phase, Phase::stopping);
}

TEST_F(Shown, IsWhenAFailedStartIsTriedAgain) {
    starts();
    spawn_fails(1);
    skip();
    const Snapshot seen = core().snapshot();
    EXPECT_EQ(seen.places[0].phase, Phase::vacant);
    EXPECT_EQ(seen.places[0].not_before, seen.taken + policy.backend.restart_backoff.first);
    EXPECT_EQ(seen.places[0].failed_in_a_row, 1U);
}

}  // namespace
}  // namespace tcplock::core
