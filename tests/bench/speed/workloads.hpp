// What is measured. Each workload brings the contender into a state, reads the meter, lets happen
// what it is about, reads the meter again, and gives its figures; a name ends with the unit.
//
// They throw Broken if the contender is no gate: lets in two at once or somebody out of turn, or
// turns somebody away.
#pragma once

#include "backend.hpp"
#include "crowd.hpp"
#include "loop.hpp"
#include "meter.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <netinet/in.h>
#include <string>
#include <vector>

namespace tcplock::bench {

using Figures = std::map<std::string, double>;

struct Plan {
    sockaddr_in front{};
    bool keeps_line = true;    // it is a gate; otherwise everybody goes in at once
    std::size_t sessions = 0;  // to be measured
    std::size_t waiting = 0;   // clients in the line
    bool waits_silently = false;
    bool is_watched = false;  // somebody asks for the status meanwhile
    std::uint64_t up = 0;     // bytes
    std::uint64_t down = 0;
    std::size_t exchanges = 0;
    std::chrono::milliseconds idle{};  // for so long nothing happens
};

// What every workload works with. Without a backend here it is another program's: an office.
struct Scene {
    const Plan& plan;
    const Meter& meter;
    Loop& loop;
    Backend* backend;
    std::string admin_socket;
};

// line.cpp: those who wait go in, one after the other.
Figures sessions(const Scene& scene);
Figures handover(const Scene& scene);
Figures drain(const Scene& scene);
// waiting.cpp: those who wait only wait, or come and go.
Figures idle(const Scene& scene);
Figures storm(const Scene& scene);
// carrying.cpp: one is inside.
Figures bulk(const Scene& scene);
Figures ping_pong(const Scene& scene);

// What one of so many sessions, exchanges or clients took.
Figures each(const Meter::Reading& begin, const Meter::Reading& end, std::size_t count);
double quantile(std::vector<double> values, double share);
// Throws Broken if they have not been kept.
void check_promises(const Scene& scene);
Crowd::Says what_clients_say(const Scene& scene);
// One client is inside, and has been answered: its descriptor.
int let_one_in(const Scene& scene, Crowd& crowd);
void wait_until_all_are_accepted(const Scene& scene);

}  // namespace tcplock::bench
