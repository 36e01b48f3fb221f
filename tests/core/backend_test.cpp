#include "core/backend.hpp"

#include "script.hpp"

namespace tcplock::core {
namespace {

// ---- Starting ----------------------------------------------------------------------------------

class Starting : public Script {};

TEST_F(Starting, AsksAgainAndAgainUntilTheFirstAnswer) {
    starts();
    spawned(1);
    expect(
        {SpawnBackend{0_place, 1_gen, 0_instance}, ProbeBackend{1_gen, ProbePurpose::readiness}});
    probe_fails(1);
    after(100ms - 1ns);
    expect({});
    after(1ns);
    expect({ProbeBackend{1_gen, ProbePurpose::readiness}});
    answers(1);
    expect({AnnounceReady{1_gen, 100ms}});
}

TEST_F(Starting, FailsWhenItTakesTooLong) {
    starts();
    after(1s);
    spawned(1);
    skip();
    after(60s - 1ns);
    expect({});
    after(1ns);
    expect({StopBackend{1_gen, StopReason::start_timeout, StopHow::kill, 0, 61s},
            BackOff{1_gen, 200ms, 1}});
}

TEST_F(Starting, FailsWhenItDies) {
    starts();
    spawned(1);
    skip();
    exits(1, 1);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 0s}, BackOff{1_gen, 200ms, 1}});
}

TEST_F(Starting, FailsWhenItCannotBeSpawned) {
    starts();
    skip();
    spawn_fails(1);
    expect({BackOff{1_gen, 200ms, 1}});
    after(200ms - 1ns);
    expect({});
    after(1ns);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

TEST_F(Starting, IsNotTriedAgainBeforeThePlaceIsClear) {
    starts();
    spawned(1);
    is_killed(1, 9);
    skip();
    after(20s);
    expect({});
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

TEST_F(Starting, IsNotAFailureWhenAFreshProfileWasMade) {
    policy.backend.fresh_profile_exit = 81;
    starts();
    spawned(1);
    after(1s);
    skip();
    exits(1, 81);
    expect({StopBackend{1_gen, StopReason::fresh_profile, StopHow::kill, 0, 1s}});
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
    becomes_ready(2);
    expect({ProbeBackend{2_gen, ProbePurpose::readiness}, AnnounceReady{2_gen, 0s}});
}

TEST_F(Starting, IsAFailureWhenAFreshProfileWasMadeTwiceInARow) {
    policy.backend.fresh_profile_exit = 81;
    starts();
    spawned(1);
    exits(1, 81);
    cleared(1);
    spawned(2);
    skip();
    exits(2, 81);
    expect({StopBackend{2_gen, StopReason::died, StopHow::kill, 0, 0s}, BackOff{2_gen, 200ms, 1}});
}

TEST_F(Starting, MayMakeAFreshProfileAgainAfterAnAnswer) {
    policy.backend.fresh_profile_exit = 81;
    starts();
    spawned(1);
    exits(1, 81);
    cleared(1);
    becomes_ready(2);
    recycle_requested();
    cleared(2);
    spawned(3);
    skip();
    exits(3, 81);
    expect({StopBackend{3_gen, StopReason::fresh_profile, StopHow::kill, 0, 0s}});
}

TEST_F(Starting, TakesAnyOtherExitForAFailure) {
    policy.backend.fresh_profile_exit = 81;
    starts();
    spawned(1);
    skip();
    is_killed(1, 81);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 0s}, BackOff{1_gen, 200ms, 1}});
}

TEST_F(Starting, IsOverWhenItHasAnsweredWhateverItsExitStatus) {
    policy.backend.fresh_profile_exit = 81;
    serving();
    exits(1, 81);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 0s}, BackOff{1_gen, 200ms, 0}});
}

TEST_F(Starting, ThatFailsThreeTimesInARowMakesTheProfileAnewOnce) {
    policy.backend.remakes_profiles = true;
    starts();
    for (std::uint64_t generation = 1; generation <= 6; ++generation) {
        spawned(generation);
        is_killed(generation, 9);
        cleared(generation);
        skip();
        after_without_a_look(30s);
        recycle_scheduled();
        expect({SpawnBackend{0_place, Generation{generation + 1}, 0_instance, generation == 3}});
    }
}

class BrokenProfile : public Starting {
protected:
    // The first generation says that it cannot use its profile, and the next one is spawned.
    void is_found() {
        policy.backend.broken_profile_exit = 77;
        starts();
        ends_for_it(1);
        after(200ms);
    }
    void ends_for_it(std::uint64_t generation) {
        spawned(generation);
        exits(generation, 77);
        cleared(generation);
        skip();
    }
};

TEST_F(BrokenProfile, IsMadeAnewAtOnceAndOnce) {
    policy.backend.remakes_profiles = true;
    is_found();
    expect({SpawnBackend{0_place, 2_gen, 0_instance, true}});
    ends_for_it(2);
    after(400ms);
    expect({SpawnBackend{0_place, 3_gen, 0_instance, false}});
}

// The disk was full, for instance.
TEST_F(BrokenProfile, ThatCouldNotBeMadeAnewIsTriedAgain) {
    policy.backend.remakes_profiles = true;
    is_found();
    expect({SpawnBackend{0_place, 2_gen, 0_instance, true}});
    spawn_fails(2);
    skip();
    after(400ms);
    expect({SpawnBackend{0_place, 3_gen, 0_instance, true}});
}

TEST_F(BrokenProfile, IsLeftAloneWhereItMayHoldAnything) {
    is_found();
    expect({SpawnBackend{0_place, 2_gen, 0_instance, false}});
}

// ---- Stopping ----------------------------------------------------------------------------------

class Stopping : public Script {};

TEST_F(Stopping, ByTheStopSignalIsFollowedByAFreshGeneration) {
    serving();
    recycle_requested();
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s}});
    after(5s - 1ns);
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

TEST_F(Stopping, KillsWhatIgnoresTheStopSignal) {
    serving();
    recycle_requested();
    skip();
    after(5s - 1ns);
    expect({});
    after(1ns);
    expect({KillBackend{1_gen}});
    after(30s - 1ns);
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

TEST_F(Stopping, QuarantinesThePlaceOfWhatCannotBeKilledAndUsesAFreshOne) {
    serving();
    recycle_requested();
    after(5s);
    skip();
    after(30s);
    expect({QuarantinePlace{1_gen, 0_place}, SpawnBackend{1_place, 2_gen, 0_instance}});
}

TEST_F(Stopping, ByKillQuarantinesWithoutAGraceBefore) {
    serving();
    is_killed(1, 9);
    skip();
    after(30s);
    expect({QuarantinePlace{1_gen, 0_place}, SpawnBackend{1_place, 2_gen, 0_instance}});
}

TEST_F(Stopping, UsesOnePlaceMoreAnInstanceAndNoSecond) {
    serving();
    is_killed(1, 9);
    after(30s);
    becomes_ready(2);
    after(1s);
    is_killed(2, 9);
    skip();
    after(30s);
    expect({QuarantinePlace{2_gen, 1_place}});
    after(24h);
    expect({});
    cleared(1);
    expect({SpawnBackend{0_place, 3_gen, 0_instance}});
}

TEST_F(Stopping, UsesAClearedPlaceAgain) {
    serving();
    is_killed(1, 9);
    after(30s);
    becomes_ready(2);
    skip();
    cleared(1);
    expect({});
    recycle_requested();
    cleared(2);
    expect({StopBackend{2_gen, StopReason::requested, StopHow::ask, 0, 0s},
            SpawnBackend{0_place, 3_gen, 0_instance}});
}

// ---- Backing off -------------------------------------------------------------------------------

class BackingOff : public Script {
protected:
    Duration pause_after_failed_spawn(std::uint64_t generation) {
        skip();
        spawn_fails(generation);
        const auto pause = next_deadline();
        EXPECT_TRUE(pause.has_value());
        after(pause.value_or(0s));
        skip();
        return pause.value_or(0s);
    }
};

TEST_F(BackingOff, DoublesItsPausesAndIsCapped) {
    starts();
    std::vector<Duration> pauses;
    for (std::uint64_t generation = 1; generation <= 10; ++generation) {
        pauses.push_back(pause_after_failed_spawn(generation));
    }
    EXPECT_EQ(pauses, (std::vector<Duration>{200ms, 400ms, 800ms, 1600ms, 3200ms, 6400ms, 12800ms,
                                             25600ms, 30s, 30s}));
}

TEST_F(BackingOff, IsNotEndedByAnAnswerAlone) {
    starts();
    pause_after_failed_spawn(1);
    becomes_ready(2);
    skip();
    is_killed(2, 11);
    expect({StopBackend{2_gen, StopReason::died, StopHow::kill, 0, 0s}, BackOff{2_gen, 400ms, 0}});
}

TEST_F(BackingOff, IsEndedByAServedSession) {
    starts();
    pause_after_failed_spawn(1);
    pause_after_failed_spawn(2);
    becomes_ready(3);
    arrives(1);
    begins_job(1);
    session_ends(1);
    answers(3);
    skip();
    is_killed(3, 11);
    cleared(3);
    expect({StopBackend{3_gen, StopReason::died, StopHow::kill, 1, 0s},
            SpawnBackend{0_place, 4_gen, 0_instance}});
    EXPECT_EQ(pause_after_failed_spawn(4), 200ms);
}

TEST_F(BackingOff, IsEndedByALifeOfTheLongestPause) {
    starts();
    pause_after_failed_spawn(1);
    becomes_ready(2);
    after(30s);
    skip();
    is_killed(2, 11);
    cleared(2);
    expect({StopBackend{2_gen, StopReason::died, StopHow::kill, 0, 30s},
            SpawnBackend{0_place, 3_gen, 0_instance}});
    EXPECT_EQ(pause_after_failed_spawn(3), 200ms);
}

TEST_F(BackingOff, IsForIdleLivesThatWereTooShort) {
    serving();
    after(30s - 1ns);
    is_killed(1, 11);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 30s - 1ns},
            BackOff{1_gen, 200ms, 0}});
}

// Who has said nothing has done nothing to it.
TEST_F(BackingOff, IsForADeathBesideASilentClient) {
    serving();
    arrives(1);
    skip();
    is_killed(1, 11);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 0, 0s}, BackOff{1_gen, 200ms, 0}});
}

TEST_F(BackingOff, IsNotForADeathWithAClientInside) {
    serving();
    for (std::uint64_t i = 1; i <= 20; ++i) {
        arrives(i);
        begins_job(i);
        skip();
        is_killed(i, 11);
        expect({StopBackend{Generation{i}, StopReason::died, StopHow::kill, 1, 0s}});
        session_ends(i);
        cleared(i);
        expect({SpawnBackend{0_place, Generation{i + 1}, 0_instance}});
        becomes_ready(i + 1);
    }
    EXPECT_FALSE(core().is_failing());
    skip();
}

// The shell may tell of the closed socket before it tells of the exit.
TEST_F(BackingOff, IsNotForADeathThatIsToldAfterTheEndOfItsSession) {
    serving();
    arrives(1);
    begins_job(1);
    session_ends(1);
    skip();
    is_killed(1, 11);
    expect({StopBackend{1_gen, StopReason::died, StopHow::kill, 1, 0s}});
}

TEST_F(BackingOff, IsNotForAPlannedRecycleOfAShortLife) {
    serving();
    recycle_requested();
    cleared(1);
    expect({StopBackend{1_gen, StopReason::requested, StopHow::ask, 0, 0s},
            SpawnBackend{0_place, 2_gen, 0_instance}});
}

// ---- Probes ------------------------------------------------------------------------------------

class Probes : public Script {
protected:
    Probes() {
        policy.probe.interval = 5s;
        policy.probe.failure_threshold = 3;
    }

    // A liveness probe goes out, and has no answer within its timeout of 2 s.
    void is_asked_in_vain(Duration from_now) {
        after(from_now);
        expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
        after(2s);
        probe_fails(1);
    }
};

TEST_F(Probes, FindAFrozenBackendWithinThresholdTimesIntervalPlusTimeout) {
    serving();
    is_asked_in_vain(5s);
    is_asked_in_vain(3s);
    expect({});
    is_asked_in_vain(3s);
    expect({StopBackend{1_gen, StopReason::unresponsive, StopHow::kill, 0, 3 * 5s + 2s},
            BackOff{1_gen, 200ms, 0}});
}

// It is asked again at once after each try, and given admission's 15 s if it may be busy; but this
// probe waits for no job, and one miss an interval counts.
TEST_F(Probes, FindABackendThatFreezesAsItsClientLeaves) {
    serving();
    arrives(1);
    begins_job(1);
    session_ends(1);
    skip();
    for (int tries = 0; tries < 5; ++tries) {
        after(2s);
        probe_fails(1);
        after(100ms);
        expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    }
    after(2s);
    probe_fails(1);
    expect({StopBackend{1_gen, StopReason::unresponsive, StopHow::kill, 1, 12500ms}});
}

// Asked every 0.9 s, one miss counts in each whole second since the session's end.
TEST_F(Probes, FindItSoWhateverTheInterval) {
    policy.probe.interval = 1s;
    policy.probe.failure_threshold = 5;
    serving();
    arrives(1);
    begins_job(1);
    session_ends(1);
    skip();
    for (int tries = 0; tries < 5; ++tries) {
        after(800ms);
        probe_fails(1);
        after(100ms);
        expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    }
    after(800ms);
    probe_fails(1);
    expect({StopBackend{1_gen, StopReason::unresponsive, StopHow::kill, 1, 5300ms}});
}

// A job of a client who has gone still runs: the backend lives, but nobody goes in.
TEST_F(Probes, OfABusyBackendKeepTheNextClientOutAndCondemnNobody) {
    serving();
    arrives(1);
    arrives(2);
    session_ends(1);
    skip();
    for (int tries = 0; tries < 6; ++tries) {
        after(2s);
        is_busy(1);
        after(100ms);
        expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    }
    answers(1);
    expect({AdmitClient{2_client, 1_gen, 12600ms}});
}

TEST_F(Probes, OfABackendThatStaysBusyEndWhenItsTimeForAdmissionDoes) {
    serving();
    arrives(1);
    begins_job(1);
    arrives(2);
    session_ends(1);
    skip();
    for (int tries = 0; tries < 7; ++tries) {
        after(2s);
        is_busy(1);
        after(100ms);
        expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    }
    after(300ms);
    expect({StopBackend{1_gen, StopReason::not_free, StopHow::kill, 1, 15s}});
}

// Misses must come in a row, and a busy answer is one.
TEST_F(Probes, OfABusyBackendForgiveWhatWasMissedBefore) {
    serving();
    is_asked_in_vain(5s);
    is_asked_in_vain(3s);
    arrives(1);
    session_ends(1);
    is_busy(1);
    after(100ms);
    probe_fails(1);
    skip();
    after(100ms);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
}

TEST_F(Probes, ThatFindLeftoversOfClientsWhoHaveGoneEndInARecycle) {
    serving();
    arrives(1);
    arrives(2);
    session_ends(1);
    skip();
    after(1s);
    answers_with_leftovers(1);
    expect({StopBackend{1_gen, StopReason::leftovers, StopHow::ask, 0, 1s}});
}

TEST_F(Probes, LeaveAloneWhatBelongsToAClientInside) {
    serving();
    after(5s);
    arrives(1);
    skip();
    answers_with_leftovers(1);
    session_ends(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
}

TEST_F(Probes, MustBeMissedInARow) {
    serving();
    is_asked_in_vain(5s);
    is_asked_in_vain(3s);
    after(3s);
    answers(1);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
    is_asked_in_vain(5s);
    is_asked_in_vain(3s);
    expect({});
}

TEST_F(Probes, GoOutFromStartToStart) {
    serving();
    after(5s);
    after(1s);
    answers(1);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
    EXPECT_EQ(next_deadline(), 4s);
    after(4s);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
}

TEST_F(Probes, NeverGoOutTwiceAtATime) {
    serving();
    after(5s);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
    after(7s);
    expect({});
    answers(1);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
}

TEST_F(Probes, GoInBesideAClient) {
    serving();
    arrives(1);
    begins_job(1);
    expect({AdmitClient{1_client, 1_gen, 0s}});
    is_asked_in_vain(5s);
    is_asked_in_vain(3s);
    is_asked_in_vain(3s);
    expect({StopBackend{1_gen, StopReason::unresponsive, StopHow::kill, 1, 17s}});
    session_ends(1);
    expect({});
}

TEST_F(Probes, WaitForTheSlotWhenTheyTakeOne) {
    policy.probe.beside_clients = false;
    serving();
    arrives(1);
    skip();
    after(60s);
    expect({});
    session_ends(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
}

TEST_F(Probes, KeepTheNextClientOutWhenTheyTakeTheSlot) {
    policy.probe.beside_clients = false;
    serving();
    after(5s);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
    arrives(1);
    expect({});
    answers(1);
    expect({AdmitClient{1_client, 1_gen, 0s}});
}

TEST_F(Probes, ThatAreDueGoInBeforeAClientTakesTheLastSlot) {
    policy.probe.beside_clients = false;
    serving();
    after_without_a_look(5s);
    arrives(1);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
    answers(1);
    expect({AdmitClient{1_client, 1_gen, 0s}});
}

TEST_F(Probes, TakeOnlyOneSlotOfSeveral) {
    policy.gate.concurrency = 2;
    policy.probe.beside_clients = false;
    serving();
    after(5s);
    arrives(1);
    arrives(2);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}, AdmitClient{1_client, 1_gen, 0s}});
    answers(1);
    expect({AdmitClient{2_client, 1_gen, 0s}});
}

// ---- The proof after a session -----------------------------------------------------------------

class Proof : public Script {};

TEST_F(Proof, IsAskedForAfterEachSession) {
    serving();
    arrives(1);
    skip();
    session_ends(1);
    arrives(2);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    probe_fails(1);
    after(100ms - 1ns);
    expect({});
    after(1ns);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    expect({AdmitClient{2_client, 1_gen, 100ms}});
}

TEST_F(Proof, IsNotAskedForWhenAdmissionIsOff) {
    policy.probe.admission.reset();
    serving();
    arrives(1);
    arrives(2);
    skip();
    session_ends(1);
    expect({AdmitClient{2_client, 1_gen, 0s}});
}

TEST_F(Proof, MustComeInTimeOrTheBackendIsRecycled) {
    serving();
    arrives(1);
    arrives(2);
    begins_job(1);
    after(1s);
    session_ends(1);
    skip();
    after(15s - 1ns);
    expect({});
    after(1ns);
    expect({StopBackend{1_gen, StopReason::not_free, StopHow::kill, 1, 16s}});
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

// It may have a job to finish, and a probe that takes a slot cannot tell.
TEST_F(Proof, IsNotLostPatienceWithByTheLivenessThreshold) {
    policy.probe.beside_clients = false;
    policy.probe.failure_threshold = 2;
    policy.probe.interval = 1s;
    serving();
    arrives(1);
    session_ends(1);
    skip();
    for (int i = 0; i < 7; ++i) {
        after(1900ms);
        probe_fails(1);
        after(100ms);
        expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    }
    answers(1);
}

TEST_F(Proof, IsNotGivenByAProbeThatWentOutBeforeTheSessionEnded) {
    policy.probe.interval = 5s;
    serving();
    arrives(1);
    arrives(2);
    skip();
    after(5s);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
    session_ends(1);
    expect({});
    answers(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    expect({AdmitClient{2_client, 1_gen, 5s}});
}

TEST_F(Proof, IsNotDeniedByAProbeThatWentOutBeforeTheSessionEnded) {
    policy.probe.interval = 5s;
    policy.probe.failure_threshold = 1;
    serving();
    arrives(1);
    after(5s);
    session_ends(1);
    skip();
    probe_fails(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
}

TEST_F(Proof, IsBegunAnewBySessionsThatEndOneAfterAnother) {
    policy.gate.concurrency = 2;
    serving();
    arrives(1);
    arrives(2);
    skip();
    session_ends(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    session_ends(2);
    arrives(3);
    answers(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    expect({AdmitClient{3_client, 1_gen, 0s}});
}

// ---- Age ---------------------------------------------------------------------------------------

class Age : public Script {
protected:
    Age() { policy.recycle.max_age = 10h; }
};

TEST_F(Age, EndsAnIdleBackendOnTime) {
    serving();
    after(10h - 1ns);
    expect({});
    after(1ns);
    expect({StopBackend{1_gen, StopReason::max_age, StopHow::ask, 0, 10h}});
}

TEST_F(Age, IsShortenedByUpToATenth) {
    starts();
    spawned(1, 0.5);
    answers(1);
    skip();
    after(9h + 30min - 1ns);
    expect({});
    after(1ns);
    expect({StopBackend{1_gen, StopReason::max_age, StopHow::ask, 0, 9h + 30min}});
}

TEST_F(Age, WaitsForTheClientInside) {
    policy.gate.session_timeout = 2h;
    serving();
    after(9h);
    arrives(1);
    skip();
    after(1h + 1min);
    expect({});
    session_ends(1);
    expect({StopBackend{1_gen, StopReason::max_age, StopHow::ask, 0, 10h + 1min}});
}

}  // namespace
}  // namespace tcplock::core
