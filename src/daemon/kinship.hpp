// Which process belongs to which generation, beyond what each tree knows by its own marks: whose is
// a stray, and whose is the answer at an address?
#pragma once

#include "daemon/command.hpp"
#include "daemon/life.hpp"
#include "io/reaper.hpp"
#include "io/socket_owner.hpp"
#include "io/tree.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tcplock::daemon {

// Whether a listener belongs to a tree. If its process is not ours to see, its user must do: ours,
// the backend's, or one whom a member has become.
bool is_own(const io::SocketOwner& owner, const std::vector<io::Member>& members,
            uid_t backends_user);

// What a look for strays came to.
enum class Strays { none, some, could_not_look };

class Kinship {
public:
    // To be made before anything is started: what is our child by then is none of a backend's.
    Kinship(const io::Reaper& reaper, const Lives& lives, const Commands& commands,
            uid_t backends_user);

    // What fled from its session and its environment both, and lost its parent, is our child now
    // but nobody's by any mark. If it runs as a backend does, or as we do, it is taken for a
    // backend's: the one that answers first, or ends, has it, and the log is told. Not one in
    // quarantine, which looks for ever, unless it is the only one.
    // Nobody is adopted if we began with children of our own, whose orphans come to us as well.
    //
    // Whose is one that is still starting its program, only the environment to come will tell. If
    // there are others whose it could be, such a one is left alone, and the look counts as one that
    // could not be had. For two seconds from the first such look, whoever they are by then.
    //
    // Some, if there was anybody new, a dead one too.
    Strays adopt_strays(Life& life);

    // Why an answer at the generation's address is not to be believed, in words; empty if it is the
    // generation that answers.
    std::string doubt_who_answers(Life& life);

private:
    bool may_adopt(const Life& life) const;
    bool is_of_no_tree(const io::ProcessStat& process) const;
    bool is_stray(const io::ProcessStat& child) const;
    bool is_undecided(const io::ProcessStat& stray) const;
    bool may_wait_for_undecided();

    const io::Reaper& reaper_;
    const Lives& lives_;
    const Commands& commands_;
    uid_t backends_user_;
    // We had no children when we began: what is reparented to us is a backend's. As process 1 of a
    // container it may be somebody else's, left by `docker exec` for instance, which nothing tells
    // from a backend's but its user.
    bool strays_are_ours_;

    // When strays of whom no tree could tell yet were met first and last; nothing, once a look
    // finds no stray. A look may miss one that just hands on to the next.
    struct Undecided {
        std::chrono::steady_clock::time_point first;
        std::chrono::steady_clock::time_point last;
    };
    std::optional<Undecided> undecided_;
};

}  // namespace tcplock::daemon
