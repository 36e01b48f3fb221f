// Puts together what operators see, and has it recorded what was.
#pragma once

#include "admin/record.hpp"
#include "admin/view.hpp"
#include "config/config.hpp"
#include "core/effects.hpp"
#include "core/supervisor.hpp"
#include "daemon/backends.hpp"
#include "daemon/clients.hpp"

#include <chrono>
#include <deque>

namespace tcplock::daemon {

class Overview {
public:
    // Both must outlive it.
    Overview(const config::Config& config, const core::Policy& policy);

    // To be told of every effect before it is carried out.
    void note(const core::Effect& effect, const Backends& backends);

    // To be told of now and then: once a second while there are clients.
    void sample(const core::Supervisor& core, const Backends& backends);

    admin::Record& record() { return record_; }
    const admin::Record& record() const { return record_; }

    admin::View take(const core::Supervisor& core, const Backends& backends,
                     const Clients& clients) const;

private:
    void note_stop(const core::StopBackend& effect, const Backends& backends);

    const config::Config& config_;
    const core::Policy& policy_;
    const admin::WallTime started_ = std::chrono::system_clock::now();
    admin::Record record_;
    bool has_served_ = false;
    std::chrono::steady_clock::time_point look_at_memory_at_;
    std::deque<admin::Recycle> recycles_;  // the last ones
};

}  // namespace tcplock::daemon
