// The shell's half that does what the core says about backends: spawns, probes, signals, waits for
// the tree to be gone, and tells the log.
//
// It decides nothing. Every effect leads to the event the core waits for; news carries its
// generation. A generation is known here from its spawn until its place is clear.
#pragma once

#include "config/config.hpp"
#include "core/effects.hpp"
#include "core/events.hpp"
#include "daemon/kinship.hpp"
#include "daemon/life.hpp"
#include "daemon/place.hpp"
#include "daemon/probe_command.hpp"
#include "io/probe.hpp"
#include "io/reaper.hpp"
#include "io/task_group.hpp"

#include <chrono>
#include <deque>
#include <functional>
#include <random>
#include <string>

namespace tcplock::daemon {

class Backends {
public:
    struct Hooks {
        std::function<void(core::Event)> feed;
        // How many clients are inside a generation, for the log.
        std::function<std::size_t(core::Generation)> inside;
    };

    Backends(boost::asio::io_context& io, const config::Config& config, const StateDirectory& state,
             io::Reaper& reaper, Hooks hooks, io::TaskGroup& tasks);

    void perform(const core::SpawnBackend& effect);
    void perform(const core::ProbeBackend& effect);
    void perform(const core::AnnounceReady& effect);
    void perform(const core::TakeOver& effect);
    void perform(const core::StopBackend& effect);
    void perform(const core::KillBackend& effect);
    void perform(const core::QuarantinePlace& effect);
    void perform(const core::BackOff& effect);
    void perform(const core::AnnounceFailing& effect);

    io::tcp::endpoint address_of(core::Generation generation) const;
    std::string instance_of(core::Generation generation) const;
    // It is being ended, or has ended.
    bool is_ending(core::Generation generation) const;
    // It ended unasked, not long ago.
    bool has_died(core::Generation generation) const;

    // KILL to every tree, also to those of probe commands, and no look back.
    void kill_all();

    // Ends what an earlier supervisor of this state directory left behind.
    boost::asio::awaitable<void> end_orphans();

private:
    LifePtr find(core::Generation generation) const;
    void begin_life(const core::SpawnBackend& effect, Setting setting, io::Child child);
    void leader_exited(LifePtr life, io::ExitStatus status);
    boost::asio::awaitable<void> read_output(LifePtr life);
    boost::asio::awaitable<void> probe(LifePtr life, core::ProbePurpose purpose);
    boost::asio::awaitable<io::ProbeResult> probe_by_command(LifePtr life);
    boost::asio::awaitable<void> ask_to_end(LifePtr life);
    boost::asio::awaitable<void> end_by_its_own_protocol(LifePtr life);
    boost::asio::awaitable<void> clear_place(LifePtr life);
    boost::asio::awaitable<bool> is_clear(LifePtr life);
    boost::asio::awaitable<void> next_look(std::chrono::milliseconds at_latest);
    void end_life(Life& life);
    void signal(Life& life, int number);
    void tell_end(Life& life);

    boost::asio::io_context& io_;
    const config::Config& config_;
    io::Reaper& reaper_;
    ProbeCommands probe_commands_;
    Hooks hooks_;
    Places places_;
    io::TaskGroup& tasks_;
    Lives lives_;
    Kinship kinship_;
    std::mt19937_64 random_{std::random_device{}()};
    std::deque<core::Generation> died_;  // the last few
    std::string why_not_spawned_;        // the last time
    FailedStarts failed_starts_;
};

}  // namespace tcplock::daemon
