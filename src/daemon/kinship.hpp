// Which process belongs to which generation, beyond what each tree knows by its own marks: whose is
// a stray, and whose is the answer at an address?
#pragma once

#include "daemon/life.hpp"
#include "io/reaper.hpp"
#include "io/socket_owner.hpp"
#include "io/tree.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace tcplock::daemon {

// Whether a listener belongs to a tree. If its process is not ours to see, its user must do: ours,
// the backend's, or one whom a member has become.
bool is_own(const io::SocketOwner& owner, const std::vector<io::Member>& members,
            uid_t backends_user);

class Kinship {
public:
    // To be made before anything is started: what is our child by then is none of a backend's.
    Kinship(const io::Reaper& reaper, const Lives& lives, uid_t backends_user);

    // What fled from its session and its environment both, and lost its parent, is our child now
    // but nobody's by any mark. It came from a backend; the one that answers first, or ends, has
    // it. Unless we began with children of our own, whose orphans come to us as well: then only
    // marks count.
    // False if we could not look.
    bool adopt_strays(Life& life) const;

    // Why an answer at the generation's address is not to be believed, in words; empty if it is the
    // generation that answers.
    std::string doubt_who_answers(Life& life) const;

private:
    const io::Reaper& reaper_;
    const Lives& lives_;
    uid_t backends_user_;
    // We had no children when we began: what is reparented to us is a backend's. As process 1 of a
    // container too, for nothing else lives there.
    bool strays_are_ours_;
};

}  // namespace tcplock::daemon
