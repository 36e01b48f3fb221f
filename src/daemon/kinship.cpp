#include "daemon/kinship.hpp"

#include "io/address.hpp"
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

bool has_no_children() {
    const auto children = io::children_of(::getpid());
    return children && children->empty();
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
      strays_are_ours_(has_no_children()) {}

bool Kinship::adopt_strays(Life& life) const {
    if (!strays_are_ours_) {
        return true;
    }
    const auto children = io::children_of(::getpid());
    if (!children) {
        return false;
    }
    for (const io::ProcessStat& child : *children) {
        const auto knows = [&child](const auto& entry) { return entry.second->tree.knows(child); };
        if (!reaper_.owns(child.pid) && std::none_of(lives_.begin(), lives_.end(), knows)) {
            life.tree.adopt(child);
        }
    }
    return true;
}

std::string Kinship::doubt_who_answers(Life& life) const {
    const std::string address = io::describe(life.setting.address);
    const bool has_looked = adopt_strays(life);  // It may be one of them that listens.
    const auto owner = io::socket_owner(life.setting.address);
    const auto members = life.tree.scan();
    if (!has_looked || !owner || !members) {
        return "who answers at " + address + " could not be looked up";
    }
    const bool is_stranger = *owner && !is_own(**owner, *members, backends_user_);
    return is_stranger ? address + " is answered by a stranger, " + io::in_words(**owner) : "";
}

}  // namespace tcplock::daemon
