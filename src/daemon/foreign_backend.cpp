#include "daemon/foreign_backend.hpp"

#include "config/address.hpp"
#include "daemon/log.hpp"
#include "daemon/place.hpp"
#include "daemon/probing.hpp"
#include "daemon/random_name.hpp"
#include "io/address.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <unistd.h>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using namespace std::chrono_literals;

namespace {

constexpr auto look_up_limit = 5s;
constexpr auto between_look_ups = 1s;
constexpr std::chrono::milliseconds first_look = 5ms;
constexpr std::chrono::milliseconds slowest_look = 200ms;

}  // namespace

ForeignBackend::ForeignBackend(boost::asio::io_context& io, const config::Config& config,
                               io::Reaper& reaper, admin::Record& record, Callbacks callbacks,
                               io::TaskGroup& tasks)
    : io_(io),
      config_(config),
      record_(record),
      commands_(io, reaper),
      callbacks_(std::move(callbacks)),
      tasks_(tasks),
      hooks_(io, config.hooks, commands_, random_name(), callbacks_.feed),
      notices_(io, config, hooks_, tasks) {}

// Nothing of an earlier supervisor's can be left.
boost::asio::awaitable<void> ForeignBackend::begin() {
    co_return;
}

ForeignBackend::TrustPtr ForeignBackend::find(core::Generation generation) const {
    const auto found = trusts_.find(generation);
    return found == trusts_.end() ? nullptr : found->second;
}

Occasion ForeignBackend::occasion_of(const Trust& trust) {
    Occasion occasion{"", trust.generation, io::describe(trust.address), trust.values};
    occasion.stop = trust.stop;
    return occasion;
}

std::optional<Backends::Facts> ForeignBackend::facts_of(core::Generation generation) const {
    return find(generation) ? std::optional(Facts{config_.backend.address, {}, {}}) : std::nullopt;
}

io::Destination ForeignBackend::address_of(core::Generation generation) const {
    return trusts_.at(generation)->address;
}

std::string ForeignBackend::instance_of(core::Generation generation) const {
    const TrustPtr trust = find(generation);
    return trust ? trust->values.instance : "-";
}

bool ForeignBackend::is_ending(core::Generation generation) const {
    const TrustPtr trust = find(generation);
    return !trust || trust->is_ending;
}

bool ForeignBackend::has_died(core::Generation) const {
    return false;  // Nobody tells us.
}

void ForeignBackend::kill_all() {
    commands_.kill_unseen();
    commands_.kill_all();
}

// ---- Beginning ---------------------------------------------------------------------------------

void ForeignBackend::perform(const core::SpawnBackend& effect) {
    auto trust = std::make_shared<Trust>();
    trust->generation = effect.generation;
    trust->candidates = known_;
    why_not_ = "no answer in time";
    trust->values.name = "tcplock";
    trust->values.instance = std::to_string(core::number(*effect.instance));
    trust->values.generation = std::to_string(core::number(effect.generation));
    trust->values.uid = std::to_string(::getuid());
    const std::string& service = config_.backend.address;
    if (!service.starts_with(config::unix_prefix)) {
        trust->values.port = service.substr(service.rfind(':') + 1);
    }
    trusts_[effect.generation] = trust;
    Line(Line::Level::debug, "backend awaited")
        .with("instance", trust->values.instance)
        .with("generation", core::number(trust->generation))
        .with("address", service);
    callbacks_.feed(core::BackendSpawned{trust->generation});
}

void ForeignBackend::perform(const core::AnnounceReady& effect) {
    if (!config_.hooks.before_admission) {
        failed_starts_.forget();
    }
    const TrustPtr trust = find(effect.generation);
    Line(Line::Level::info, "backend ready")
        .with("instance", trust->values.instance)
        .with("generation", core::number(effect.generation))
        .with("address", io::describe(trust->address))
        .with("after", effect.after);
    Occasion answered = occasion_of(*trust);
    answered.after = effect.after;
    notices_.backend_ready(std::move(answered));
}

// There is no standby of a service that somebody else runs.
void ForeignBackend::perform(const core::TakeOver&) {}

void ForeignBackend::perform(const core::AdmitClient&) {
    failed_starts_.forget();
}

// Who is cut for his time is whom the hook will be told of.
void ForeignBackend::perform(const core::CutClient& effect) {
    if (effect.reason != core::CutReason::session_timeout) {
        return;
    }
    if (const auto guest = callbacks_.guest(effect.client)) {
        if (const TrustPtr trust = find(guest->generation)) {
            trust->overdue = guest;
        }
    }
}

// We do not know its processes.
std::optional<std::uint64_t> ForeignBackend::memory_of(core::Generation) {
    return std::nullopt;
}

std::optional<std::chrono::nanoseconds> ForeignBackend::processor_time_of(core::Generation) {
    return std::nullopt;
}

// ---- Probes and hooks --------------------------------------------------------------------------

void ForeignBackend::perform(const core::ProbeBackend& effect) {
    const TrustPtr trust = find(effect.generation);
    trust->probe = tasks_.spawn("probe", probe(trust, effect.purpose));
}

boost::asio::awaitable<void> ForeignBackend::probe(TrustPtr trust, core::ProbePurpose purpose) {
    const io::ProbeResult result = co_await ask(trust, purpose);
    if (trust->is_ending) {
        co_return;  // It was cancelled, and says nothing of the service.
    }
    if (!result.answered) {
        why_not_ = "no answer: " + result.detail;
        Line(Line::Level::debug, "probe without an answer")
            .with("instance", trust->values.instance)
            .with("generation", core::number(trust->generation))
            .with("why", result.detail);
    }
    const auto verdict = verdict_of(result, purpose);
    record_.probed({trust->values.instance, purpose, verdict, result.duration});
    callbacks_.feed(core::ProbeEnded{trust->generation, verdict});
}

// Each address that the name stands for is tried in turn, until one answers; and when that one does
// so no longer, the name is looked up anew.
boost::asio::awaitable<io::ProbeResult> ForeignBackend::ask(TrustPtr trust,
                                                            core::ProbePurpose purpose) {
    io::ProbeResult result;
    if (trust->candidates.empty()) {
        result.detail = co_await look_up(trust);
    }
    const auto candidates = trust->candidates;
    for (const auto& candidate : candidates) {
        result = co_await ask_at(trust, purpose, candidate);
        if (result.answered) {
            trust->address = candidate;
            trust->candidates = {candidate};
            co_return result;
        }
        result.detail = io::describe(candidate) + " " + result.detail;
    }
    // One that only misses now and then keeps its address: clients may be inside there.
    if (purpose != core::ProbePurpose::liveness) {
        trust->candidates.clear();
    }
    co_return result;
}

// A command does not say which address it has asked.
boost::asio::awaitable<io::ProbeResult> ForeignBackend::ask_at(TrustPtr trust,
                                                               core::ProbePurpose purpose,
                                                               io::Endpoint address) {
    if (!std::holds_alternative<config::CommandProbe>(config_.probe.kind)) {
        co_return co_await io::probe(probe_spec(config_.probe, purpose), address,
                                     config_.probe.timeout);
    }
    if (trust->candidates.size() > 1) {
        const io::ProbeResult reached =
            co_await io::probe(io::ConnectProbe{}, address, config_.probe.timeout);
        if (!reached.answered) {
            co_return reached;
        }
    }
    co_return co_await ask_by_command(trust);
}

// The trust's candidates, or why there are none. A name service that fails now and then does not
// take away what is known already.
boost::asio::awaitable<std::string> ForeignBackend::look_up(TrustPtr trust) {
    const std::string service = config_.backend.address;
    if (const auto socket =
            service.starts_with(config::unix_prefix) ? io::parse_address(service) : std::nullopt) {
        trust->candidates = {*socket};
        co_return std::string{};
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - looked_up_ >= between_look_ups) {
        looked_up_ = now;
        const auto limit = std::min<std::chrono::nanoseconds>(
            look_up_limit, config_.policy.backend.start_timeout / 4);
        io::LookUp found = co_await names_.look_up(service, limit);
        if (trust->is_ending) {
            co_return std::string{};  // It was broken off.
        }
        const bool is_known = !found.endpoints.empty();
        // Its clients would wait for themselves.
        std::erase_if(found.endpoints, callbacks_.is_gate);
        if (is_known && found.endpoints.empty()) {
            found.why = "it is the address of this gate itself";
        }
        if (is_known) {
            known_.assign(found.endpoints.begin(), found.endpoints.end());
        }
        const bool is_news = found.why != std::exchange(why_not_known_, found.why);
        if (is_news && !found.why.empty()) {
            Line line(Line::Level::warn, "the backend's name cannot be looked up");
            line.with("name", service).with("why", found.why);
            if (!known_.empty()) {
                line.with("trying", "what it was before");
            }
        }
    }
    trust->candidates = known_;
    co_return known_.empty() ? service + " cannot be looked up: " + why_not_known_ : std::string{};
}

boost::asio::awaitable<io::ProbeResult> ForeignBackend::ask_by_command(TrustPtr trust) {
    const auto* const probe = std::get_if<config::CommandProbe>(&config_.probe.kind);
    if (probe == nullptr) {
        co_return io::ProbeResult{false, "another kind of probe is to be sent by now"};
    }
    io::ChildSpec child = hooks_.program(probe->command, trust->values);
    const CommandResult result = co_await commands_.run(std::move(child), config_.probe.timeout,
                                                        Commands::Outliving::killed);
    co_return io::ProbeResult{result.succeeded, result.why, result.took};
}

boost::asio::awaitable<void> ForeignBackend::run_hook(core::RunHook what, TrustPtr trust) {
    Occasion occasion = occasion_of(*trust);
    if (what.hook == core::Hook::session_timeout) {
        occasion.client = trust->overdue;
    }
    auto run = hooks_.run(what, std::move(occasion));
    const std::string why = co_await std::move(run);
    if (what.hook == core::Hook::before_admission && !why.empty()) {
        why_not_ = why;
    }
    hooks_.tell_core(what, why);
}

void ForeignBackend::perform(const core::RunHook& effect) {
    const TrustPtr trust = find(effect.generation);
    const auto task = tasks_.spawn("hook", run_hook(effect, trust));
    if (effect.hook == core::Hook::before_admission) {
        trust->hook = task;  // It ends with the generation.
    }
}

// ---- Ending ------------------------------------------------------------------------------------

void ForeignBackend::perform(const core::StopBackend& effect) {
    const TrustPtr trust = find(effect.generation);
    Line line(Line::Level::info, effect.reason == core::StopReason::shutdown
                                     ? "backend left"
                                     : "backend must answer again before the next client");
    line.with("instance", trust->values.instance)
        .with("generation", core::number(effect.generation))
        .with("reason", core::to_string(effect.reason))
        .with("jobs", effect.jobs)
        .with("age", effect.age);
    if (core::is_by_probe(effect.reason)) {
        line.with("probe", why_not_);
    }
    trust->is_ending = true;
    trust->stop = effect;
    tasks_.cancel(trust->probe);
    tasks_.cancel(trust->hook);
    const std::size_t inside = callbacks_.inside(effect.generation);
    if (inside > 0) {
        line.with("inside", inside);
    }
    tasks_.spawn("leave", leave(trust));
}

// Never at once: what else the core wants of this generation is still to be done.
boost::asio::awaitable<void> ForeignBackend::leave(TrustPtr trust) {
    const auto is_busy = [this, &trust] {
        return tasks_.is_running(trust->probe) || tasks_.is_running(trust->hook) ||
               callbacks_.inside(trust->generation) > 0;
    };
    boost::asio::steady_timer timer(io_);
    auto pause = first_look;
    do {
        timer.expires_after(pause);
        (void)co_await timer.async_wait(io::use_result);
        pause = std::min(pause * 2, slowest_look);
    } while (is_busy());
    trusts_.erase(trust->generation);
    callbacks_.feed(core::PlaceCleared{trust->generation});
}

void ForeignBackend::perform(const core::DoubtBackend& effect) {
    Line line(Line::Level::warn,
              "backend is in doubt: nobody goes in before it has answered again");
    line.with("instance", instance_of(effect.generation))
        .with("generation", core::number(effect.generation))
        .with("reason", core::to_string(effect.reason))
        .with("inside", callbacks_.inside(effect.generation));
    if (core::is_by_probe(effect.reason)) {
        line.with("probe", why_not_);
    }
}

void ForeignBackend::perform(const core::KillBackend& effect) {
    callbacks_.abort_sessions(effect.generation);
}

void ForeignBackend::perform(const core::QuarantinePlace& effect) {
    Line(Line::Level::error, "clients cannot be brought to leave the backend")
        .with("generation", core::number(effect.generation))
        .with("clients", callbacks_.inside(effect.generation));
}

// ---- Telling -----------------------------------------------------------------------------------

void ForeignBackend::perform(const core::BackOff& effect) {
    if (effect.failed_starts > 0) {
        failed_starts_.tell(nullptr, effect, why_not_);
    }
}

void ForeignBackend::perform(const core::AnnounceFailing& effect) {
    tell_failing(effect);
}

}  // namespace tcplock::daemon
