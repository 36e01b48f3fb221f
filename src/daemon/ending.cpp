#include "daemon/ending.hpp"

#include "daemon/log.hpp"
#include "io/probe.hpp"
#include "io/socket_owner.hpp"
#include "io/turn.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <csignal>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using namespace std::chrono_literals;

namespace {

constexpr auto refusal_limit = 1s;
constexpr core::Duration request_limit = 1s;
// How often a tree that is being ended is looked at, beside every reap.
constexpr std::chrono::milliseconds first_look = 10ms;
constexpr std::chrono::milliseconds shortest_look = 5ms;
constexpr std::chrono::milliseconds slowest_look = 1s;
// So long is the last output waited for before an end is told without it.
constexpr auto output_limit = 200ms;

}  // namespace

Ending::Ending(boost::asio::io_context& io, const config::Config& config, io::Reaper& reaper,
               Kinship& kinship, io::TaskGroup& tasks, Callbacks callbacks)
    : io_(io),
      config_(config),
      reaper_(reaper),
      kinship_(kinship),
      tasks_(tasks),
      callbacks_(std::move(callbacks)) {}

void Ending::begin(LifePtr life) {
    life->stop_began = steady_clock::now();
    life->tell_by = life->stop_began + output_limit;
    // They must not reach who lives there next.
    tasks_.cancel(life->probe);
    tasks_.cancel(life->hook);
    kinship_.adopt_strays(*life);
    if (!life->is_killed) {
        life->request = tasks_.spawn("request to end", ask(life));
    }
    tasks_.spawn("stop", clear(life));
}

void Ending::kill(Life& life) {
    life.is_killed = true;
    tasks_.cancel(life.request);
    signal(life, SIGKILL);
}

boost::asio::awaitable<void> Ending::ask(LifePtr life) {
    const bool speaks_uno = std::holds_alternative<config::UnoProbe>(life->setting.probe.kind);
    if (speaks_uno && life->has_answered) {
        co_await ask_in_its_own_protocol(life);
    }
    co_await io::turn();
    // Also when it has ended: others of its tree may not have. A stopped process is deaf to all but
    // KILL, and so is told to go on.
    signal(*life, life->setting.stop_signal, SIGCONT);
}

// An office that ends so cleans up behind itself, which no signal makes it do. Half of the grace is
// for that; the other half for the signal, if it hangs after all. One that does not even answer is
// signalled soon.
boost::asio::awaitable<void> Ending::ask_in_its_own_protocol(LifePtr life) {
    const core::Duration half = config_.policy.backend.stop_grace / 2;
    const auto deadline = steady_clock::now() + half;
    std::string why_not = kinship_.doubt_who_answers(*life);
    if (why_not.empty()) {
        const io::ProbeResult result =
            co_await io::probe(io::UnoProbe{uno::Question::termination}, life->destination(),
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

// ---- Until nothing is left ---------------------------------------------------------------------

void Ending::signal(Life& life, int number, int then) {
    const io::SignalResult result = life.tree.signal(number, then);
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

// Ends when the whole tree is gone and the address refuses, however long that takes.
boost::asio::awaitable<void> Ending::clear(LifePtr life) {
    std::chrono::milliseconds pause = first_look;
    while (true) {
        const bool is_done = co_await is_clear(life);
        if (is_done) {
            break;
        }
        co_await next_look(pause);
        pause = std::min(pause * 2, slowest_look);
        if (life->output->has_ended() || steady_clock::now() >= life->tell_by) {
            tell_end_once(*life);
        }
    }
    life->output->close();  // A stray that we may not end may hold the other end for ever.
    tell_end_once(*life);
    co_await callbacks_.cleared(life);
}

boost::asio::awaitable<bool> Ending::is_clear(LifePtr life) {
    // Each look is a walk through /proc, and before each of them everybody else has his turn.
    co_await io::turn();
    if (life->is_killed) {
        signal(*life, SIGKILL);  // Again and again: it may fork while it dies.
    }
    // A leader that has not been reaped is there, whatever can be seen of it; and a probe, a
    // hook or a request that goes on could reach who lives there next.
    const bool is_talking = tasks_.is_running(life->probe) || tasks_.is_running(life->hook) ||
                            tasks_.is_running(life->request);
    if (!life->exit || is_talking) {
        co_return false;
    }
    const bool is_gone = co_await io::is_empty(life->tree);
    if (!is_gone) {
        co_return false;
    }
    // Last of all: the tree may have handed somebody to us while it was looked at. And at once:
    // whom a look for another's strays finds meanwhile to be this one's would be none of the strays
    // here.
    if (kinship_.adopt_strays(*life) != Strays::none) {
        co_return false;
    }
    const bool accepts = co_await io::accepts(life->setting.address, refusal_limit);
    // With the tree gone, whoever listens there is a stranger. The next start will see him.
    co_return !accepts || io::listens(life->setting.address) == io::Listens::yes;
}

boost::asio::awaitable<void> Ending::next_look(std::chrono::milliseconds at_latest) {
    co_await reaper_.next_reap(steady_clock::now() + at_latest);
    // A look is a walk through /proc: not one for each of a thousand children.
    boost::asio::steady_timer breath(io_, shortest_look);
    (void)co_await breath.async_wait(io::use_result);
}

// An end that leaves nothing to tell is told by the line of its recycle.
void Ending::tell_end_once(Life& life) {
    if (!std::exchange(life.end_is_told, true)) {
        callbacks_.tell_end(life);
    }
}

}  // namespace tcplock::daemon
