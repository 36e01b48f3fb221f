#include "daemon/kinship.hpp"

#include "daemon/log.hpp"
#include "io/address.hpp"
#include "io/proc.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

// An exec takes a moment, on a busy machine a long one. One that goes on is no exec: a disk that
// does not answer, say.
constexpr auto longest_exec = std::chrono::seconds(2);

bool runs_as(const io::Member& member, uid_t user) {
    struct stat about {};
    const std::string path = "/proc/" + std::to_string(member.pid);
    return ::stat(path.c_str(), &about) == 0 && about.st_uid == user;
}

bool has_no_children() {
    siginfo_t nobody_is_reaped{};
    return ::waitid(P_ALL, 0, &nobody_is_reaped, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 &&
           errno == ECHILD;
}

void tell_adoption(const Life& life, const io::ProcessStat& stray) {
    // In state D the command line might not be read before the process wakes.
    const bool may_read = stray.state != 'D';
    Line(Line::Level::info, "stray process adopted: it ends with this generation")
        .with("instance", life.setting.values.instance)
        .with("generation", core::number(life.generation))
        .with("pid", static_cast<std::uint64_t>(stray.pid))
        .with("command", may_read ? io::command_line(stray.pid) : stray.name);
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

Kinship::Kinship(const io::Reaper& reaper, const Lives& lives, const Commands& commands,
                 uid_t backends_user)
    : reaper_(reaper),
      lives_(lives),
      commands_(commands),
      backends_user_(backends_user),
      strays_are_ours_(has_no_children()) {}

bool Kinship::may_adopt(const Life& life) const {
    const bool is_alone = lives_.size() <= 1;
    return strays_are_ours_ && (!life.is_quarantined || is_alone);
}

bool Kinship::is_of_no_tree(const io::ProcessStat& process) const {
    const bool is_of_a_backend =
        std::any_of(lives_.begin(), lives_.end(),
                    [&process](const auto& entry) { return entry.second->tree.knows(process); });
    return !is_of_a_backend && !commands_.know(process);
}

// What runs as somebody else might never be ours to kill, and would keep the place for ever.
bool Kinship::is_stray(const io::ProcessStat& child) const {
    return !reaper_.owns(child.pid) && is_of_no_tree(child) &&
           (runs_as(child, ::getuid()) || runs_as(child, backends_user_));
}

// Somebody's hook that starts a program in the background looks like this for a moment.
bool Kinship::is_undecided(const io::ProcessStat& stray) const {
    return commands_.are_undecided_about(stray) ||
           std::any_of(lives_.begin(), lives_.end(), [&stray](const auto& entry) {
               return entry.second->tree.is_undecided_about(stray);
           });
}

// If there is nobody else whose it could be, it need not be waited for. And a process may hand on
// to the next before its time is up, so that is not each one's own.
bool Kinship::may_wait_for_undecided() {
    if (lives_.size() <= 1 && !commands_.is_any_running()) {
        return false;
    }
    const auto now = std::chrono::steady_clock::now();
    if (!undecided_ || now - undecided_->last > longest_exec) {
        undecided_ = Undecided{now, now};
    }
    undecided_->last = now;
    return now - undecided_->first < longest_exec;
}

Strays Kinship::adopt_strays(Life& life) {
    if (!may_adopt(life)) {
        return Strays::none;
    }
    const auto children = io::children_of(::getpid());
    if (!children) {
        return Strays::could_not_look;
    }
    std::vector<io::ProcessStat> strays;
    std::copy_if(children->begin(), children->end(), std::back_inserter(strays),
                 [this](const auto& child) { return is_stray(child); });
    if (strays.empty()) {
        undecided_.reset();
        return Strays::none;
    }
    // A tree knows whom its last scan saw, and one that serves may not have been scanned for days.
    for (const auto& [generation, other] : lives_) {
        if (!other->tree.scan()) {
            return Strays::could_not_look;
        }
    }
    if (!commands_.scan()) {
        return Strays::could_not_look;
    }
    const bool has_own = std::any_of(strays.begin(), strays.end(),
                                     [&life](const auto& stray) { return life.tree.knows(stray); });
    std::erase_if(strays, [this](const auto& stray) { return !is_of_no_tree(stray); });
    const auto undecided = std::partition(
        strays.begin(), strays.end(), [this](const auto& stray) { return !is_undecided(stray); });
    const bool waits = undecided != strays.end() && may_wait_for_undecided();
    if (waits) {
        strays.erase(undecided, strays.end());
    }
    for (const io::ProcessStat& stray : strays) {
        life.tree.adopt(stray);
        // Most of the dead are about to be reaped. One whose first thread alone has ended looks
        // like them, and goes on.
        if (!stray.is_dead()) {
            tell_adoption(life, stray);
        }
    }
    if (waits) {
        return Strays::could_not_look;
    }
    if (strays.empty() && !has_own) {
        undecided_.reset();
        return Strays::none;
    }
    return Strays::some;
}

std::string Kinship::doubt_who_answers(Life& life) {
    const std::string address = io::describe(life.setting.address);
    const Strays strays = adopt_strays(life);  // It may be one of them that listens.
    auto members = life.tree.scan();
    auto owner = members ? io::socket_owner_among(*members, life.setting.address) : std::nullopt;
    const auto is_a_member = [&] {
        return owner && *owner && members && (*owner)->pid &&
               is_own(**owner, *members, backends_user_);
    };
    if (owner && *owner && !is_a_member()) {
        // Somebody else, or a child of theirs that had not been there yet.
        owner = io::socket_owner(life.setting.address);
        members = life.tree.scan();
    }
    const bool may_be_a_stray = strays == Strays::could_not_look && !is_a_member();
    if (may_be_a_stray || !owner || !members) {
        return "who answers at " + address + " could not be looked up";
    }
    const bool is_stranger = *owner && !is_own(**owner, *members, backends_user_);
    if (*owner && !is_stranger) {
        life.listener = (*owner)->uid;
    }
    return is_stranger ? address + " is answered by a stranger, " + io::in_words(**owner) : "";
}

}  // namespace tcplock::daemon
