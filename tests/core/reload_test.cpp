// What becomes of those who are there when other limits are to be obeyed.

#include "script.hpp"

namespace tcplock::core {
namespace {

using Reload = Script;

TEST_F(Reload, KeepsTheLineAndItsOrder) {
    serving();
    arrives(1);
    arrives(2);
    arrives(3);
    skip();
    policy.gate.queue_limit = 1;
    limits_change();
    arrives(4);
    expect({RefuseClient{4_client, RefuseReason::queue_full, 0s}});
    policy.probe.admission.reset();
    limits_change();
    session_ends(1);
    session_ends(2);
    expect({AdmitClient{2_client, 1_gen, 0s}, AdmitClient{3_client, 1_gen, 0s}});
}

TEST_F(Reload, GivesThoseWhoWaitTheNewPatience) {
    serving();
    arrives(1);
    arrives(2);
    after(50s);
    skip();
    policy.gate.queue_timeout = 60s;
    limits_change();
    after(10s - 1ms);
    expect({});
    after(1ms);
    expect({RefuseClient{2_client, RefuseReason::queue_timeout, 60s}});
}

TEST_F(Reload, LeavesWhoIsInsideTheLimitHeCameInWith) {
    policy.gate.session_timeout = 100s;
    policy.probe.admission.reset();
    serving();
    arrives(1);
    skip();
    policy.gate.session_timeout = 10s;
    limits_change();
    after(99s);
    session_ends(1);
    arrives(2);
    after(10s);
    expect({AdmitClient{2_client, 1_gen, 0s}, CutClient{2_client, CutReason::session_timeout},
            StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 109s}});
}

TEST_F(Reload, RecyclesWhatHasHadMoreJobsThanItMayNow) {
    policy.probe.admission.reset();
    serving();
    for (std::uint64_t client : {1, 2, 3}) {
        arrives(client);
        begins_job(client);
        session_ends(client);
    }
    skip();
    policy.recycle.max_jobs = 3;
    limits_change();
    expect({StopBackend{1_gen, StopReason::max_jobs, StopHow::ask, 3, 0s}});
}

TEST_F(Reload, RunsAHookFromTheNextSessionOn) {
    serving();
    policy.hooks.before_admission = true;
    limits_change();
    arrives(1);
    session_ends(1);
    expect({AdmitClient{1_client, 1_gen, 0s}, RunHook{1_gen, Hook::before_admission}});
}

TEST_F(Reload, DoesNotWaitForAHookThatIsNoneAnyMore) {
    policy.hooks.before_admission = true;
    starts();
    becomes_ready(1);
    hook_succeeds(1);
    answers(1);
    arrives(1);
    skip();
    session_ends(1);
    expect({RunHook{1_gen, Hook::before_admission}});
    policy.hooks.before_admission = false;
    limits_change();
    hook_succeeds(1);
    expect({ProbeBackend{1_gen, ProbePurpose::admission}});
    answers(1);
    arrives(2);
    session_ends(2);
    expect({AdmitClient{2_client, 1_gen, 0s}, ProbeBackend{1_gen, ProbePurpose::admission}});
}

TEST_F(Reload, DoesNotRunAHookThatWasDueAndIsNoneAnyMore) {
    policy.hooks.session_timeout = true;
    policy.gate.session_timeout = 10s;
    policy.gate.concurrency = 2;
    serving();
    arrives(1);
    after(1s);
    arrives(2);
    after(9s);
    skip();  // The first is cut; the second is inside still.
    session_ends(1);
    skip();
    policy.hooks.session_timeout = false;
    limits_change();
    session_ends(2);
    expect({StopBackend{1_gen, StopReason::session_timeout, StopHow::kill, 0, 10s}});
}

TEST_F(Reload, ReplacesABackendAfterTheRunningJob) {
    serving();
    arrives(1);
    arrives(2);
    begins_job(1);
    skip();
    backend_changes();
    expect({});
    session_ends(1);
    expect({StopBackend{1_gen, StopReason::reload, StopHow::ask, 1, 0s}});
    cleared(1);
    becomes_ready(2);
    expect({SpawnBackend{PlaceId{0}, 2_gen, InstanceId{0}},
            ProbeBackend{2_gen, ProbePurpose::readiness}, AnnounceReady{2_gen, 0s},
            AdmitClient{2_client, 2_gen, 0s}});
}

TEST_F(Reload, EndsAStartThatHasNotSucceeded) {
    starts();
    spawned(1);
    skip();
    backend_changes();
    expect({StopBackend{1_gen, StopReason::reload, StopHow::ask, 0, 0s}});
}

TEST_F(Reload, ReplacesWhatWasBeingSpawnedAsSoonAsItHasBeen) {
    starts();
    skip();
    backend_changes();
    expect({});
    spawned(1);
    expect({StopBackend{1_gen, StopReason::reload, StopHow::ask, 0, 0s}});
}

TEST_F(Reload, DoesNotStandInTheWayOfAnEndAtOnce) {
    starts();
    skip();
    backend_changes();
    told_to_end_at_once();
    spawned(1);
    expect({StopListening{}, StopBackend{1_gen, StopReason::shutdown, StopHow::kill, 0, 0s}});
    cleared(1);
    expect({Finish{}});
}

TEST_F(Reload, AsksAsOftenAsIsWantedNow) {
    serving();
    policy.probe.interval = 1s;
    limits_change();
    after(1s);
    expect({ProbeBackend{1_gen, ProbePurpose::liveness}});
}

TEST_F(Reload, TriesAtOnceWhatHadFailedAndTakesClientsAgain) {
    starts();
    for (std::uint64_t generation = 1; generation <= failing_after; ++generation) {
        spawn_fails(generation);
        after(generation < failing_after ? 30s : 0s);
    }
    skip();
    arrives(1);
    expect({RefuseClient{1_client, RefuseReason::backend_failing, 0s}});
    backend_changes();
    arrives(2);
    becomes_ready(6);
    expect({SpawnBackend{PlaceId{0}, 6_gen, InstanceId{0}},
            ProbeBackend{6_gen, ProbePurpose::readiness}, AnnounceReady{6_gen, 0s},
            AdmitClient{2_client, 6_gen, 0s}});
}

TEST_F(Reload, KeepsAPause) {
    serving();
    paused();
    arrives(1);
    limits_change();
    expect({});
    resumed();
    expect({AdmitClient{1_client, 1_gen, 0s}});
}

}  // namespace
}  // namespace tcplock::core
