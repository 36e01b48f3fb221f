// Ends what an earlier supervisor left behind when it was killed: processes that carry its cookie.
//
// Nothing else tells our orphans from other people's processes: no pid is taken from a file, no
// name is compared. Our own descendants and forebears are never touched, even if they carry the
// cookie.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

namespace tcplock::io {

struct Orphan {
    pid_t pid;
    std::string command_line;
};

struct OrphanReport {
    std::vector<Orphan> ended;
    std::vector<Orphan>
        still_there;  // Not allowed to end them, or they would not go within the limit.
    bool has_looked = false;  // False if we never could, for want of a descriptor or of memory.
};

// `cookie` is "NAME=value" and must match an entry exactly. Returns as soon as two looks in a row
// found nothing left: a process that is just becoming another program hides its cookie from one. A
// zombie that its own parent does not reap counts as ended: it holds nothing.
boost::asio::awaitable<OrphanReport> end_orphans(std::string cookie,
                                                 std::chrono::nanoseconds limit);

}  // namespace tcplock::io
