// Which process belongs to which generation, beyond what each tree knows by its own marks: whose is
// a stray, and whose is the answer at an address?
#pragma once

#include "daemon/life.hpp"
#include "io/reaper.hpp"

#include <optional>
#include <string>

namespace tcplock::daemon {

class Kinship {
public:
    // To be made before anything is started: what is our child by then is none of a backend's.
    Kinship(const io::Reaper& reaper, const Lives& lives);

    // What fled from its session and its environment both, and lost its parent, is our child now
    // but nobody's by any mark. It came from a backend; the one that ends takes it along. Unless we
    // began with children of our own, whose orphans come to us as well: then only marks count.
    void adopt_strays(Life& ending) const;

    // The stranger who answers at the generation's address, in words; nothing if it answers itself,
    // or if that is not ours to see.
    std::optional<std::string> stranger_at_address(Life& life) const;

private:
    const io::Reaper& reaper_;
    const Lives& lives_;
    // We had no children when we began: what is reparented to us is a backend's. As process 1 of a
    // container too, for nothing else lives there.
    bool strays_are_ours_;
};

}  // namespace tcplock::daemon
