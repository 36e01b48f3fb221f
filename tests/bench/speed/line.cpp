#include "failure.hpp"
#include "reader.hpp"
#include "workloads.hpp"

#include <optional>

namespace tcplock::bench {

// Nobody waits: the next comes when the last one has left the backend.
Figures sessions(const Scene& scene) {
    constexpr std::size_t warm_up = 200;
    Crowd crowd{scene.loop, scene.plan.front, what_clients_say(scene)};
    std::size_t done = 0;
    crowd.answered = [&](const Crowd::Client& client) {
        crowd.leave(client.fd);
        ++done;
    };
    const auto until = [&](std::size_t count) {
        while (done < count) {
            const std::size_t before = done;
            crowd.come();
            scene.loop.turn_until("a session has ended", [&] {
                return done > before && (scene.backend == nullptr || scene.backend->inside() == 0);
            });
        }
    };
    until(warm_up);
    const auto begin = scene.meter.now();
    until(warm_up + scene.plan.sessions);
    const auto end = scene.meter.now();
    check_promises(scene);
    return each(begin, end, scene.plan.sessions);
}

// Who has been inside comes again at the end of the line, so that it is always as long: when the
// backend has let him go, and the gate has something to do meanwhile. The other way round it would
// wait for a place while he connects, and how fast it is would be for the driver to say.
Figures handover(const Scene& scene) {
    constexpr std::size_t warm_up = 1000;
    const Plan& plan = scene.plan;
    Crowd crowd{scene.loop, plan.front, what_clients_say(scene)};
    const int first = let_one_in(scene, crowd);
    std::size_t done = 0;
    crowd.answered = [&](const Crowd::Client& client) {
        crowd.leave(client.fd);
        ++done;
        if (scene.backend == nullptr)
            crowd.come();
    };
    const auto until = [&](std::size_t count) {
        scene.loop.turn_until("sessions have ended", [&] { return done >= count; });
    };
    crowd.come(plan.waiting, what_clients_say(scene));
    if (scene.backend != nullptr)
        scene.backend->somebody_left = [&] { crowd.come(); };
    crowd.leave(first);
    if (scene.backend == nullptr)
        crowd.come();
    std::optional<Reader> reader;
    if (plan.is_watched)
        reader.emplace(scene.loop, scene.admin_socket);
    until(done + warm_up);

    if (scene.backend != nullptr)
        scene.backend->forget_the_past();
    const std::size_t done_before = done;
    const auto answers_before = reader ? reader->answers() : 0;
    const auto begin = scene.meter.now();
    until(done + plan.sessions);
    const auto end = scene.meter.now();
    check_promises(scene);
    Figures figures = each(begin, end, done - done_before);
    if (scene.backend != nullptr && plan.keeps_line) {
        figures["gap_us"] = quantile(scene.backend->gaps(), 0.5);
        figures["gap_p99_us"] = quantile(scene.backend->gaps(), 0.99);
    }
    if (reader) {
        const std::chrono::duration<double> took = end.at - begin.at;
        figures["answers_per_second"] =
            static_cast<double>(reader->answers() - answers_before) / took.count();
    }
    return figures;
}

// All are there before the first goes in, and nobody comes any more.
Figures drain(const Scene& scene) {
    const Plan& plan = scene.plan;
    Crowd crowd{scene.loop, plan.front, Crowd::Says::its_number};
    const int first = let_one_in(scene, crowd);
    crowd.come(plan.waiting, Crowd::Says::its_number);
    wait_until_all_are_accepted(scene);
    check_promises(scene);
    std::size_t done = 0;
    crowd.answered = [&](const Crowd::Client& client) {
        crowd.leave(client.fd);
        ++done;
    };
    const auto begin = scene.meter.now();
    crowd.leave(first);
    scene.loop.turn_until("the line is empty", [&] { return done == plan.waiting; });
    const auto end = scene.meter.now();
    check_promises(scene);
    if (scene.backend->came_in().size() != plan.waiting + 1)
        throw Broken{"not everybody was let in once"};
    return each(begin, end, plan.waiting);
}

}  // namespace tcplock::bench
