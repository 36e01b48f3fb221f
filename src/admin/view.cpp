#include "admin/view.hpp"

#include <algorithm>

namespace tcplock::admin {
namespace {

std::string count(std::size_t number, const std::string& what) {
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

}  // namespace

// A recycle is a state, not a failure: while one runs, whoever comes is served soon.
Condition condition_of(const View& view) {
    const core::Snapshot& core = view.core;
    if (core.mode == core::Mode::draining) {
        return {"draining", false,
                "it is shutting down, and serves the " + count(core.waiting.size(), "client") +
                    " that wait"};
    }
    if (core.mode != core::Mode::serving) {
        return {"closing", false, "it is shutting down"};
    }
    if (core.paused_since) {
        return {"paused", false, "an operator has paused it; resume it with: resume"};
    }
    if (core.is_failing) {
        const auto failed = std::max_element(core.places.begin(), core.places.end(),
                                             [](const auto& one, const auto& other) {
                                                 return one.failed_in_a_row < other.failed_in_a_row;
                                             });
        return {"failing", false,
                "the backend does not start, " +
                    count(failed == core.places.end() ? 0 : failed->failed_in_a_row, "time") +
                    " in a row; its log lines say why"};
    }
    if (core.is_full) {
        return {"full", false,
                "the line is full, " + count(core.waiting.size(), "client") + " wait"};
    }
    if (core.is_asleep) {
        return {"asleep", true, "nobody came for long; the next client starts the backend"};
    }
    if (!view.has_served) {
        return {"starting", false, "the backend has not answered yet"};
    }
    return {"serving", true, ""};
}

}  // namespace tcplock::admin
