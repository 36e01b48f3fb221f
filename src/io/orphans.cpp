#include "io/orphans.hpp"

#include "io/pidfd.hpp"
#include "io/proc.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <utility>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds pause_between_looks{20};

using Key = std::pair<pid_t, std::uint64_t>;

// Us, all we descend from, and all that descend from us.
std::set<pid_t> kin(const std::vector<ProcessStat>& processes) {
    std::map<pid_t, pid_t> parents;
    for (const auto& process : processes) {
        parents.emplace(process.pid, process.parent);
    }
    const auto forebears_of = [&parents](pid_t pid) {
        std::set<pid_t> forebears;
        while (pid > 0 && forebears.insert(pid).second) {
            const auto found = parents.find(pid);
            pid = found == parents.end() ? 0 : found->second;
        }
        return forebears;
    };
    std::set<pid_t> family = forebears_of(::getpid());
    for (const auto& process : processes) {
        if (forebears_of(process.pid).contains(::getpid())) {
            family.insert(process.pid);
        }
    }
    return family;
}

// This thread reads files as another user does, or as it always does if it may not. The kernel
// takes that for a change of user, after which no core is dumped and no death signal comes: both
// are put back.
class Eyes {
public:
    explicit Eyes(const Identity& user) : is_dumpable_(::prctl(PR_GET_DUMPABLE)) {
        ::prctl(PR_GET_PDEATHSIG, &death_signal_);
        group_ = ::setfsgid(user.gid);
        user_ = ::setfsuid(user.uid);
    }
    ~Eyes() {
        ::setfsuid(static_cast<uid_t>(user_));
        ::setfsgid(static_cast<gid_t>(group_));
        ::prctl(PR_SET_DUMPABLE, is_dumpable_);
        ::prctl(PR_SET_PDEATHSIG, death_signal_);
    }
    Eyes(const Eyes&) = delete;
    Eyes& operator=(const Eyes&) = delete;

private:
    int is_dumpable_;
    int death_signal_ = 0;
    int group_ = 0;
    int user_ = 0;
};

class Hunt {
public:
    explicit Hunt(OrphanSearch search) : search_(std::move(search)) {}

    // Ends all it can find. True if nothing new turned up and nothing is left to wait for; never if
    // we could not look.
    bool look() {
        const auto processes = all_processes();
        if (!processes) {
            return false;
        }
        has_looked_ = true;
        const auto family = kin(*processes);
        bool is_quiet = true;
        for (const auto& process : *processes) {
            if (process.is_dead() || process.is_kernel_thread || family.contains(process.pid) ||
                targets_.contains(key_of(process)) || strangers_.contains(key_of(process))) {
                continue;
            }
            is_quiet = judge(process) && is_quiet;
        }
        while (take_relatives(*processes, family)) {
            is_quiet = false;
        }
        for (const auto& [key, target] : targets_) {
            // At each look, for it may not have been possible before. If it is refused, it will be
            // among those that are still there.
            (void)target.hold.send(SIGKILL);
        }
        return is_quiet && std::all_of(targets_.begin(), targets_.end(), [](const auto& target) {
                   return target.second.hold.has_ended();
               });
    }

    OrphanReport report() const {
        OrphanReport report;
        report.has_looked = has_looked_;
        for (const auto& [key, target] : targets_) {
            (target.hold.has_ended() ? report.ended : report.still_there).push_back(target.orphan);
        }
        return report;
    }

private:
    struct Target {
        Orphan orphan;
        Pidfd hold;
    };

    static Key key_of(const ProcessStat& process) { return {process.pid, process.start_time}; }

    // True if it is none of ours; false if it is, or if that cannot be told yet.
    bool judge(const ProcessStat& process) {
        // Most can be judged soon.
        const bool is_too_late = Clock::now() - began_ >= search_.patience_with_undecided;
        if (process.state == 'D') {
            return is_too_late;  // Reading its environment might hang as it does.
        }
        // Held first and judged then, so that what is killed is what was judged.
        Pidfd hold(process);
        switch (looks_marked(process.pid)) {
            case Carries::yes:
                break;
            case Carries::no:
            case Carries::not_allowed:
                strangers_.insert(key_of(process));
                return true;
            case Carries::nothing_to_read:
                return is_too_late;
            case Carries::could_not_look:
                return false;
        }
        take(process, std::move(hold));
        return false;
    }

    void take(const ProcessStat& process, Pidfd hold) {
        const bool may_read = process.state != 'D';
        Orphan orphan{process.pid, may_read ? command_line(process.pid) : process.name};
        targets_.emplace(key_of(process), Target{std::move(orphan), std::move(hold)});
    }

    Carries looks_marked(pid_t pid) const {
        const Carries found = carries(pid, search_.cookie);
        if (found != Carries::not_allowed || !search_.user || is_us(*search_.user)) {
            return found;
        }
        const Eyes theirs(*search_.user);
        return carries(pid, search_.cookie);
    }

    // A session is theirs whose first process is one of them, or has gone: we begin one for each
    // program, and nobody can join a session. True if somebody new was found.
    bool take_relatives(const std::vector<ProcessStat>& processes, const std::set<pid_t>& family) {
        std::set<pid_t> pids;
        std::set<pid_t> sessions;
        std::set<pid_t> strange_sessions{0, ::getsid(0)};
        for (const auto& process : processes) {
            if (targets_.contains(key_of(process))) {
                pids.insert(process.pid);
                sessions.insert(process.session);
            } else if (process.pid == process.session && !process.is_dead()) {
                strange_sessions.insert(process.session);
            }
        }
        bool is_any_new = false;
        for (const auto& process : processes) {
            const bool is_relative =
                pids.contains(process.parent) ||
                (sessions.contains(process.session) && !strange_sessions.contains(process.session));
            if (is_relative && !process.is_dead() && !family.contains(process.pid) &&
                !targets_.contains(key_of(process))) {
                take(process, Pidfd(process));
                is_any_new = true;
            }
        }
        return is_any_new;
    }

    OrphanSearch search_;
    Clock::time_point began_ = Clock::now();
    bool has_looked_ = false;
    std::map<Key, Target> targets_;
    std::set<Key> strangers_;
};

}  // namespace

asio::awaitable<OrphanReport> end_orphans(OrphanSearch search) {
    const auto executor = co_await asio::this_coro::executor;
    const auto deadline = Clock::now() + search.limit;
    asio::steady_timer timer(executor);
    Hunt hunt(std::move(search));
    constexpr int enough = 2;
    int quiet_looks = 0;
    while (Clock::now() < deadline) {
        quiet_looks = hunt.look() ? quiet_looks + 1 : 0;
        if (quiet_looks == enough) {
            break;
        }
        timer.expires_after(pause_between_looks);
        const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
        if (error) {
            break;  // We are being stopped.
        }
    }
    co_return hunt.report();
}

}  // namespace tcplock::io
