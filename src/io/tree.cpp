#include "io/tree.hpp"

#include "io/turn.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <unistd.h>

namespace tcplock::io {
namespace {

std::optional<std::uint64_t> proportional_bytes(pid_t pid) {
    constexpr std::string_view label = "\nPss:";
    constexpr std::size_t limit = 4096;
    const auto text = read_small_file("/proc/" + std::to_string(pid) + "/smaps_rollup", limit);
    const auto found = text ? text->find(label) : std::string::npos;
    if (found == std::string::npos) {
        return std::nullopt;
    }
    const auto begin = text->find_first_not_of(' ', found + label.size());
    std::uint64_t kibibytes = 0;
    if (begin == std::string::npos ||
        std::from_chars(text->data() + begin, text->data() + text->size(), kibibytes).ec !=
            std::errc()) {
        return std::nullopt;
    }
    return kibibytes * 1024;
}

}  // namespace

// All processes at one look, and who of them is a member so far.
class Tree::Census {
public:
    Census(std::vector<ProcessStat> processes, std::uint64_t not_before)
        : candidates_(std::move(processes)) {
        std::erase_if(candidates_, [not_before](const auto& process) {
            return process.pid <= 1 || process.pid == ::getpid() || process.is_kernel_thread ||
                   process.start_time < not_before;
        });
    }

    const std::vector<ProcessStat>& candidates() const { return candidates_; }
    bool has(pid_t pid) const { return members_.contains(pid); }
    void add(pid_t pid) { members_.insert(pid); }

    // A child may be listed before its parent, so this repeats until nothing is new.
    void add_descendants() {
        std::size_t before = 0;
        do {
            before = members_.size();
            for (const auto& process : candidates_) {
                if (members_.contains(process.parent)) {
                    members_.insert(process.pid);
                }
            }
        } while (members_.size() != before);
    }

    std::vector<Member> members() const {
        std::vector<Member> found;
        std::copy_if(candidates_.begin(), candidates_.end(), std::back_inserter(found),
                     [this](const auto& process) { return has(process.pid); });
        return found;
    }

private:
    std::vector<ProcessStat> candidates_;
    std::set<pid_t> members_;
};

Tree::Tree(pid_t leader, std::string cookie) : leader_(leader), cookie_(std::move(cookie)) {
    const auto stat = read_stat(leader);
    if (stat) {
        leader_start_time_ = stat->start_time;
        not_before_ = stat->start_time;
        leader_hold_.emplace(*stat);
    }
    // Group 1 is init's and group 0 would be our own: such numbers are never signalled.
    number_is_ours_ = stat && leader > 1 && leader != ::getpid() && leader != ::getpgrp();
}

Looked<std::vector<Member>> Tree::scan() {
    auto processes = all_processes();
    if (!processes) {
        return std::nullopt;
    }
    Census census(std::move(*processes), not_before_);
    judge_by_number(census);
    for (const auto& process : census.candidates()) {
        const auto verdict = verdicts_.find({process.pid, process.start_time});
        if (verdict != verdicts_.end() && verdict->second == Verdict::member) {
            census.add(process.pid);
        }
    }
    census.add_descendants();
    if (!judge_by_cookie(census)) {
        return std::nullopt;
    }
    census.add_descendants();
    remember(census);
    return census.members();
}

// A number stays taken as long as it names a process, a group or a session. Once it names none of
// ours, it may come to name somebody else's, and is not looked at any more.
void Tree::judge_by_number(Census& census) {
    const auto has_number = [this](const ProcessStat& process) {
        return process.pid == leader_ || process.session == leader_ || process.group == leader_;
    };
    const auto& candidates = census.candidates();
    const bool is_given_away =
        std::any_of(candidates.begin(), candidates.end(), [this](const auto& process) {
            return process.pid == leader_ && process.start_time != leader_start_time_;
        });
    number_is_ours_ = number_is_ours_ && !is_given_away &&
                      std::any_of(candidates.begin(), candidates.end(), has_number);
    if (!number_is_ours_) {
        return;
    }
    for (const auto& process : candidates) {
        if (has_number(process)) {
            census.add(process.pid);
        }
    }
}

// The environment is read once in a process' life, and only of those not known otherwise. False if
// we could not look.
bool Tree::judge_by_cookie(Census& census) {
    undecided_.clear();
    for (const auto& process : census.candidates()) {
        const Key key{process.pid, process.start_time};
        if (census.has(process.pid) || verdicts_.contains(key) || process.is_dead()) {
            continue;
        }
        // The read might hang as the process does; the next scan asks again.
        if (process.state == 'D') {
            undecided_.insert(key);
            continue;
        }
        switch (carries(process.pid, cookie_)) {
            case Carries::yes:
                census.add(process.pid);
                break;
            case Carries::no:
            case Carries::not_allowed:
                verdicts_.emplace(key, Verdict::stranger);
                break;
            case Carries::nothing_to_read:
                undecided_.insert(key);
                break;
            case Carries::could_not_look:
                return false;
        }
    }
    return true;
}

void Tree::remember(const Census& census) {
    std::map<Key, Verdict> still_there;
    for (const auto& process : census.candidates()) {
        const Key key{process.pid, process.start_time};
        if (census.has(process.pid)) {
            still_there.emplace(key, Verdict::member);
        } else if (verdicts_.contains(key)) {
            still_there.emplace(key, Verdict::stranger);
        }
    }
    verdicts_ = std::move(still_there);
}

bool Tree::seems_empty() {
    const auto members = scan();
    return members && members->empty();
}

SignalResult Tree::signal(int number, int then) {
    const auto members = scan();
    if (!members) {
        return signal_unseen(number, then);
    }
    const auto is_in_group = [this](const Member& member) {
        return number_is_ours_ && member.group == leader_;
    };
    // The group first, in one stroke, so that none of it can fork in between. The number cannot
    // have passed to strangers: whoever of the group is a child of ours has not been reaped since
    // the scan.
    if (std::any_of(members->begin(), members->end(), is_in_group)) {
        ::kill(-leader_, number);  // Whom it did not reach is found out below.
        ::kill(-leader_, then);
    }
    SignalResult result;
    for (const auto& member : *members) {
        const Pidfd process(member);
        // Nobody gets it twice: many programs take a second TERM for "at once".
        if (const auto error = process.send(is_in_group(member) ? 0 : number)) {
            result.refused.push_back({member, error});
            continue;
        }
        ++result.reached;
        if (!is_in_group(member)) {
            (void)process.send(then);  // The first may have ended it.
        }
    }
    return result;
}

// Nobody but us reaps the leader, so while it lives its number cannot pass to a stranger between
// here and the signal. Once it is dead we could not tell whether it has.
SignalResult Tree::signal_unseen(int number, int then) const {
    const bool is_safe = number_is_ours_ && leader_hold_ && leader_hold_->is_surely_alive();
    if (!is_safe || ::kill(-leader_, number) != 0) {
        return {};
    }
    ::kill(-leader_, then);  // The leader has not been reaped since.
    return {1, {}};
}

std::optional<std::uint64_t> Tree::memory(Shared pages) {
    std::optional<std::uint64_t> sum;
    for (const auto& member : scan().value_or(std::vector<Member>{})) {
        if (member.is_dead()) {
            continue;
        }
        const bool may_ask = pages == Shared::shared_out && !has_blocked_thread(member.pid);
        const auto shared_out = may_ask ? proportional_bytes(member.pid) : std::nullopt;
        sum = sum.value_or(0) + shared_out.value_or(member.resident_bytes);
    }
    return sum;
}

Tree::Use Tree::at_a_glance() const {
    Use sum;
    std::uint64_t ticks = 0;
    std::set<pid_t> seen;
    std::vector<pid_t> to_see;
    const auto add = [&](const std::optional<ProcessStat>& process) {
        if (process && seen.insert(process->pid).second) {
            sum.memory += process->is_dead() ? 0 : process->resident_bytes;
            sum.zombies += process->state == 'Z' ? 1 : 0;
            ticks += process->processor_ticks;
            to_see.push_back(process->pid);
        }
    };
    const auto add_if_same = [&](pid_t pid, std::uint64_t start_time) {
        const auto process = read_stat(pid);
        add(process && process->start_time == start_time ? process : std::nullopt);
    };
    add_if_same(leader_, leader_start_time_);
    for (const auto& [key, verdict] : verdicts_) {
        if (verdict == Verdict::member) {
            add_if_same(key.first, key.second);
        }
    }
    while (!to_see.empty()) {
        const pid_t parent = to_see.back();
        to_see.pop_back();
        for (const pid_t child : children_at_a_glance(parent)) {
            add(read_stat(child));
        }
    }
    const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    sum.processor = std::chrono::nanoseconds(std::chrono::seconds(1)) * ticks / ticks_per_second;
    return sum;
}

bool Tree::knows(const ProcessStat& process) const {
    const auto verdict = verdicts_.find({process.pid, process.start_time});
    return verdict != verdicts_.end() && verdict->second == Verdict::member;
}

bool Tree::is_undecided_about(const ProcessStat& process) const {
    return undecided_.contains({process.pid, process.start_time});
}

void Tree::adopt(const ProcessStat& process) {
    not_before_ = std::min(not_before_, process.start_time);
    verdicts_.insert_or_assign({process.pid, process.start_time}, Verdict::member);
}

boost::asio::awaitable<bool> is_empty(Tree& tree) {
    co_await turn();
    if (!tree.seems_empty()) {
        co_return false;
    }
    co_await turn();
    co_return tree.seems_empty();
}

}  // namespace tcplock::io
