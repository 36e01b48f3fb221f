// Puts together what operators see, and remembers what was: the last recycles, and whether clients
// could ever go in.
#pragma once

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
    Overview(const config::Config& config, const core::Policy& policy)
        : config_(config), policy_(policy) {}

    // To be told of every effect before it is carried out.
    void note(const core::Effect& effect, const Backends& backends);

    admin::View take(const core::Supervisor& core, const Backends& backends,
                     const Clients& clients) const;

private:
    void note_stop(const core::StopBackend& effect, const Backends& backends);

    const config::Config& config_;
    const core::Policy& policy_;
    const admin::WallTime started_ = std::chrono::system_clock::now();
    bool has_served_ = false;
    std::deque<admin::Recycle> recycles_;
};

}  // namespace tcplock::daemon
