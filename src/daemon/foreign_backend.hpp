// A service that somebody else runs: looks its address up, probes it, and tells the log. It can
// neither be started nor ended. A generation of it lasts until it is given up with nobody inside;
// with clients inside, who may well be served, it is only doubted.
//
// What clients have left behind there is the business of hooks.session_timeout.
#pragma once

#include "admin/record.hpp"
#include "config/config.hpp"
#include "config/placeholders.hpp"
#include "daemon/backends.hpp"
#include "daemon/command.hpp"
#include "daemon/hooks.hpp"
#include "daemon/life.hpp"
#include "io/look_up.hpp"
#include "io/probe.hpp"
#include "io/reaper.hpp"
#include "io/task_group.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tcplock::daemon {

class ForeignBackend final : public Backends {
public:
    ForeignBackend(boost::asio::io_context& io, const config::Config& config, io::Reaper& reaper,
                   admin::Record& record, Callbacks callbacks, io::TaskGroup& tasks);

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
    struct Trust {
        core::Generation generation;
        config::Placeholders values;
        // What its name stands for; after an answer the one that gave it; none: to be looked up.
        std::vector<io::Endpoint> candidates;
        io::Endpoint address;  // the one that answered
        bool is_ending = false;
        std::optional<core::StopBackend> stop = {};  // why, and after what
        std::optional<Guest> overdue = {};           // who was cut for his time, the last one
        io::TaskGroup::Id probe = {};
        io::TaskGroup::Id hook = {};
    };
    using TrustPtr = std::shared_ptr<Trust>;

    TrustPtr find(core::Generation generation) const;
    static Occasion occasion_of(const Trust& trust);
    boost::asio::awaitable<std::string> look_up(TrustPtr trust);
    boost::asio::awaitable<void> probe(TrustPtr trust, core::ProbePurpose purpose);
    boost::asio::awaitable<io::ProbeResult> ask(TrustPtr trust, core::ProbePurpose purpose);
    boost::asio::awaitable<io::ProbeResult> ask_at(TrustPtr trust, core::ProbePurpose purpose,
                                                   io::Endpoint address);
    boost::asio::awaitable<io::ProbeResult> ask_by_command(TrustPtr trust);
    boost::asio::awaitable<void> run_hook(core::RunHook what, TrustPtr trust);
    boost::asio::awaitable<void> leave(TrustPtr trust);

    boost::asio::io_context& io_;
    const config::Config& config_;
    admin::Record& record_;
    Commands commands_;
    Callbacks callbacks_;
    io::TaskGroup& tasks_;
    Hooks hooks_;
    Notices notices_;
    io::NameService names_;
    std::map<core::Generation, TrustPtr> trusts_;
    // The last look-up: not oftener than once a second, and used again if the next one fails.
    std::chrono::steady_clock::time_point looked_up_;
    std::vector<io::Endpoint> known_;
    std::string why_not_known_;
    std::string why_not_;  // it did not answer, the last time
    FailedStarts failed_starts_;
};

}  // namespace tcplock::daemon
