// What /proc says about processes. Nothing here is an error: a process may be gone between two
// reads, or be none of our business, and then there is simply no answer.
//
// Another thing is a look that could not be made, for want of a descriptor or of memory. From that
// nothing follows, least of all that nobody is there.
//
// Every read is bounded. Reading the environment or command line of a process in state D can block
// like the process itself, so callers look at the state first.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace tcplock::io {

// What was found where we looked; nothing if we could not look.
template <class Found>
using Looked = std::optional<Found>;

struct ProcessStat {
    pid_t pid = 0;
    pid_t parent = 0;
    pid_t group = 0;
    pid_t session = 0;
    char state = '?';  // As proc(5) has it: R S D Z T …
    bool is_kernel_thread = false;
    std::uint64_t start_time = 0;  // Ticks since boot. With the pid it names one process for ever.
    std::uint64_t resident_bytes = 0;
    // In ticks, its own and that of the children it has reaped.
    std::uint64_t processor_ticks = 0;
    std::string name;  // Chosen by the process: may hold blanks, brackets and line ends.

    bool is_dead() const { return state == 'Z' || state == 'X'; }
};

std::optional<ProcessStat> parse_stat(std::string_view text);

// Believe it when it answers; no answer may mean that we could not look.
std::optional<ProcessStat> read_stat(pid_t pid);

// What became of a process that was seen before; unknown if we could not look.
enum class Presence { alive, dead, gone, unknown };
Presence presence_of(pid_t pid, std::uint64_t start_time);

// All or nothing: a list with gaps would be taken for the whole.
Looked<std::vector<ProcessStat>> all_processes();
Looked<std::vector<ProcessStat>> children_of(pid_t parent);

// Whether one of its threads is in state D. Much that is asked of a process then waits with it.
bool has_blocked_thread(pid_t pid);

// Without a look at all the others; where the kernel does not list them (CONFIG_PROC_CHILDREN), or
// while they come and go, some may be missing.
std::vector<pid_t> children_at_a_glance(pid_t parent);

enum class Carries { yes, no, nothing_to_read, not_allowed, could_not_look };

// Whether "NAME=value" is, as a whole, one entry of the process' environment. Nothing to read has
// one that is gone, dead or in the middle of an exec; who was given no environment carries nothing.
Carries carries(pid_t pid, std::string_view entry);
bool holds_entry(std::string_view environment, std::string_view entry);

// The arguments with blanks between, on one line, printable; "[name]" if there are none.
std::string command_line(pid_t pid);

// The inodes of the sockets it has open; none of a process that is not ours to look into.
Looked<std::vector<std::uint64_t>> sockets_held_by(pid_t pid);

// The whole of a small file; empty if there is none, or none for us to read. Longer files are cut
// at `limit` bytes, or after the first piece of 4096 that lacks what is said.
Looked<std::string> read_small_file(const std::string& path, std::size_t limit,
                                    std::string_view as_long_as_there_is = {});

// Whether a call failed for want of what it needs itself, whatever it was to look at.
bool could_not_look(int error);

}  // namespace tcplock::io
