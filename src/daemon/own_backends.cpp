#include "daemon/own_backends.hpp"

#include "daemon/log.hpp"
#include "daemon/probing.hpp"
#include "io/address.hpp"
#include "io/orphans.hpp"
#include "io/socket_owner.hpp"
#include "io/turn.hpp"
#include "io/unix_socket.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr auto orphan_limit = 10s;
// For sessions that still end when a new generation serves already.
constexpr std::size_t deaths_remembered = 16;

// The package can be installed without an office, and its service then says what is missing.
std::string explain(const io::SpawnFailure& failure, const io::ChildSpec& child) {
    const bool is_missing = failure.code == std::errc::no_such_file_or_directory;
    if (!is_missing || child.command.front() != "soffice") {
        return failure.what;
    }
    return failure.what +
           ". Install LibreOffice (Debian, Ubuntu: apt install libreoffice-writer-nogui "
           "libreoffice-calc-nogui libreoffice-impress-nogui), or name another in backend.command";
}

}  // namespace

OwnBackends::OwnBackends(boost::asio::io_context& io, const config::Config& config,
                         const std::string& run, const core::RecyclePolicy& limits,
                         io::Reaper& reaper, admin::Record& record, Callbacks callbacks,
                         io::TaskGroup& tasks)
    : io_(io),
      config_(config),
      reaper_(reaper),
      record_(record),
      commands_(io, reaper),
      callbacks_(std::move(callbacks)),
      state_(config.backend.state_directory),
      places_(config, state_, run),
      profiles_(config, state_, commands_),
      litter_(places_, commands_),
      tasks_(tasks),
      memory_(io, limits, callbacks_, tasks),
      kinship_(reaper, lives_, commands_, places_.user()),
      hooks_(io, config.hooks, commands_, state_.identity(), callbacks_.feed),
      notices_(io, config, hooks_, tasks),
      ending_(
          io, config, reaper, kinship_, tasks,
          {[this](Life& life) { tell_end(life); }, [this](LifePtr life) { return leave(life); }}) {}

LifePtr OwnBackends::find(core::Generation generation) const {
    const auto found = lives_.find(generation);
    return found == lives_.end() ? nullptr : found->second;
}

std::optional<Backends::Facts> OwnBackends::facts_of(core::Generation generation) const {
    const LifePtr life = find(generation);
    if (!life) {
        return std::nullopt;
    }
    const io::Tree::Use use = life->tree.at_a_glance();
    Facts facts{io::describe(life->setting.address), {}, use.memory, use.zombies};
    if (!life->exit) {
        facts.pid = life->tree.leader();
    }
    return facts;
}

io::Destination OwnBackends::address_of(core::Generation generation) const {
    return lives_.at(generation)->destination();
}

std::string OwnBackends::instance_of(core::Generation generation) const {
    const LifePtr life = find(generation);
    return life ? life->setting.values.instance : "-";
}

bool OwnBackends::is_ending(core::Generation generation) const {
    const LifePtr life = find(generation);
    return !life || life->is_stopping;
}

bool OwnBackends::has_died(core::Generation generation) const {
    return std::find(died_.begin(), died_.end(), generation) != died_.end();
}

boost::asio::awaitable<void> OwnBackends::begin() {
    const io::OrphanReport report = co_await io::end_orphans(places_.orphans(orphan_limit));
    if (!report.has_looked) {
        Line(
            Line::Level::error,
            "cannot look for orphans of an earlier supervisor: no descriptor or no memory is left; "
            "one may still hold a place");
    }
    for (const io::Orphan& orphan : report.ended) {
        Line(Line::Level::warn, "orphan of an earlier supervisor ended")
            .with("pid", static_cast<std::uint64_t>(orphan.pid))
            .with("command", orphan.command_line);
    }
    for (const io::Orphan& orphan : report.still_there) {
        Line(Line::Level::error, "orphan of an earlier supervisor could not be ended")
            .with("pid", static_cast<std::uint64_t>(orphan.pid))
            .with("command", orphan.command_line);
    }
}

// ---- Beginning ---------------------------------------------------------------------------------

void OwnBackends::perform(const core::SpawnBackend& effect) {
    const auto started = std::ranges::count_if(lives_, [](const auto& entry) {
        return !entry.second->has_answered && !entry.second->is_quarantined;
    });
    const std::size_t starting = static_cast<std::size_t>(started) + spawning_.size();
    if (!effect.instance && !memory_.has_room_for_standby(starting)) {
        callbacks_.feed(core::SpawnPostponed{effect.generation});
        return;
    }
    if (const std::string why = restore_state_directory(); !why.empty()) {
        could_not_spawn(effect.generation, why);
        return;
    }
    auto prepared = places_.prepare(effect);
    if (auto* const unfit = std::get_if<Unfit>(&prepared)) {
        could_not_spawn(effect.generation, unfit->why);
        return;
    }
    auto setting = std::make_shared<Setting>(std::get<Setting>(std::move(prepared)));
    spawning_[effect.generation] = setting;
    tasks_.spawn("spawn", spawn(effect, std::move(setting)));
}

// Why the state directory cannot be had again, if somebody has removed it; empty if all is well.
std::string OwnBackends::restore_state_directory() {
    if (state_.is_there()) {
        return {};
    }
    try {
        state_.make_anew();
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    Line(Line::Level::warn, "the state directory had been removed, it is made anew")
        .with("path", state_.path().string());
    return {};
}

boost::asio::awaitable<void> OwnBackends::spawn(core::SpawnBackend effect,
                                                std::shared_ptr<Setting> setting) {
    co_await io::turn();  // The one before it has just been looked for, and a fork takes its time.
    std::string why = places_.settle(effect.place, *setting);
    if (why.empty()) {
        why = co_await provide_profile(effect, *setting);
    }
    if (why.empty()) {
        // What a supervisor has left that was killed, or a generation that never answered.
        std::vector<std::string> left(1, io::path_of(setting->address));
        co_await litter_.sweep(*setting, std::move(left));
    }
    spawning_.erase(effect.generation);
    spawn_at(effect, *setting, why);
}

// Once it was replaced that is done, also if nothing comes of this spawn.
boost::asio::awaitable<std::string> OwnBackends::provide_profile(core::SpawnBackend effect,
                                                                 const Setting& setting) {
    const bool is_replaced = effect.remakes_profile && !replaced_.contains(effect.place);
    const auto existing = is_replaced ? Profiles::Existing::replaced : Profiles::Existing::kept;
    const std::string why =
        co_await profiles_.provide(setting.values.profile, places_.helper(setting), existing);
    if (is_replaced && why.empty()) {
        replaced_.insert(effect.place);
    }
    co_return why;
}

void OwnBackends::spawn_at(const core::SpawnBackend& effect, Setting& setting,
                           const std::string& why_not) {
    if (!why_not.empty()) {
        could_not_spawn(effect.generation, why_not);
        return;
    }
    auto child = io::spawn(io_, setting.child);
    if (auto* const failure = std::get_if<io::SpawnFailure>(&child)) {
        could_not_spawn(effect.generation, explain(*failure, setting.child));
        return;
    }
    replaced_.erase(effect.place);
    begin_life(effect, std::move(setting), std::move(std::get<io::Child>(child)));
}

void OwnBackends::could_not_spawn(core::Generation generation, const std::string& why) {
    why_not_spawned_[generation] = why;
    callbacks_.feed(core::SpawnFailed{generation});
}

void OwnBackends::begin_life(const core::SpawnBackend& effect, Setting setting, io::Child child) {
    io::Tree tree(child.pid, setting.cookie);
    auto life = std::make_shared<Life>(
        Life{effect.generation, effect.place, std::move(setting), std::move(tree)});
    lives_[effect.generation] = life;
    reaper_.own(child.pid, [this, life](io::ExitStatus status) { leader_exited(life, status); });
    Line(Line::Level::info, "backend starting")
        .with("instance", life->setting.values.instance)
        .with("generation", core::number(effect.generation))
        .with("place", core::number(effect.place))
        .with("address", io::describe(life->setting.address))
        .with("pid", static_cast<std::uint64_t>(child.pid));
    life->output.emplace(std::move(child.output), output_sink(*life, failed_starts_));
    tasks_.spawn("output", read_output(life));
    const double jitter = std::uniform_real_distribution<>(0, 1)(random_);
    callbacks_.feed(core::BackendSpawned{effect.generation, jitter});
}

boost::asio::awaitable<void> OwnBackends::read_output(LifePtr life) {
    co_await life->output->drain();
}

void OwnBackends::perform(const core::AnnounceReady& effect) {
    if (!config_.hooks.before_admission) {
        failed_starts_.forget();
    }
    if (const LifePtr life = find(effect.generation)) {
        life->has_answered = true;
        memory_.note_fresh(*life);
    }
    Line(Line::Level::info, "backend ready")
        .with("instance", instance_of(effect.generation))
        .with("generation", core::number(effect.generation))
        .with("after", effect.after);
    if (const LifePtr life = find(effect.generation)) {
        Occasion answered = occasion_of(*life);
        answered.after = effect.after;
        notices_.backend_ready(std::move(answered));
    }
}

void OwnBackends::perform(const core::TakeOver& effect) {
    const std::string instance = std::to_string(core::number(effect.instance));
    // Whom it replaces will serve no more; or is still starting, and a standby himself now.
    const auto release = [&instance](Setting& setting) {
        if (setting.values.instance == instance) {
            setting.values.instance = spare_instance;
        }
    };
    for (const auto& [generation, setting] : spawning_) {
        release(*setting);
    }
    for (const auto& [generation, life] : lives_) {
        if (!life->has_answered && !life->is_stopping) {
            release(life->setting);
        }
    }
    const LifePtr life = find(effect.generation);
    const auto spawning = spawning_.find(effect.generation);
    if (life) {
        life->setting.values.instance = instance;
    } else if (spawning != spawning_.end()) {
        spawning->second->values.instance = instance;
    }
    Line(Line::Level::info, "backend takes over")
        .with("instance", instance)
        .with("generation", core::number(effect.generation));
}

// ---- What they use -----------------------------------------------------------------------------

void OwnBackends::perform(const core::AdmitClient& effect) {
    failed_starts_.forget();
    memory_.watch(find(effect.generation));
}

std::optional<std::uint64_t> OwnBackends::memory_of(core::Generation generation) {
    const LifePtr life = find(generation);
    return life ? memory_.of(*life) : std::nullopt;
}

std::optional<std::chrono::nanoseconds> OwnBackends::processor_time_of(
    core::Generation generation) {
    const LifePtr life = find(generation);
    return life ? std::optional(life->tree.at_a_glance().processor) : std::nullopt;
}

// ---- Probes ------------------------------------------------------------------------------------

void OwnBackends::perform(const core::ProbeBackend& effect) {
    const LifePtr life = find(effect.generation);
    life->probe = tasks_.spawn("probe", probe(life, effect.purpose));
}

boost::asio::awaitable<void> OwnBackends::probe(LifePtr life, core::ProbePurpose purpose) {
    io::ProbeResult result;
    const config::Probe& asked = life->setting.probe;
    if (std::holds_alternative<config::CommandProbe>(asked.kind)) {
        result = co_await probe_by_command(life);
    } else {
        const io::ProbeSpec spec = probe_spec(asked, purpose);
        result = co_await io::probe(spec, life->destination(), asked.timeout);
    }
    const bool is_first_answer = result.answered && purpose == core::ProbePurpose::readiness;
    if (is_first_answer) {
        co_await io::turn();  // Each look at all processes takes its time.
    }
    if (life->is_stopping) {
        co_return;  // It was cancelled, and says nothing of the backend.
    }
    // An answer is believed for the first time only if it comes from the generation's own tree.
    if (is_first_answer) {
        result.detail = kinship_.doubt_who_answers(*life);
        result.answered = result.detail.empty();
        if (!result.answered && result.detail != life->last_probe) {
            Line(Line::Level::warn, "an answer is not believed")
                .with("instance", life->setting.values.instance)
                .with("generation", core::number(life->generation))
                .with("why", result.detail);
        }
    }
    life->last_probe = result.detail;
    if (is_first_answer && result.answered) {
        co_await io::turn();
        if (life->is_stopping) {
            co_return;
        }
        life->sockets = io::sockets_of(life->tree.scan().value_or(std::vector<io::Member>()));
    }
    if (!result.answered) {
        Line(Line::Level::debug, "probe without an answer")
            .with("instance", life->setting.values.instance)
            .with("generation", core::number(life->generation))
            .with("why", result.detail);
    }
    if (result.documents > 0) {
        Line(Line::Level::warn, "documents were left open by clients who have gone")
            .with("instance", life->setting.values.instance)
            .with("generation", core::number(life->generation))
            .with("documents", result.documents);
    }
    const auto verdict = verdict_of(result, purpose);
    record_.probed({life->setting.values.instance, purpose, verdict, result.duration});
    if (const auto bytes = result.answered ? memory_.of(*life) : std::nullopt) {
        callbacks_.feed(core::MemoryMeasured{life->generation, *bytes});
    }
    callbacks_.feed(core::ProbeEnded{life->generation, verdict, result.documents > 0});
}

boost::asio::awaitable<io::ProbeResult> OwnBackends::probe_by_command(LifePtr life) {
    const config::Probe& asked = life->setting.probe;
    const auto& command = std::get<config::CommandProbe>(asked.kind).command;
    io::ChildSpec child = places_.beside(life->setting, command);
    const CommandResult result =
        co_await commands_.run(std::move(child), asked.timeout, Commands::Outliving::killed);
    co_return io::ProbeResult{result.succeeded, result.why, result.took};
}

boost::asio::awaitable<void> OwnBackends::run_hook(core::RunHook what, LifePtr life) {
    Occasion occasion = occasion_of(*life);
    if (what.hook == core::Hook::session_timeout) {
        occasion.client = life->overdue;
    }
    auto run = hooks_.run(what, std::move(occasion));
    const std::string why = co_await std::move(run);
    if (what.hook == core::Hook::before_admission) {
        life->why_not_open = why;
    }
    hooks_.tell_core(what, why);
}

void OwnBackends::perform(const core::RunHook& effect) {
    const LifePtr life = find(effect.generation);
    const auto task = tasks_.spawn("hook", run_hook(effect, life));
    if (effect.hook == core::Hook::before_admission) {
        life->hook = task;  // It ends with the generation.
    }
}

// ---- Ending ------------------------------------------------------------------------------------

void OwnBackends::leader_exited(LifePtr life, io::ExitStatus status) {
    life->exit = status;
    life->inside_at_death = callbacks_.inside(life->generation);
    const bool by_signal = status.signal != 0;
    callbacks_.feed(
        core::BackendExited{life->generation,
                            {by_signal ? core::Exit::Kind::signal : core::Exit::Kind::status,
                             by_signal ? status.signal : status.code}});
}

void OwnBackends::perform(const core::StopBackend& effect) {
    const LifePtr life = find(effect.generation);
    tell_stop(*life, effect);
    life->is_stopping = true;
    life->stop = effect;
    life->is_too_large = effect.reason == core::StopReason::memory_hard_limit;
    life->has_died = effect.reason == core::StopReason::died;
    if (life->has_died) {
        died_.push_back(effect.generation);
        if (died_.size() > deaths_remembered) {
            died_.pop_front();
        }
    }
    life->is_killed = effect.how == core::StopHow::kill;
    ending_.begin(life);
}

// Who is cut for his time is whom the hook will be told of.
void OwnBackends::perform(const core::CutClient& effect) {
    if (effect.reason != core::CutReason::session_timeout) {
        return;
    }
    if (const auto guest = callbacks_.guest(effect.client)) {
        if (const LifePtr life = find(guest->generation)) {
            life->overdue = guest;
        }
    }
}

// One of our own is ended instead.
void OwnBackends::perform(const core::DoubtBackend&) {}

void OwnBackends::perform(const core::KillBackend& effect) {
    const LifePtr life = find(effect.generation);
    Line(Line::Level::warn, "backend did not end when asked, killing it")
        .with("instance", life->setting.values.instance)
        .with("generation", core::number(effect.generation))
        .with("grace", config_.policy.backend.stop_grace);
    ending_.kill(*life);
}

// First what needs no memory, for we may be ending for want of it.
void OwnBackends::kill_all() {
    for (const auto& [generation, life] : lives_) {
        life->tree.signal_unseen(SIGKILL);
    }
    commands_.kill_unseen();
    for (const auto& [generation, life] : lives_) {
        life->tree.signal(SIGKILL);
    }
    commands_.kill_all();
}

boost::asio::awaitable<void> OwnBackends::leave(LifePtr life) {
    const core::Generation generation = life->generation;
    const auto took = steady_clock::now() - life->stop_began;
    Line(Line::Level::info, "backend stopped")
        .with("instance", life->setting.values.instance)
        .with("generation", core::number(generation))
        .with("took", took)
        .with("exit", in_words(*life->exit));
    co_await litter_.sweep(life->setting, life->sockets);
    lives_.erase(generation);
    Occasion ended = occasion_of(*life);
    ended.took = took;
    ended.exit = life->exit;
    notices_.backend_stopped(std::move(ended));  // Before the core hears of it, who may finish.
    callbacks_.feed(core::PlaceCleared{generation});
}

void OwnBackends::perform(const core::QuarantinePlace& effect) {
    const LifePtr life = find(effect.generation);
    life->is_quarantined = true;
    tell_quarantine(*life, effect.place);
}

// ---- Telling -----------------------------------------------------------------------------------

void OwnBackends::perform(const core::BackOff& effect) {
    const LifePtr life = find(effect.generation);
    if (!life) {
        const auto why = why_not_spawned_.extract(effect.generation);
        failed_starts_.tell(nullptr, effect, why.empty() ? std::string() : why.mapped());
    } else if (effect.failed_starts > 0) {
        life->failed_start = effect;
    } else {
        Line(Line::Level::warn, "backend lived too briefly, waiting before the next start")
            .with("instance", life->setting.values.instance)
            .with("generation", core::number(effect.generation))
            .with("next_try_in", effect.delay);
    }
}

void OwnBackends::perform(const core::AnnounceFailing& effect) {
    tell_failing(effect);
}

// An end that leaves nothing to tell is told by the line of its recycle.
void OwnBackends::tell_end(Life& life) {
    if (life.failed_start) {
        failed_starts_.tell(&life, *life.failed_start, why_start_failed(life));
    } else if (life.has_died) {
        tell_death(life);
    }
}

}  // namespace tcplock::daemon
