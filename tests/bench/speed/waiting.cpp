#include "failure.hpp"
#include "pinger.hpp"
#include "workloads.hpp"

#include <algorithm>

namespace tcplock::bench {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

double microseconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double, std::micro>{time}.count();
}

}  // namespace

// What one who waits takes of memory, and all of them of the processor while nothing happens.
Figures idle(const Scene& scene) {
    const Plan& plan = scene.plan;
    Crowd crowd{scene.loop, plan.front, Crowd::Says::its_number};
    let_one_in(scene, crowd);
    const auto before = scene.meter.memory();
    crowd.come(plan.waiting, plan.waits_silently ? Crowd::Says::nothing : Crowd::Says::its_number);
    wait_until_all_are_accepted(scene);
    const auto with_all = scene.meter.memory();

    const auto begin = scene.meter.now();
    while (steady_clock::now() < begin.at + plan.idle)
        scene.loop.turn(milliseconds{10});
    const auto end = scene.meter.now();
    check_promises(scene);

    const auto clients = static_cast<double>(plan.waiting);
    const auto bytes = [](std::uint64_t more, std::uint64_t less) {
        return static_cast<double>(more) - static_cast<double>(less);
    };
    const std::chrono::duration<double> watched = end.at - begin.at;
    return {
        {"resident_bytes", bytes(with_all.resident, before.resident) / clients},
        {"proportional_bytes", bytes(with_all.proportional, before.proportional) / clients},
        {"alone_resident_kib", static_cast<double>(before.resident) / 1024},
        {"processor_us_per_s", microseconds(end.contender - begin.contender) / watched.count()}};
}

// All come as fast as they can, and leave again without having said anything, while one is inside
// and wants to be answered.
Figures storm(const Scene& scene) {
    constexpr milliseconds between_pings{1};
    constexpr milliseconds between_looks{5};
    const Plan& plan = scene.plan;
    Pinger pinger{scene.loop, plan.front, between_pings};
    scene.loop.turn_until("the first client is inside", [&] { return pinger.times().size() > 10; });
    pinger.forget_the_past();
    Crowd crowd{scene.loop, plan.front, Crowd::Says::nothing};
    const std::size_t open_before = scene.meter.open_descriptors();

    const auto begin = scene.meter.now();
    crowd.come(plan.waiting, Crowd::Says::nothing);
    wait_until_all_are_accepted(scene);
    const auto all_there = scene.meter.now();
    crowd.leave_all();
    const auto patience = steady_clock::now() + std::chrono::minutes{2};
    while (scene.meter.open_descriptors() > open_before) {
        if (steady_clock::now() > patience)
            throw Broken{"those who have left are still held after two minutes"};
        const auto look = steady_clock::now() + between_looks;
        while (steady_clock::now() < look)
            scene.loop.turn(milliseconds{1});
    }
    const auto end = scene.meter.now();
    check_promises(scene);

    const auto clients = static_cast<double>(plan.waiting);
    const std::chrono::duration<double> coming = all_there.at - begin.at;
    const std::chrono::duration<double, std::milli> leaving = end.at - all_there.at;
    return {{"come_per_second", clients / coming.count()},
            {"come_us", microseconds(all_there.contender - begin.contender) / clients},
            {"leave_us", microseconds(end.contender - all_there.contender) / clients},
            {"all_left_ms", leaving.count()},
            {"ping_p99_us", quantile(pinger.times(), 0.99)},
            {"ping_max_us", quantile(pinger.times(), 1)}};
}

}  // namespace tcplock::bench
