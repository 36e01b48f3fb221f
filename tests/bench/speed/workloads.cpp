#include "workloads.hpp"

#include "failure.hpp"

#include <algorithm>
#include <cstddef>

namespace tcplock::bench {

using std::chrono::duration;

double quantile(std::vector<double> values, double share) {
    if (values.empty())
        throw Failure{"nothing was measured"};
    const auto last = static_cast<double>(values.size() - 1);
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(share * last);
    std::nth_element(values.begin(), place, values.end());
    return *place;
}

Figures each(const Meter::Reading& begin, const Meter::Reading& end, std::size_t count) {
    using Microseconds = duration<double, std::micro>;
    const auto number = static_cast<double>(count);
    return {{"per_second", number / duration<double>{end.at - begin.at}.count()},
            {"processor_us", Microseconds{end.contender - begin.contender}.count() / number},
            {"driver_us", Microseconds{end.driver - begin.driver}.count() / number}};
}

void check_promises(const Scene& scene) {
    if (scene.backend == nullptr || !scene.plan.keeps_line)
        return;
    if (scene.backend->most_inside() > 1)
        throw Broken{std::to_string(scene.backend->most_inside()) + " were inside at once"};
    const auto& came_in = scene.backend->came_in();
    const auto out_of_turn = std::is_sorted_until(came_in.begin(), came_in.end());
    if (out_of_turn != came_in.end())
        throw Broken{"client " + std::to_string(*out_of_turn) + " was let in out of turn"};
}

Crowd::Says what_clients_say(const Scene& scene) {
    return scene.backend == nullptr ? Crowd::Says::an_opening : Crowd::Says::its_number;
}

int let_one_in(const Scene& scene, Crowd& crowd) {
    bool is_inside = false;
    crowd.answered = [&](const Crowd::Client&) { is_inside = true; };
    const int fd = crowd.come().fd;
    scene.loop.turn_until("the first client is inside", [&] { return is_inside; });
    crowd.answered = [](const Crowd::Client&) {};
    return fd;
}

void wait_until_all_are_accepted(const Scene& scene) {
    scene.loop.turn_until(
        "all are accepted", [&] { return accept_queue(scene.plan.front) == 0; },
        std::chrono::milliseconds{1});
}

}  // namespace tcplock::bench
