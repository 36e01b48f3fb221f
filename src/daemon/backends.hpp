// The shell's half that does what the core says about backends. There are two kinds of it: our own
// children (own_backends.hpp), and a service that somebody else runs (foreign_backend.hpp).
//
// It decides nothing. Every effect leads to the event the core waits for; news carries its
// generation. A generation is known here from its spawn until its place is clear.
#pragma once

#include "core/effects.hpp"
#include "core/events.hpp"
#include "daemon/guest.hpp"
#include "daemon/notices.hpp"
#include "io/socket.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace tcplock::daemon {

class Backends {
public:
    struct Callbacks {
        std::function<void(core::Event)> feed;
        // How many clients are inside a generation.
        std::function<std::size_t(core::Generation)> inside;
        // Whether anybody is, or is on his way in.
        std::function<bool(core::Generation)> is_visited;
        // Ends their sessions as if the backend had died.
        std::function<void(core::Generation)> abort_sessions;
        // Who he is, if he is inside or on his way in.
        std::function<std::optional<Guest>(core::ClientId)> guest;
        // Whether whoever connects there comes to our own gate.
        std::function<bool(const io::tcp::endpoint&)> is_gate;
    };

    Backends() = default;
    virtual ~Backends() = default;
    Backends(const Backends&) = delete;
    Backends& operator=(const Backends&) = delete;

    // Before anything is spawned: ends what an earlier supervisor left behind.
    virtual boost::asio::awaitable<void> begin() = 0;

    virtual void perform(const core::SpawnBackend& effect) = 0;
    virtual void perform(const core::ProbeBackend& effect) = 0;
    virtual void perform(const core::RunHook& effect) = 0;
    virtual void perform(const core::AnnounceReady& effect) = 0;
    virtual void perform(const core::TakeOver& effect) = 0;
    virtual void perform(const core::StopBackend& effect) = 0;
    virtual void perform(const core::DoubtBackend& effect) = 0;
    virtual void perform(const core::KillBackend& effect) = 0;
    virtual void perform(const core::QuarantinePlace& effect) = 0;
    virtual void perform(const core::BackOff& effect) = 0;
    virtual void perform(const core::AnnounceFailing& effect) = 0;
    // A client will be inside.
    virtual void perform(const core::AdmitClient& effect) = 0;
    virtual void perform(const core::CutClient& effect) = 0;

    // What its whole tree uses, in bytes, where that may matter.
    virtual std::optional<std::uint64_t> memory_of(core::Generation generation) = 0;
    // What its whole tree has used of the processors so far.
    virtual std::optional<std::chrono::nanoseconds> processor_time_of(
        core::Generation generation) = 0;

    // What an operator may see of a generation, if it is known here.
    struct Facts {
        std::string address;
        std::optional<int> pid;               // of the program we started
        std::optional<std::uint64_t> memory;  // of its whole tree, in bytes, at a glance
        std::size_t zombies = 0;              // in it
    };
    virtual std::optional<Facts> facts_of(core::Generation generation) const = 0;

    // Of a generation that is not ending.
    virtual io::Destination address_of(core::Generation generation) const = 0;
    virtual std::string instance_of(core::Generation generation) const = 0;
    // It is being ended, or has ended.
    virtual bool is_ending(core::Generation generation) const = 0;
    // It ended unasked, not long ago.
    virtual bool has_died(core::Generation generation) const = 0;

    // What is told of them to an operator's programs.
    virtual Notices& notices() = 0;

    // KILL to everything we have started, and no look back.
    virtual void kill_all() = 0;
};

}  // namespace tcplock::daemon
