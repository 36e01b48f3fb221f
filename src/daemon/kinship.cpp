#include "daemon/kinship.hpp"

#include "io/proc.hpp"

#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

bool runs_as(const io::Member& member, uid_t user) {
    struct stat about {};
    const std::string path = "/proc/" + std::to_string(member.pid);
    return ::stat(path.c_str(), &about) == 0 && about.st_uid == user;
}

}  // namespace

bool is_own(const io::SocketOwner& owner, const std::vector<io::Member>& members,
            uid_t backends_user) {
    if (!owner.pid && (owner.uid == ::getuid() || owner.uid == backends_user)) {
        return true;
    }
    return std::any_of(members.begin(), members.end(), [&owner](const io::Member& member) {
        return owner.pid ? member.pid == *owner.pid : runs_as(member, owner.uid);
    });
}

Kinship::Kinship(const io::Reaper& reaper, const Lives& lives, uid_t backends_user)
    : reaper_(reaper),
      lives_(lives),
      backends_user_(backends_user),
      strays_are_ours_(io::children_of(::getpid()).empty()) {}

void Kinship::adopt_strays(Life& life) const {
    if (!strays_are_ours_) {
        return;
    }
    for (const io::ProcessStat& child : io::children_of(::getpid())) {
        const auto knows = [&child](const auto& entry) { return entry.second->tree.knows(child); };
        if (!reaper_.owns(child.pid) && std::none_of(lives_.begin(), lives_.end(), knows)) {
            life.tree.adopt(child);
        }
    }
}

std::optional<std::string> Kinship::stranger_at_address(Life& life) const {
    adopt_strays(life);  // It may be one of them that listens.
    const auto owner = io::socket_owner(life.setting.address);
    if (!owner || is_own(*owner, life.tree.scan(), backends_user_)) {
        return std::nullopt;
    }
    return io::in_words(*owner);
}

}  // namespace tcplock::daemon
