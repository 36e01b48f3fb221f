#include "daemon/memory.hpp"

#include "daemon/log.hpp"
#include "io/machine_memory.hpp"
#include "io/socket.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

namespace tcplock::daemon {

using namespace std::chrono_literals;

namespace {

// A job that passes the hard limit is to be cut within a second.
constexpr auto between_looks = 250ms;
constexpr unsigned looks_to_a_scan = 4;
// A large tree takes a while to be measured, and nothing else is done meanwhile.
constexpr int rest_after_measuring = 50;
constexpr auto longest_rest = 500ms;
// Before the first has answered: about what an office takes.
constexpr std::uint64_t fresh_at_first = std::uint64_t{128} << 20;
// The standby itself, and as much again for the job that runs meanwhile.
constexpr std::uint64_t room_for_standby = 2;
// It grows with its first documents.
constexpr std::uint64_t enough_for_office = 2 * fresh_at_first;

// What all backends together may use.
std::uint64_t usable(std::uint64_t total) {
    return total / 5 * 4;
}

// Each place may have as much: while a standby serves beside the last client of the one before it,
// both may be at their limits.
std::uint64_t share_of(std::uint64_t total, const core::BackendPolicy& policy) {
    return usable(total) / (policy.instances + policy.standby);
}

// Its share is not to be missing from the others' where an office would not live on it.
void leave_out_standbys(core::BackendPolicy& policy, std::uint64_t total) {
    const std::size_t wanted = policy.standby;
    while (policy.standby > 0 && share_of(total, policy) < enough_for_office) {
        --policy.standby;
    }
    if (policy.standby == wanted) {
        return;
    }
    Line(Line::Level::info, "fewer standbys, for want of memory: clients may wait for a recycle")
        .with("memory", Bytes{total})
        .with("standby", std::uint64_t{policy.standby})
        .with("instead_of", std::uint64_t{wanted});
}

void tell_limit(Line& line, std::string_view key, std::optional<std::uint64_t> limit) {
    if (limit) {
        line.with(key, Bytes{*limit});
    } else {
        line.with(key, "off");
    }
}

// In proportion, or the job would always be cut instead of the recycle coming between two; but not
// to what a backend has in use when it has done nothing.
void lower_limits(core::RecyclePolicy& limits, std::uint64_t share, std::size_t places) {
    auto& soft = limits.memory_soft_limit;
    auto& hard = limits.memory_hard_limit;
    const std::uint64_t highest = std::max(soft.value_or(0), hard.value_or(0));
    if (highest <= share) {
        return;
    }
    const double part = static_cast<double>(share) / static_cast<double>(highest);
    if (soft) {
        const auto lowered = static_cast<std::uint64_t>(part * static_cast<double>(*soft));
        soft = std::max(lowered, std::min({*soft, share, enough_for_office}));
    }
    if (hard) {
        hard = share;
    }
    Line line(Line::Level::info,
              "memory limits lowered: all places share four fifths of what there is");
    line.with("places", std::uint64_t{places}).with("share", Bytes{share});
    tell_limit(line, "memory_hard_limit", hard);
    tell_limit(line, "memory_soft_limit", soft);
}

}  // namespace

core::Policy fit_memory(core::Policy policy, config::Protocol protocol) {
    const auto machine = io::machine_memory();
    if (!machine) {
        return policy;
    }
    if (protocol == config::Protocol::uno) {
        leave_out_standbys(policy.backend, machine->total);
    }
    lower_limits(policy.recycle, share_of(machine->total, policy.backend),
                 policy.backend.instances + policy.backend.standby);
    return policy;
}

Memory::Memory(boost::asio::io_context& io, const core::RecyclePolicy& limits,
               const Backends::Callbacks& callbacks, io::TaskGroup& tasks)
    : io_(io), limits_(limits), callbacks_(callbacks), tasks_(tasks), fresh_(fresh_at_first) {}

std::optional<std::uint64_t> Memory::of(Life& life) {
    constexpr auto none = std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t matters_from = std::min(limits_.memory_soft_limit.value_or(none),
                                                limits_.memory_hard_limit.value_or(none));
    if (life.is_stopping || life.tree.at_a_glance().memory < matters_from) {
        return std::nullopt;
    }
    return life.tree.memory(io::Tree::Shared::shared_out);
}

void Memory::watch(LifePtr life) {
    if (limits_.memory_hard_limit && !tasks_.is_running(life->memory_watch)) {
        life->memory_watch = tasks_.spawn("memory", keep_looking(life));
    }
}

boost::asio::awaitable<void> Memory::keep_looking(LifePtr life) {
    boost::asio::steady_timer timer(io_);
    unsigned looks = 0;
    do {
        timer.expires_after(between_looks);
        const auto [error] = co_await timer.async_wait(io::use_result);
        if (error || life->is_stopping) {
            co_return;
        }
        if (++looks % looks_to_a_scan == 0) {
            (void)life->tree.scan();  // A look misses who has left its parent since the last one.
        }
        tell_if_too_large(*life);
    } while (callbacks_.is_visited(life->generation));
}

void Memory::tell_if_too_large(Life& life) {
    const auto now = steady_clock::now();
    const auto limit = limits_.memory_hard_limit;
    if (!limit || now < life.measure_from || life.tree.at_a_glance().memory < *limit) {
        return;
    }
    const auto bytes = life.tree.memory(io::Tree::Shared::shared_out);
    const auto rest = rest_after_measuring * (steady_clock::now() - now);
    life.measure_from = now + std::min<steady_clock::duration>(rest, longest_rest);
    if (bytes) {
        callbacks_.feed(core::MemoryMeasured{life.generation, *bytes});
    }
}

void Memory::note_fresh(Life& life) {
    fresh_ = std::max(fresh_, life.tree.memory(io::Tree::Shared::shared_out).value_or(0));
}

bool Memory::has_room_for_standby(std::size_t starting) {
    const auto machine = io::machine_memory();
    const std::uint64_t needed = (room_for_standby + starting) * fresh_;
    const bool has_room = !machine || machine->available >= needed;
    if (std::exchange(had_room_, has_room) == has_room) {
        return has_room;
    }
    if (has_room) {
        Line(Line::Level::info, "memory for a standby again")
            .with("available", Bytes{machine ? machine->available : 0});
    } else {
        Line(Line::Level::warn, "no memory for a standby: clients wait for each recycle meanwhile")
            .with("available", Bytes{machine->available})
            .with("needed", Bytes{needed});
    }
    return has_room;
}

}  // namespace tcplock::daemon
