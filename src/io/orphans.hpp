// Ends what a supervisor left behind when it was killed: processes that carry its cookie, and what
// has no cookie any more but is a child of one that does, or in a session that one began.
//
// Nothing else tells orphans from other people's processes: no pid is taken from a file, no name is
// compared. Our own descendants and forebears are never touched, even if they carry the cookie.
#pragma once

#include "io/user.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tcplock::io {

struct Orphan {
    pid_t pid;
    std::string command_line;
};

struct OrphanSearch {
    std::string cookie;  // "NAME=value", which must match an entry exactly
    // Whom they may run as, beside us: without CAP_SYS_PTRACE, which containers drop, even root
    // must look with the eyes of this user.
    std::optional<Identity> user = {};
    std::chrono::nanoseconds limit{};
    // One in state D cannot be judged, and might hang for good, nor can one in the middle of an
    // exec. After so long it counts as none of ours.
    std::chrono::nanoseconds patience_with_undecided = std::chrono::seconds{1};
};

struct OrphanReport {
    std::vector<Orphan> ended;
    std::vector<Orphan>
        still_there;          // Not allowed to end them, or they would not go within the limit.
    bool has_looked = false;  // False if we never could, for want of a descriptor or of memory.
};

// Returns as soon as two looks in a row found nothing left: a process that is just becoming another
// program hides its cookie from one. A zombie that its own parent does not reap counts as ended: it
// holds nothing.
boost::asio::awaitable<OrphanReport> end_orphans(OrphanSearch search);

}  // namespace tcplock::io
