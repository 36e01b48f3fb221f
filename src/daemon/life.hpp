// One generation as the shell knows it, from its spawn until its place is clear, and how what
// happens to it reads in the log.
//
// A record, not an actor: the coroutines of own_backends.cpp and ending.cpp share it and write down
// what they see.
#pragma once

#include "core/effects.hpp"
#include "daemon/guest.hpp"
#include "daemon/occasion.hpp"
#include "daemon/place.hpp"
#include "io/output.hpp"
#include "io/reaper.hpp"
#include "io/task_group.hpp"
#include "io/tree.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace tcplock::daemon {

using std::chrono::steady_clock;

struct Life {
    // Where it is, and whose it must be once that is known.
    io::Destination destination() const { return {setting.address, listener}; }

    core::Generation generation;
    core::PlaceId place;
    Setting setting;
    io::Tree tree;
    std::optional<io::Output> output = {};
    // With their numbers; where complaints about arguments stand.
    std::vector<std::pair<std::uint64_t, std::string>> first_lines = {};
    io::LastLines last_lines = {};
    std::uint64_t lines = 0;
    std::optional<io::ExitStatus> exit = {};     // of the leader
    io::TaskGroup::Id probe = {};                // the last one
    io::TaskGroup::Id hook = {};                 // before admission
    io::TaskGroup::Id request = {};              // to end
    io::TaskGroup::Id memory_watch = {};         // the last one
    std::optional<uid_t> listener = {};          // whose processes listen at its address
    std::vector<std::string> sockets = {};       // in the file system, that it listened on
    steady_clock::time_point measure_from = {};  // not to be asked again before, for what it costs
    bool has_answered = false;
    std::string last_probe = {};    // why it had no answer
    std::string why_not_open = {};  // the hook before admission failed
    bool is_stopping = false;
    std::optional<core::StopBackend> stop = {};  // why, and after what
    std::optional<Guest> overdue = {};           // who was cut for his time, the last one
    bool is_killed = false;
    bool is_too_large = false;  // it is ended for its memory
    bool is_quarantined = false;
    // Whose refusal of a signal has been told: pid and start time.
    std::set<std::pair<pid_t, std::uint64_t>> refusals_told = {};
    steady_clock::time_point stop_began = {};
    bool has_died = false;  // nobody had asked it to end
    std::size_t inside_at_death = 0;
    std::optional<core::BackOff> failed_start = {};
    // Its end is told once, and when its last output is here.
    bool end_is_told = false;
    steady_clock::time_point tell_by = {};
};

using LifePtr = std::shared_ptr<Life>;
using Lives = std::map<core::Generation, LifePtr>;

void tell_stop(Life& life, const core::StopBackend& effect);
void tell_death(const Life& life);
void tell_quarantine(Life& life, core::PlaceId place);

std::string why_start_failed(const Life& life);

// What a hook is told about it, whichever it is.
Occasion occasion_of(const Life& life);

void tell_failing(const core::AnnounceFailing& effect);

// Failed starts: at length the first time, in short for as long as they fail in the same way.
class FailedStarts {
public:
    // No life: nothing could be spawned.
    void tell(const Life* life, const core::BackOff& effect, const std::string& reason);
    void forget() { last_.clear(); }
    bool is_row() const { return !last_.empty(); }

private:
    std::string last_;
};

// Logs what the backend prints, and keeps it for the post-mortem. Goes into the life's own output,
// and so does not outlive it.
io::OutputSink output_sink(Life& life, const FailedStarts& failed_starts);

}  // namespace tcplock::daemon
