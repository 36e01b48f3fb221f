// What memory the backends may use, and do: measured when a job ends, with each answer, and a few
// times a second while a client is inside. While nobody is inside nothing wakes for it.
//
// It decides nothing: that a limit has been reached, and that there is no room for a standby, is
// told to the core. A look is cheap, and counts what processes share once for each of them; only
// what is too large at a look is measured, with what is shared shared out.
#pragma once

#include "config/config.hpp"
#include "core/policy.hpp"
#include "daemon/backends.hpp"
#include "daemon/life.hpp"
#include "io/task_group.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace tcplock::daemon {

// The limits, lowered to what the machine or the container has, of which all places together may
// use four fifths; and no more standbys of an office than leave each enough for one. Says so in the
// log.
core::Policy fit_memory(core::Policy policy, config::Protocol protocol);

class Memory {
public:
    // All must outlive it.
    Memory(boost::asio::io_context& io, const core::RecyclePolicy& limits,
           const Backends::Callbacks& callbacks, io::TaskGroup& tasks);

    // What its tree uses, if that has reached a limit, or nearly.
    std::optional<std::uint64_t> of(Life& life);
    // A client is about to be inside: until nobody is, the core is told of what reaches the hard
    // limit.
    void watch(LifePtr life);

    // What a generation needs that has just answered for the first time.
    void note_fresh(Life& life);
    // Whether another generation fits beside those that run, and those that have only been started.
    // Says so in the log when that changes.
    bool has_room_for_standby(std::size_t starting);

private:
    boost::asio::awaitable<void> keep_looking(LifePtr life);
    void tell_if_too_large(Life& life);

    boost::asio::io_context& io_;
    const core::RecyclePolicy& limits_;
    const Backends::Callbacks& callbacks_;
    io::TaskGroup& tasks_;
    std::uint64_t fresh_;  // bytes: the largest so far
    bool had_room_ = true;
};

}  // namespace tcplock::daemon
