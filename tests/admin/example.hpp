// A supervisor as operators may see it: one office with a client inside, another that waits for its
// next start, a standby, two clients who wait, and two recycles behind it.
#pragma once

#include "admin/view.hpp"

namespace tcplock::admin::test {

using namespace std::chrono_literals;

inline View example() {
    using core::ClientId;
    using core::Generation;
    using core::InstanceId;
    using core::PlaceId;
    View view;
    view.instant = core::Instant{} + 1h;
    view.now = WallTime{} + std::chrono::seconds{1'795'856'400};  // 2026-11-28T09:00:00Z
    view.started = view.now - 3h - 12min;
    view.version = "0.1.0";
    view.pid = 4242;
    view.protocol = "uno";
    view.instances = 2;
    view.queue_limit = 100;
    view.has_served = true;
    view.core.taken = view.instant;
    view.core.counts = {10, 6, 1, 1, 2};
    view.core.waiting = {{ClientId{8}, view.instant - 12'300ms},
                         {ClientId{9}, view.instant - 80ms}};
    core::SessionView session{ClientId{7}, Generation{5}, view.instant - 70s, view.instant - 65s,
                              view.instant + 55s};
    session.has_job = true;
    view.core.sessions = {session};
    core::PlaceView serving;
    serving.place = PlaceId{0};
    serving.phase = core::Phase::ready;
    serving.generation = Generation{5};
    serving.instance = InstanceId{0};
    serving.born = view.instant - 20min;
    serving.inside = 1;
    serving.jobs = 34;
    core::PlaceView failed;
    failed.place = PlaceId{1};
    failed.generation = Generation{6};
    failed.instance = InstanceId{1};
    failed.not_before = view.instant + 800ms;
    failed.failed_in_a_row = 3;
    core::PlaceView standby = serving;
    standby.place = PlaceId{2};
    standby.generation = Generation{4};
    standby.instance = std::nullopt;
    standby.inside = 0;
    standby.jobs = 0;
    view.core.places = {standby, failed, serving};
    view.places[PlaceId{0}] = {"127.0.0.1:2100", 77, std::uint64_t{210} << 20};
    view.places[PlaceId{2}] = {"127.0.0.1:2102", 78, std::uint64_t{54} << 20};
    view.peers = {{ClientId{7}, "127.0.0.1:5001"}, {ClientId{8}, "127.0.0.1:5002"}};
    view.recycles = {{view.now - 2h, "0", Generation{1}, core::StopReason::max_jobs, 100, 1h,
                      std::uint64_t{1536} << 20},
                     {view.now - 20min, "0", Generation{2}, core::StopReason::died, 3, 90s, {}}};
    return view;
}

}  // namespace tcplock::admin::test
