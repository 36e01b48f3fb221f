#include "failure.hpp"
#include "pinger.hpp"
#include "sockets.hpp"
#include "workloads.hpp"

#include <sys/socket.h>
#include <unistd.h>

namespace tcplock::bench {

using std::chrono::duration;

// Both ends at once, if both are to send.
Figures bulk(const Scene& scene) {
    constexpr double giga = 1e9;
    const Plan& plan = scene.plan;
    scene.backend->stream(Stream{plan.down, plan.up});
    const int client = connect_to(plan.front);
    const Number number = 1;
    Stream stream{plan.up, plan.down};
    auto events = stream.events();
    const auto begin = scene.meter.now();
    if (::send(client, &number, sizeof number, MSG_NOSIGNAL) != sizeof number)
        throw Broken{"a client was turned away"};
    scene.loop.watch(client, events, [&](std::uint32_t ready) {
        stream.move(client, ready);
        if (stream.events() != events)
            scene.loop.watch_for(client, events = stream.events());
    });
    scene.loop.turn_until("all is carried",
                          [&] { return stream.is_done() && scene.backend->transferred() == 1; });
    const auto end = scene.meter.now();
    scene.loop.forget(client);
    ::close(client);
    const auto gigabytes = static_cast<double>(plan.up + plan.down) / giga;
    const auto seconds = [](auto time) { return duration<double>{time}.count(); };
    return {{"processor_s_per_gb", seconds(end.contender - begin.contender) / gigabytes},
            {"driver_s_per_gb", seconds(end.driver - begin.driver) / gigabytes},
            {"gbit_per_second", gigabytes * 8 / seconds(end.at - begin.at)}};
}

Figures ping_pong(const Scene& scene) {
    constexpr std::size_t warm_up = 1000;
    Pinger pinger{scene.loop, scene.plan.front};
    const auto until = [&](std::size_t count) {
        scene.loop.turn_until("all has come back", [&] { return pinger.times().size() >= count; });
    };
    until(warm_up);
    pinger.forget_the_past();
    const auto begin = scene.meter.now();
    until(scene.plan.exchanges);
    const auto end = scene.meter.now();
    Figures figures = each(begin, end, pinger.times().size());
    figures["median_us"] = quantile(pinger.times(), 0.5);
    figures["p99_us"] = quantile(pinger.times(), 0.99);
    return figures;
}

}  // namespace tcplock::bench
