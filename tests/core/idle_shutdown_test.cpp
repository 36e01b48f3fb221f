#include "core/supervisor.hpp"
#include "script.hpp"

namespace tcplock::core {
namespace {

class IdleShutdown : public Script {
protected:
    IdleShutdown() {
        policy.recycle.idle_shutdown = 10min;
        policy.probe.admission.reset();
    }

    void asleep() {
        serving();
        after(10min);
        cleared(1);
        skip();
    }
};

TEST_F(IdleShutdown, EndsWhatNobodyHasComeToForSoLong) {
    serving();
    after(9min);
    expect({});
    after(1min);
    expect({StopBackend{1_gen, StopReason::idle, StopHow::ask, 0, 10min}});
    cleared(1);
    expect({});
    EXPECT_EQ(next_deadline(), std::nullopt);
}

TEST_F(IdleShutdown, CountsFromTheLastOnesEnd) {
    serving();
    after(9min);
    arrives(1);
    after(1min);
    session_ends(1);
    skip();
    after(9min);
    expect({});
    after(1min);
    expect({StopBackend{1_gen, StopReason::idle, StopHow::ask, 0, 20min}});
}

TEST_F(IdleShutdown, IsOverWithTheNextClientWhoWaitsForTheStart) {
    asleep();
    arrives(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
    after(1s);
    becomes_ready(2);
    expect({ProbeBackend{2_gen, ProbePurpose::readiness}, AnnounceReady{2_gen, 1s},
            AdmitClient{1_client, 2_gen, 1s, 1s}});
}

TEST_F(IdleShutdown, IsOverAlsoForOneWhoComesWhileTheLastTreeIsStillEnding) {
    serving();
    after(10min);
    skip();
    arrives(1);
    expect({});
    cleared(1);
    expect({SpawnBackend{0_place, 2_gen, 0_instance}});
}

TEST_F(IdleShutdown, EndsTheStandbyToo) {
    policy.backend.standby = 1;
    starts();
    becomes_ready(1);
    becomes_ready(2);
    skip();
    after(10min);
    expect({StopBackend{1_gen, StopReason::idle, StopHow::ask, 0, 10min},
            StopBackend{2_gen, StopReason::idle, StopHow::ask, 0, 10min}});
}

TEST_F(IdleShutdown, EndsOneThatHasJustBeenSpawned) {
    starts();
    skip();
    after(10min);
    expect({});
    spawned(1);
    expect({StopBackend{1_gen, StopReason::idle, StopHow::ask, 0, 10min}});
}

// Who wakes it would otherwise be refused for failures of long ago, and nothing would ever start.
TEST_F(IdleShutdown, ForgetsThatStartsHaveFailed) {
    starts();
    for (std::uint64_t generation = 1; generation <= failing_after; ++generation) {
        spawn_fails(generation);
        after(30s);
    }
    EXPECT_TRUE(core().is_failing());
    after(10min);
    skip();
    EXPECT_FALSE(core().is_failing());
    arrives(1);
    EXPECT_EQ(core().counts().waiting, 1U);
    skip();
}

TEST_F(IdleShutdown, LeavesNothingToDoForTheEnd) {
    asleep();
    asked_to_end();
    expect({StopListening{}, Finish{}});
}

}  // namespace
}  // namespace tcplock::core
