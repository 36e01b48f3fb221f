// What has happened, told once each by those who see it: counted for Prometheus, and remembered for
// an hour. It changes nothing, and nobody waits for it.
#pragma once

#include "admin/happenings.hpp"
#include "admin/history.hpp"
#include "admin/metrics.hpp"
#include "core/effects.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace tcplock::admin {

class Record {
public:
    Record(std::size_t instances, WallTime now, core::Instant instant)
        : metrics_(instances), history_(now, instant) {}

    // What the core says is to be done. `instance` is whom it is about, if about one.
    void note(const core::Effect& effect, const std::string& instance);

    // Was let in. Once more if his backend could not be reached, and he had to wait again.
    void admitted(core::Duration waited);
    // While he waited.
    void left(core::Duration waited);
    void refused(const Refused& refused);
    void ended(const EndedSession& session) { metrics_.ended(session); }
    void probed(const Probed& probe) { metrics_.probed(probe); }
    void recycled(const Recycle& recycle);
    void loop_was_late(core::Duration by) { metrics_.loop_was_late(by); }
    void sample(const Sample& sample, core::Instant now) { history_.sample(sample, now); }

    const Metrics& metrics() const { return metrics_; }
    const History& history() const { return history_; }

private:
    History& history_now();

    Metrics metrics_;
    History history_;
};

}  // namespace tcplock::admin
