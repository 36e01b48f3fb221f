// What memory the backends may use, and do: measured when a job ends, with each answer, and a few
// times a second while a client is inside. While nobody is inside nothing wakes for it.
//
// It decides nothing: the core is told of a tree that has reached one of the limits, and that there
// is no room for a standby.
#pragma once

#include "core/policy.hpp"
#include "daemon/backends.hpp"
#include "daemon/life.hpp"
#include "io/task_group.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>

namespace tcplock::daemon {

// The limits, lowered to what the machine or the container has; says so in the log. All places
// together may use four fifths of it.
core::Policy fit_memory(core::Policy policy);

class Memory {
public:
    // All must outlive it.
    Memory(boost::asio::io_context& io, const core::RecyclePolicy& limits,
           const Backends::Callbacks& callbacks, io::TaskGroup& tasks);

    // Tells the core, if that may matter.
    void measure(Life& life);
    // A client is about to be inside: measures now and then until nobody is.
    void watch(LifePtr life);

    // What a generation needs that has just answered for the first time.
    void note_fresh(Life& life);
    // Whether another generation fits beside those that run. Says so in the log when that changes.
    bool has_room_for_standby();

private:
    boost::asio::awaitable<void> keep_measuring(LifePtr life);

    boost::asio::io_context& io_;
    const core::RecyclePolicy& limits_;
    const Backends::Callbacks& callbacks_;
    io::TaskGroup& tasks_;
    std::uint64_t fresh_;  // bytes: the largest so far
    bool had_room_ = true;
};

}  // namespace tcplock::daemon
