// Backends that are our own children: spawns, probes and ends them, and tells the log.
#pragma once

#include "admin/record.hpp"
#include "config/config.hpp"
#include "daemon/backends.hpp"
#include "daemon/command.hpp"
#include "daemon/ending.hpp"
#include "daemon/hooks.hpp"
#include "daemon/kinship.hpp"
#include "daemon/life.hpp"
#include "daemon/litter.hpp"
#include "daemon/memory.hpp"
#include "daemon/place.hpp"
#include "daemon/profiles.hpp"
#include "daemon/state_directory.hpp"
#include "io/probe.hpp"
#include "io/reaper.hpp"
#include "io/task_group.hpp"

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

namespace tcplock::daemon {

class OwnBackends final : public Backends {
public:
    // Locks the state directory. `run` names this run of ours (daemon/warden.hpp), `limits` are
    // those of the configuration, or lower. Throws std::runtime_error with a sentence for the
    // operator.
    OwnBackends(boost::asio::io_context& io, const config::Config& config, const std::string& run,
                const core::RecyclePolicy& limits, io::Reaper& reaper, admin::Record& record,
                Callbacks callbacks, io::TaskGroup& tasks);

    boost::asio::awaitable<void> begin() override;

    void perform(const core::SpawnBackend& effect) override;
    void perform(const core::ProbeBackend& effect) override;
    void perform(const core::RunHook& effect) override;
    void perform(const core::AnnounceReady& effect) override;
    void perform(const core::TakeOver& effect) override;
    void perform(const core::StopBackend& effect) override;
    void perform(const core::DoubtBackend& effect) override;
    void perform(const core::KillBackend& effect) override;
    void perform(const core::QuarantinePlace& effect) override;
    void perform(const core::BackOff& effect) override;
    void perform(const core::AnnounceFailing& effect) override;
    void perform(const core::AdmitClient& effect) override;
    void perform(const core::CutClient& effect) override;

    std::optional<std::uint64_t> memory_of(core::Generation generation) override;
    std::optional<std::chrono::nanoseconds> processor_time_of(core::Generation generation) override;

    std::optional<Facts> facts_of(core::Generation generation) const override;
    io::Destination address_of(core::Generation generation) const override;
    std::string instance_of(core::Generation generation) const override;
    bool is_ending(core::Generation generation) const override;
    bool has_died(core::Generation generation) const override;

    Notices& notices() override { return notices_; }
    void kill_all() override;

private:
    LifePtr find(core::Generation generation) const;
    std::string restore_state_directory();
    boost::asio::awaitable<void> spawn(core::SpawnBackend effect, std::shared_ptr<Setting> setting);
    boost::asio::awaitable<std::string> provide_profile(core::SpawnBackend effect,
                                                        const Setting& setting);
    void spawn_at(const core::SpawnBackend& effect, Setting& setting, const std::string& why_not);
    void could_not_spawn(core::Generation generation, const std::string& why);
    void begin_life(const core::SpawnBackend& effect, Setting setting, io::Child child);
    void leader_exited(LifePtr life, io::ExitStatus status);
    boost::asio::awaitable<void> read_output(LifePtr life);
    boost::asio::awaitable<void> probe(LifePtr life, core::ProbePurpose purpose);
    boost::asio::awaitable<io::ProbeResult> probe_by_command(LifePtr life);
    boost::asio::awaitable<void> run_hook(core::RunHook what, LifePtr life);
    boost::asio::awaitable<void> leave(LifePtr life);
    void tell_end(Life& life);

    boost::asio::io_context& io_;
    const config::Config& config_;
    io::Reaper& reaper_;
    admin::Record& record_;
    Commands commands_;
    Callbacks callbacks_;
    StateDirectory state_;
    Places places_;
    Profiles profiles_;
    Litter litter_;
    io::TaskGroup& tasks_;
    std::map<core::Generation, std::shared_ptr<Setting>> spawning_;  // no process so far
    std::map<core::Generation, std::string> why_not_spawned_;        // until it is told
    std::set<core::PlaceId> replaced_;  // whose profile was, and no process came of it
    Lives lives_;
    Memory memory_;
    Kinship kinship_;
    Hooks hooks_;
    Notices notices_;
    Ending ending_;
    std::mt19937_64 random_{std::random_device{}()};
    std::deque<core::Generation> died_;  // the last few
    FailedStarts failed_starts_;
};

}  // namespace tcplock::daemon
