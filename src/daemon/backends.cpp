#include "daemon/backends.hpp"

#include "daemon/log.hpp"
#include "io/address.hpp"
#include "io/orphans.hpp"
#include "io/socket_owner.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

constexpr auto orphan_limit = 10s;
constexpr auto refusal_limit = 1s;
constexpr core::Duration request_limit = 1s;
// For sessions that still end when a new generation serves already.
constexpr std::size_t deaths_remembered = 16;
// How often a tree that is being ended is looked at, beside every reap.
constexpr std::chrono::milliseconds first_look = 10ms;
constexpr std::chrono::milliseconds shortest_look = 5ms;
constexpr std::chrono::milliseconds slowest_look = 1s;
// So long is the last output waited for before an end is told without it.
constexpr auto output_limit = 200ms;

// What an office is asked. While a client is inside nothing that would wait for its job, unless
// that is the question.
uno::Question question_for(core::ProbePurpose purpose) {
    switch (purpose) {
        case core::ProbePurpose::readiness:
            return uno::Question::root_object;
        case core::ProbePurpose::liveness:
            return uno::Question::round_trip;
        case core::ProbePurpose::admission:
            return uno::Question::open_documents;
        case core::ProbePurpose::idleness:
            return uno::Question::main_lock;
    }
    return uno::Question::round_trip;
}

struct ToIo {
    core::ProbePurpose purpose;

    io::ProbeSpec operator()(const config::UnoProbe&) const {
        return io::UnoProbe{question_for(purpose)};
    }
    io::ProbeSpec operator()(const config::ConnectProbe&) const { return io::ConnectProbe{}; }
    io::ProbeSpec operator()(const config::GreetingProbe& probe) const {
        return io::GreetingProbe{probe.expect};
    }
    io::ProbeSpec operator()(const config::ExchangeProbe& probe) const {
        return io::ExchangeProbe{probe.send, probe.expect};
    }
    io::ProbeSpec operator()(const config::HttpProbe& probe) const {
        return io::HttpProbe{probe.path, static_cast<unsigned>(probe.status)};
    }
    io::ProbeSpec operator()(const config::CommandProbe&) const { return {}; }
};

core::ProbeEnded::Verdict verdict_of(const io::ProbeResult& result) {
    if (result.answered) {
        return core::ProbeEnded::Verdict::answered;
    }
    return result.is_busy ? core::ProbeEnded::Verdict::busy : core::ProbeEnded::Verdict::failed;
}

}  // namespace

Backends::Backends(boost::asio::io_context& io, const config::Config& config,
                   const StateDirectory& state, io::Reaper& reaper, Hooks hooks,
                   io::TaskGroup& tasks)
    : io_(io),
      config_(config),
      reaper_(reaper),
      probe_commands_(io, reaper),
      hooks_(std::move(hooks)),
      places_(config, state),
      tasks_(tasks),
      kinship_(reaper, lives_, places_.user()) {}

LifePtr Backends::find(core::Generation generation) const {
    const auto found = lives_.find(generation);
    return found == lives_.end() ? nullptr : found->second;
}

io::tcp::endpoint Backends::address_of(core::Generation generation) const {
    return lives_.at(generation)->setting.address;
}

std::string Backends::instance_of(core::Generation generation) const {
    const LifePtr life = find(generation);
    return life ? life->setting.values.instance : "-";
}

bool Backends::is_ending(core::Generation generation) const {
    const LifePtr life = find(generation);
    return !life || life->is_stopping;
}

bool Backends::has_died(core::Generation generation) const {
    return std::find(died_.begin(), died_.end(), generation) != died_.end();
}

boost::asio::awaitable<void> Backends::end_orphans() {
    const io::OrphanReport report = co_await io::end_orphans(places_.cookie(), orphan_limit);
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

void Backends::perform(const core::SpawnBackend& effect) {
    auto setting = places_.prepare(effect);
    if (auto* const unfit = std::get_if<Unfit>(&setting)) {
        why_not_spawned_ = unfit->why;
        hooks_.feed(core::SpawnFailed{effect.generation});
        return;
    }
    auto child = io::spawn(io_, std::get<Setting>(setting).child);
    if (auto* const failure = std::get_if<io::SpawnFailure>(&child)) {
        why_not_spawned_ = failure->what;
        hooks_.feed(core::SpawnFailed{effect.generation});
        return;
    }
    begin_life(effect, std::move(std::get<Setting>(setting)),
               std::move(std::get<io::Child>(child)));
}

void Backends::begin_life(const core::SpawnBackend& effect, Setting setting, io::Child child) {
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
    hooks_.feed(core::BackendSpawned{effect.generation, jitter});
}

boost::asio::awaitable<void> Backends::read_output(LifePtr life) {
    co_await life->output->drain();
}

void Backends::perform(const core::AnnounceReady& effect) {
    failed_starts_.forget();
    if (const LifePtr life = find(effect.generation)) {
        life->has_answered = true;
    }
    Line(Line::Level::info, "backend ready")
        .with("instance", instance_of(effect.generation))
        .with("generation", core::number(effect.generation))
        .with("after", effect.after);
}

void Backends::perform(const core::TakeOver& effect) {
    if (const LifePtr life = find(effect.generation)) {
        life->setting.values.instance = std::to_string(core::number(effect.instance));
        Line(Line::Level::info, "backend takes over")
            .with("instance", life->setting.values.instance)
            .with("generation", core::number(effect.generation));
    }
}

// ---- Probes ------------------------------------------------------------------------------------

void Backends::perform(const core::ProbeBackend& effect) {
    const LifePtr life = find(effect.generation);
    life->probe = tasks_.spawn("probe", probe(life, effect.purpose));
}

boost::asio::awaitable<void> Backends::probe(LifePtr life, core::ProbePurpose purpose) {
    io::ProbeResult result;
    if (std::holds_alternative<config::CommandProbe>(config_.probe.kind)) {
        result = co_await probe_by_command(life);
    } else {
        const io::ProbeSpec spec = std::visit(ToIo{purpose}, config_.probe.kind);
        result = co_await io::probe(spec, life->setting.address, config_.probe.timeout);
    }
    if (life->is_stopping) {
        co_return;  // It was cancelled, and says nothing of the backend.
    }
    // An answer is believed for the first time only if it comes from the generation's own tree.
    if (result.answered && purpose == core::ProbePurpose::readiness) {
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
    hooks_.feed(core::ProbeEnded{life->generation, verdict_of(result), result.documents > 0});
}

boost::asio::awaitable<io::ProbeResult> Backends::probe_by_command(LifePtr life) {
    const auto& command = std::get<config::CommandProbe>(config_.probe.kind).command;
    io::ChildSpec child = places_.beside(life->setting, command);
    co_return co_await probe_commands_.run(std::move(child), config_.probe.timeout);
}

// ---- Ending ------------------------------------------------------------------------------------

void Backends::leader_exited(LifePtr life, io::ExitStatus status) {
    life->exit = status;
    life->inside_at_death = hooks_.inside(life->generation);
    const bool by_signal = status.signal != 0;
    hooks_.feed(
        core::BackendExited{life->generation,
                            {by_signal ? core::Exit::Kind::signal : core::Exit::Kind::status,
                             by_signal ? status.signal : status.code}});
}

void Backends::perform(const core::StopBackend& effect) {
    const LifePtr life = find(effect.generation);
    tell_stop(*life, effect);
    life->is_stopping = true;
    life->has_died = effect.reason == core::StopReason::died;
    if (life->has_died) {
        died_.push_back(effect.generation);
        if (died_.size() > deaths_remembered) {
            died_.pop_front();
        }
    }
    life->is_killed = effect.how == core::StopHow::kill;
    life->stop_began = steady_clock::now();
    life->tell_by = life->stop_began + output_limit;
    tasks_.cancel(life->probe);  // It must not reach who lives there next.
    kinship_.adopt_strays(*life);
    if (!life->is_killed) {
        life->request = tasks_.spawn("request to end", ask_to_end(life));
    }
    tasks_.spawn("stop", clear_place(life));
}

boost::asio::awaitable<void> Backends::ask_to_end(LifePtr life) {
    const bool speaks_uno = std::holds_alternative<config::UnoProbe>(config_.probe.kind);
    if (speaks_uno && life->has_answered) {
        co_await end_by_its_own_protocol(life);
    }
    // Also when it has ended: others of its tree may not have.
    signal(*life, config_.backend.stop_signal);
    signal(*life, SIGCONT);  // A stopped process is deaf to all but KILL.
}

// An office that ends so cleans up behind itself, which no signal makes it do. Half of the grace is
// for that; the other half for the signal, if it hangs after all. One that does not even answer is
// signalled soon.
boost::asio::awaitable<void> Backends::end_by_its_own_protocol(LifePtr life) {
    const core::Duration half = config_.policy.backend.stop_grace / 2;
    const auto deadline = steady_clock::now() + half;
    std::string why_not = kinship_.doubt_who_answers(*life);
    if (why_not.empty()) {
        const io::ProbeResult result =
            co_await io::probe(io::UnoProbe{uno::Question::termination}, life->setting.address,
                               std::min<core::Duration>(request_limit, half));
        why_not = result.detail;
    }
    if (!why_not.empty()) {
        Line(Line::Level::debug, "the office does not end when asked, signalling it")
            .with("instance", life->setting.values.instance)
            .with("generation", core::number(life->generation))
            .with("why", why_not);
        co_return;
    }
    while (!life->exit && steady_clock::now() < deadline) {
        co_await reaper_.next_reap(deadline);
    }
}

void Backends::perform(const core::KillBackend& effect) {
    const LifePtr life = find(effect.generation);
    Line(Line::Level::warn, "backend did not end when asked, killing it")
        .with("instance", life->setting.values.instance)
        .with("generation", core::number(effect.generation))
        .with("grace", config_.policy.backend.stop_grace);
    life->is_killed = true;
    tasks_.cancel(life->request);
    signal(*life, SIGKILL);
}

void Backends::signal(Life& life, int number) {
    const io::SignalResult result = life.tree.signal(number);
    for (const io::Refusal& refusal : result.refused) {
        const std::pair process(refusal.member.pid, refusal.member.start_time);
        if (!life.refusals_told.insert(process).second) {
            continue;
        }
        Line(Line::Level::error, "a process of the backend may not be signalled")
            .with("generation", core::number(life.generation))
            .with("pid", static_cast<std::uint64_t>(refusal.member.pid))
            .with("name", refusal.member.name)
            .with("why", refusal.error.message());
    }
}

// First what needs no memory, for we may be ending for want of it.
void Backends::kill_all() {
    for (const auto& [generation, life] : lives_) {
        life->tree.signal_unseen(SIGKILL);
    }
    probe_commands_.kill_unseen();
    for (const auto& [generation, life] : lives_) {
        life->tree.signal(SIGKILL);
    }
    probe_commands_.kill_all();
}

// Ends when the whole tree is gone and the address refuses, however long that takes.
boost::asio::awaitable<void> Backends::clear_place(LifePtr life) {
    std::chrono::milliseconds pause = first_look;
    while (true) {
        const bool is_done = co_await is_clear(life);
        if (is_done) {
            break;
        }
        co_await next_look(pause);
        pause = std::min(pause * 2, slowest_look);
        if (life->output->has_ended() || steady_clock::now() >= life->tell_by) {
            tell_end(*life);
        }
    }
    end_life(*life);
}

boost::asio::awaitable<bool> Backends::is_clear(LifePtr life) {
    if (life->is_killed) {
        signal(*life, SIGKILL);  // Again and again: it may fork while it dies.
    }
    // A leader that has not been reaped is there, whatever can be seen of it; and a probe or a
    // request that goes on could reach who lives there next.
    const bool is_talking = tasks_.is_running(life->probe) || tasks_.is_running(life->request);
    if (!life->exit || is_talking || !life->tree.empty()) {
        co_return false;
    }
    // Last of all: the tree may have handed somebody to us while it was looked at.
    if (kinship_.adopt_strays(*life) != Strays::none) {
        co_return false;
    }
    const bool accepts = co_await io::accepts(life->setting.address, refusal_limit);
    // With the tree gone, whoever listens there is a stranger. The next start will see him.
    co_return !accepts || io::listens(life->setting.address) == io::Listens::yes;
}

boost::asio::awaitable<void> Backends::next_look(std::chrono::milliseconds at_latest) {
    co_await reaper_.next_reap(steady_clock::now() + at_latest);
    // A look is a walk through /proc: not one for each of a thousand children.
    boost::asio::steady_timer breath(io_, shortest_look);
    (void)co_await breath.async_wait(io::use_result);
}

void Backends::end_life(Life& life) {
    life.output->close();  // A stray that we may not end may hold the other end for ever.
    tell_end(life);
    const core::Generation generation = life.generation;
    Line(Line::Level::info, "backend stopped")
        .with("instance", life.setting.values.instance)
        .with("generation", core::number(generation))
        .with("took", steady_clock::now() - life.stop_began)
        .with("exit", in_words(*life.exit));
    lives_.erase(generation);
    hooks_.feed(core::PlaceCleared{generation});
}

void Backends::perform(const core::QuarantinePlace& effect) {
    const LifePtr life = find(effect.generation);
    life->is_quarantined = true;
    tell_quarantine(*life, effect.place);
}

// ---- Telling -----------------------------------------------------------------------------------

void Backends::perform(const core::BackOff& effect) {
    const LifePtr life = find(effect.generation);
    if (!life) {
        failed_starts_.tell(nullptr, effect, why_not_spawned_);
    } else if (effect.failed_starts > 0) {
        life->failed_start = effect;
    } else {
        Line(Line::Level::warn, "backend lived too briefly, waiting before the next start")
            .with("instance", life->setting.values.instance)
            .with("generation", core::number(effect.generation))
            .with("next_try_in", effect.delay);
    }
}

void Backends::perform(const core::AnnounceFailing& effect) {
    Line(Line::Level::error,
         "backend failing: newcomers are refused until a start succeeds; those who wait keep "
         "their place")
        .with("failures", effect.failed_starts);
}

// An end that leaves nothing to tell is told by the line of its recycle.
void Backends::tell_end(Life& life) {
    if (std::exchange(life.end_is_told, true)) {
        return;
    }
    if (life.failed_start) {
        failed_starts_.tell(&life, *life.failed_start, why_start_failed(life));
    } else if (life.has_died) {
        tell_death(life);
    }
}

}  // namespace tcplock::daemon
