#include "admin/history.hpp"

#include "admin/status.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace tcplock::admin {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr auto interval = 10s;
constexpr std::size_t intervals_max = 360;  // an hour
constexpr std::size_t recycles_max = 500;
// The median of an interval is that of the first so many.
constexpr std::size_t waits_max = 4096;

std::optional<core::Duration> median_of(std::vector<core::Duration>& spans) {
    if (spans.empty()) {
        return std::nullopt;
    }
    const auto middle = spans.begin() + static_cast<std::ptrdiff_t>(spans.size() / 2);
    std::nth_element(spans.begin(), middle, spans.end());
    return *middle;
}

json::value shown(core::Duration span) {
    return milliseconds(span);
}

json::value shown(std::uint64_t count) {
    return count;
}

template <class Value>
json::value shown(const std::optional<Value>& value) {
    return value ? shown(*value) : json::value(nullptr);
}

}  // namespace

History::History(WallTime now, core::Instant instant)
    : begins_(instant), wall_begins_(now), intervals_(1) {}

void History::admitted(core::Duration waited) {
    Interval& current = intervals_.back();
    ++current.admitted;
    current.longest_wait = std::max(current.longest_wait.value_or(waited), waited);
    if (waits_.size() < waits_max) {
        waits_.push_back(waited);
    }
}

void History::refused() {
    ++intervals_.back().refused;
}

void History::left() {
    ++intervals_.back().left;
}

void History::recycled(const Recycle& recycle) {
    recycles_.push_back(recycle);
    if (recycles_.size() > recycles_max) {
        recycles_.pop_front();
    }
}

// Whoever slept leaves empty intervals, and no more of them than are kept.
void History::it_is(core::Instant now) {
    if (now - begins_ > intervals_max * interval) {
        const auto skipped = (now - begins_) / interval - static_cast<long>(intervals_max);
        begins_ += skipped * interval;
        wall_begins_ += skipped * interval;
    }
    while (now - begins_ >= interval) {
        close_interval();
    }
}

void History::sample(const Sample& sample, core::Instant now) {
    it_is(now);
    Interval& current = intervals_.back();
    current.waiting = std::max(current.waiting, sample.waiting);
    current.oldest_wait = std::max(current.oldest_wait, sample.oldest_wait);
    for (const auto& [instance, bytes] : sample.memory) {
        std::uint64_t& most = current.memory[instance];
        most = std::max(most, bytes);
    }
}

void History::close_interval() {
    intervals_.back().median_wait = median_of(waits_);
    waits_.clear();
    intervals_.emplace_back();
    if (intervals_.size() > intervals_max) {
        intervals_.pop_front();
    }
    begins_ += interval;
    wall_begins_ += interval;
}

json::object History::show(WallTime now) const {
    const auto column = [this](auto Interval::*what) {
        json::array values;
        for (const Interval& one : intervals_) {
            values.push_back(shown(one.*what));
        }
        return values;
    };
    std::set<std::string> instances;
    for (const Interval& one : intervals_) {
        for (const auto& [instance, bytes] : one.memory) {
            instances.insert(instance);
        }
    }
    json::object memory;
    for (const std::string& instance : instances) {
        json::array values;
        for (const Interval& one : intervals_) {
            const auto found = one.memory.find(instance);
            values.push_back(found == one.memory.end() ? json::value(nullptr)
                                                       : json::value(found->second));
        }
        memory[instance] = std::move(values);
    }
    const WallTime first = wall_begins_ - (intervals_.size() - 1) * interval;
    json::array recycles;
    for (const Recycle& one : recycles_) {
        if (one.at >= first) {
            recycles.push_back(recycle(one));
        }
    }
    json::array medians = column(&Interval::median_wait);
    auto waits = waits_;
    medians.back() = shown(median_of(waits));
    return {{"now", time_of_day(now)},
            {"every_ms", milliseconds(interval)},
            {"begins", time_of_day(first)},
            {"waiting", column(&Interval::waiting)},
            {"oldest_wait_ms", column(&Interval::oldest_wait)},
            {"admitted", column(&Interval::admitted)},
            {"refused", column(&Interval::refused)},
            {"left", column(&Interval::left)},
            {"wait_median_ms", std::move(medians)},
            {"wait_max_ms", column(&Interval::longest_wait)},
            {"memory_bytes", std::move(memory)},
            {"recycles", std::move(recycles)}};
}

}  // namespace tcplock::admin
