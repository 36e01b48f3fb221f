// A service that somebody else runs: probes it, and tells the log. It can neither be started nor
// ended, and so a generation of it is the time from one answer to the next doubt.
//
// Its place is clear when none of our clients is inside any more: they are let finish. What was
// left behind there is the business of hooks.session_timeout.
#pragma once

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

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tcplock::daemon {

class ForeignBackend final : public Backends {
public:
    ForeignBackend(boost::asio::io_context& io, const config::Config& config, io::Reaper& reaper,
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

    void job_ends(core::Generation generation) override;

    io::tcp::endpoint address_of(core::Generation generation) const override;
    std::string instance_of(core::Generation generation) const override;
    bool is_ending(core::Generation generation) const override;
    bool has_died(core::Generation generation) const override;

    void kill_all() override;

private:
    struct Trust {
        core::Generation generation;
        config::Placeholders values;
        std::vector<io::tcp::endpoint> candidates;  // all that its name stands for
        io::tcp::endpoint address;                  // the one that answered
        bool is_ending = false;
        io::TaskGroup::Id probe = {};
        io::TaskGroup::Id hook = {};
    };
    using TrustPtr = std::shared_ptr<Trust>;

    TrustPtr find(core::Generation generation) const;
    boost::asio::awaitable<void> look_up(TrustPtr trust);
    boost::asio::awaitable<void> probe(TrustPtr trust, core::ProbePurpose purpose);
    boost::asio::awaitable<io::ProbeResult> ask(TrustPtr trust, core::ProbePurpose purpose);
    boost::asio::awaitable<io::ProbeResult> ask_by_command(TrustPtr trust);
    boost::asio::awaitable<void> run_hook(core::RunHook what, TrustPtr trust);
    boost::asio::awaitable<void> leave(TrustPtr trust);

    boost::asio::io_context& io_;
    const config::Config& config_;
    Commands commands_;
    Callbacks callbacks_;
    io::TaskGroup& tasks_;
    Hooks hooks_;
    io::NameService names_;
    std::map<core::Generation, TrustPtr> trusts_;
    std::string why_not_;  // it did not answer, the last time
    FailedStarts failed_starts_;
};

}  // namespace tcplock::daemon
