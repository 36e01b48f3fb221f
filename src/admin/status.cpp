#include "admin/status.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <ctime>
#include <limits>

namespace tcplock::admin {
namespace {

namespace json = boost::json;

constexpr std::size_t waiting_shown = 10;

template <class Value>
json::value or_null(const std::optional<Value>& value) {
    return value ? json::value(*value) : json::value(nullptr);
}

json::value name_or_null(std::optional<core::StopReason> reason) {
    return reason ? json::value(core::to_string(*reason)) : json::value(nullptr);
}

json::value peer_of(const View& view, core::ClientId client) {
    const auto found = view.peers.find(client);
    return found == view.peers.end() ? json::value(nullptr) : json::value(found->second);
}

json::object waiting(const View& view, const core::Waiter& waiter) {
    return {{"client", core::number(waiter.client)},
            {"peer", peer_of(view, waiter.client)},
            {"state", "waiting"},
            {"waited_ms", milliseconds(view.instant - waiter.since)}};
}

const core::PlaceView* place_of(const View& view, core::Generation generation) {
    const auto& places = view.core.places;
    const auto found = std::find_if(places.begin(), places.end(), [generation](const auto& place) {
        return place.generation == generation;
    });
    return found == places.end() ? nullptr : &*found;
}

json::value instance_of(const core::PlaceView* place) {
    return place != nullptr && place->instance ? json::value(core::number(*place->instance))
                                               : json::value(nullptr);
}

json::object inside(const View& view, const core::SessionView& session) {
    const auto left = [&](core::Instant ends) {
        return milliseconds(std::max(ends - view.instant, core::Duration{}));
    };
    return {{"client", core::number(session.client)},
            {"peer", peer_of(view, session.client)},
            {"state", session.ends ? (session.has_left ? "leaving" : "inside") : "cut"},
            {"waited_ms", milliseconds(session.admitted - session.since)},
            {"inside_ms", milliseconds(view.instant - session.admitted)},
            {"limit_in_ms", session.ends ? json::value(left(*session.ends)) : nullptr},
            {"instance", instance_of(place_of(view, session.generation))},
            {"generation", core::number(session.generation)},
            {"has_job", session.has_job},
            {"is_idle", session.is_idle}};
}

json::object place(const View& view, const core::PlaceView& place) {
    const bool lives = place.phase != core::Phase::vacant;
    const auto found = view.places.find(place.place);
    const bool is_known = lives && found != view.places.end();
    json::value retry = nullptr;
    if (place.not_before && *place.not_before > view.instant) {
        retry = milliseconds(*place.not_before - view.instant);
    }
    return {{"instance", instance_of(&place)},
            {"was_instance", place.was_instance ? json::value(core::number(*place.was_instance))
                                                : json::value(nullptr)},
            {"place", core::number(place.place)},
            {"phase", core::to_string(place.phase)},
            {"generation", core::number(place.generation)},
            {"address", is_known ? json::value(found->second.address) : nullptr},
            {"pid", is_known ? or_null(found->second.pid) : nullptr},
            {"memory_bytes", is_known ? or_null(found->second.memory) : nullptr},
            {"age_ms", lives ? json::value(milliseconds(view.instant - place.born)) : nullptr},
            {"inside", place.inside},
            {"slots", view.concurrency},
            {"jobs", place.jobs},
            {"is_unproven", place.is_unproven},
            {"missed_probes", place.missed_probes},
            {"due", name_or_null(place.due)},
            {"planned", name_or_null(place.planned)},
            {"failed_starts", place.failed_in_a_row},
            {"next_start_in_ms", retry}};
}

json::object line(const View& view) {
    const core::Snapshot& core = view.core;
    json::array first;
    for (const core::Waiter& waiter : core.waiting) {
        if (first.size() == waiting_shown) {
            break;
        }
        first.push_back(waiting(view, waiter));
    }
    json::value oldest = nullptr;
    if (!core.waiting.empty()) {
        oldest = milliseconds(view.instant - core.waiting.front().since);
    }
    json::value paused = nullptr;
    if (core.paused_since) {
        paused = milliseconds(view.instant - *core.paused_since);
    }
    return {{"waiting", core.waiting.size()},
            {"limit", view.queue_limit},
            {"oldest_wait_ms", oldest},
            {"paused_for_ms", paused},
            {"first", std::move(first)}};
}

}  // namespace

std::int64_t milliseconds(core::Duration span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

std::string time_of_day(WallTime when) {
    const std::time_t whole = std::chrono::system_clock::to_time_t(when);
    std::tm parts{};
    ::gmtime_r(&whole, &parts);
    char text[sizeof "2026-11-28T09:00:00Z"];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

json::object recycle(const Recycle& recycle) {
    return {{"at", time_of_day(recycle.at)},
            {"instance", recycle.instance},
            {"generation", core::number(recycle.generation)},
            {"reason", core::to_string(recycle.reason)},
            {"jobs", recycle.jobs},
            {"age_ms", milliseconds(recycle.age)},
            {"memory_bytes", or_null(recycle.memory)}};
}

json::object status(const View& view) {
    const core::Snapshot& core = view.core;
    const Condition condition = condition_of(view);
    json::array places;
    for (const core::PlaceView& one : core.places) {
        places.push_back(place(view, one));
    }
    json::array sessions;
    for (const core::SessionView& session : core.sessions) {
        sessions.push_back(inside(view, session));
    }
    json::array recycles;
    for (auto one = view.recycles.rbegin(); one != view.recycles.rend(); ++one) {
        recycles.push_back(recycle(*one));
    }
    return {{"version", view.version},
            {"pid", view.pid},
            {"now", time_of_day(view.now)},
            {"started", time_of_day(view.started)},
            {"up_ms", milliseconds(view.now - view.started)},
            {"protocol", view.protocol},
            {"state", condition.state},
            {"is_ready", condition.is_ready},
            {"why", condition.why},
            {"counts",
             {{"accepted", core.counts.accepted},
              {"admitted", core.counts.admitted},
              {"refused", core.counts.refused},
              {"left", core.counts.left},
              {"waiting", core.counts.waiting}}},
            {"line", line(view)},
            {"sessions", std::move(sessions)},
            {"instances", view.instances},
            {"places", std::move(places)},
            {"recycles", std::move(recycles)}};
}

json::object clients(const View& view) {
    json::array all;
    for (const core::SessionView& session : view.core.sessions) {
        all.push_back(inside(view, session));
    }
    for (const core::Waiter& waiter : view.core.waiting) {
        all.push_back(waiting(view, waiter));
    }
    return {{"clients", std::move(all)}};
}

}  // namespace tcplock::admin
