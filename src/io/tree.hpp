// All processes of one generation: who they are, what memory they use, and a way to signal them.
//
// It decides nothing. The tree is found anew in /proc each time, since a
// backend forks as it likes; a KILL is therefore to be repeated for as long as the tree is not
// empty. A dead member counts until it has been reaped: "gone" means gone from /proc.
//
// A process belongs if it started no earlier than the leader, or than whoever was adopted, and
//   - is in the leader's session or process group, or
//   - descends from a member, or
//   - carries the generation's cookie in its environment, or
//   - was found to belong before, whoever its parent is now.
#pragma once

#include "io/pidfd.hpp"
#include "io/proc.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <sys/types.h>
#include <system_error>
#include <utility>
#include <vector>

namespace tcplock::io {

using Member = ProcessStat;

struct Refusal {
    Member member;
    std::error_code error;  // Usually EPERM: the member runs as somebody we may not signal.
};

struct SignalResult {
    std::size_t reached = 0;
    std::vector<Refusal> refused;
};

class Tree {
public:
    // To be made before the leader can have been reaped, while the number is surely its own.
    // `cookie` is "NAME=value", as the leader's environment has it, and no other generation's; it
    // must not be empty.
    Tree(pid_t leader, std::string cookie);

    // Nothing if we could not look; then all that is known of the tree stays known.
    Looked<std::vector<Member>> scan();
    // Whether a scan sees nobody; false as well if we could not look. See is_empty() below.
    bool seems_empty();

    // Every member once; never ourselves, nor process 1. That a member is gone already is no
    // failure. If we could not look, the leader's group while the leader lives, and nobody after.
    // `then`, if there is such a signal, is sent to each right behind the first.
    SignalResult signal(int number, int then = 0);

    // The leader's group while the leader lives, without a look: needs no descriptor, no memory.
    SignalResult signal_unseen(int number, int then = 0) const;

    // Bytes. Sharing out, where we may look, makes the kernel take each process' memory lock, and a
    // process that hangs may hold it: not to be asked of one that is killed for hanging.
    // Nothing if nobody is alive to be measured, or if we could not look.
    enum class Shared { shared_out, counted_in_each };
    std::optional<std::uint64_t> memory(Shared pages);

    // At far less cost, without a look at all processes: of the members known so far and their
    // descendants. Who left his parent since the last scan is missed.
    struct Use {
        std::uint64_t memory = 0;  // bytes, as counted_in_each
        std::size_t zombies = 0;
        // Since they began, and of those they have reaped. Who is reaped by somebody else takes
        // his with him, so the sum may fall.
        std::chrono::nanoseconds processor{};
    };
    Use at_a_glance() const;

    // The program that was started, whether or not it lives.
    pid_t leader() const noexcept { return leader_; }

    // Whether the last scan counted this process in.
    bool knows(const ProcessStat& process) const;

    // Whether the last scan could not tell yet: nothing of it was to be read, as in the middle of
    // an exec, or it stood in state D.
    bool is_undecided_about(const ProcessStat& process) const;

    // From now on it belongs, however old it is. For a child of ours that we never started, that no
    // tree knows, and whose environment says nothing: it got rid of its cookie, or may not be
    // looked into (gpg-agent).
    void adopt(const ProcessStat& process);

private:
    enum class Verdict { member, stranger };
    using Key = std::pair<pid_t, std::uint64_t>;
    class Census;

    void judge_by_number(Census& census);
    [[nodiscard]] bool judge_by_cookie(Census& census);
    void remember(const Census& census);

    pid_t leader_;
    std::uint64_t leader_start_time_ = 0;
    std::uint64_t not_before_ = 0;  // The start of the eldest that can belong.
    std::optional<Pidfd> leader_hold_;
    std::string cookie_;
    bool number_is_ours_ =
        true;  // False once the leader's number may have been given to a stranger.
    std::map<Key, Verdict> verdicts_;
    std::set<Key> undecided_;
};

// Whether nobody is left. A scan takes time, and a member that forks and exits meanwhile may hide
// its child from one. Not from two: by then the child has been handed to us, or stands in the
// session. Each is a walk through all of /proc; before each of them everybody else has his turn.
boost::asio::awaitable<bool> is_empty(Tree& tree);

}  // namespace tcplock::io
