#include "daemon/kinship.hpp"

#include "io/proc.hpp"
#include "io/socket_owner.hpp"

#include <algorithm>
#include <unistd.h>

namespace tcplock::daemon {

Kinship::Kinship(const io::Reaper& reaper, const Lives& lives)
    : reaper_(reaper), lives_(lives), strays_are_ours_(io::children_of(::getpid()).empty()) {}

void Kinship::adopt_strays(Life& ending) const {
    if (!strays_are_ours_) {
        return;
    }
    for (const io::ProcessStat& child : io::children_of(::getpid())) {
        const auto knows = [&child](const auto& entry) { return entry.second->tree.knows(child); };
        if (!reaper_.owns(child.pid) && std::none_of(lives_.begin(), lives_.end(), knows)) {
            ending.tree.adopt(child);
        }
    }
}

std::optional<std::string> Kinship::stranger_at_address(Life& life) const {
    const auto owner = io::socket_owner(life.setting.address);
    if (!owner || !owner->pid) {
        return std::nullopt;  // The address was free when the backend was spawned.
    }
    const auto members = life.tree.scan();
    const auto is_owner = [&owner](const io::Member& member) { return member.pid == *owner->pid; };
    if (std::any_of(members.begin(), members.end(), is_owner)) {
        return std::nullopt;
    }
    return io::in_words(*owner);
}

}  // namespace tcplock::daemon
