#include "daemon/probe_command.hpp"

#include "daemon/place.hpp"
#include "io/output.hpp"
#include "io/timeout.hpp"
#include "io/tree.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using std::chrono::steady_clock;

namespace {

constexpr auto cookie_variable = "TCPLOCK_PROBE";
constexpr std::chrono::milliseconds look_interval{100};
// After the timeout: for KILL to be done and the last output to be read.
constexpr std::chrono::seconds farewell_limit{1};

struct Run {
    Run(io::Tree tree_of_it, steady_clock::time_point limit)
        : tree(std::move(tree_of_it)), until(limit) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    // However the probe ends, also when it is cancelled, nothing of it goes on.
    ~Run() {
        if (!is_gone) {
            tree.signal(SIGKILL);
        }
    }

    io::Tree tree;
    steady_clock::time_point until;
    std::optional<io::ExitStatus> exit;
    bool is_gone = false;  // its whole tree
    bool ran_out_of_time = false;
    std::string last_line;
};

// Ends when the program has exited and nothing of its tree is left; kills what is left at the end
// of its time, and what outlives the program itself.
boost::asio::awaitable<void> await_end(io::Reaper& reaper, std::shared_ptr<Run> run) {
    while (!run->tree.empty()) {
        const auto now = steady_clock::now();
        run->ran_out_of_time |= !run->exit && now >= run->until;
        if (run->exit || run->ran_out_of_time) {
            run->tree.signal(SIGKILL);
        }
        const auto look_again = now + look_interval;
        co_await reaper.next_reap(now < run->until ? std::min(run->until, look_again) : look_again);
    }
    run->is_gone = true;
}

boost::asio::awaitable<void> await_end_and_output(io::Reaper& reaper, std::shared_ptr<Run> run,
                                                  std::shared_ptr<io::Output> output) {
    using namespace boost::asio::experimental::awaitable_operators;
    co_await (await_end(reaper, run) && output->drain());
}

std::string why(const Run& run) {
    std::string text =
        run.ran_out_of_time || !run.exit ? "did not end in time" : io::in_words(*run.exit);
    return run.last_line.empty() ? text : text + ": " + run.last_line;
}

}  // namespace

void ProbeCommands::kill_unseen() {
    for (const auto& entry : running_) {
        if (const auto tree = entry.lock()) {
            tree->signal_unseen(SIGKILL);
        }
    }
}

void ProbeCommands::kill_all() {
    for (const auto& entry : running_) {
        if (const auto tree = entry.lock()) {
            tree->signal(SIGKILL);
        }
    }
}

boost::asio::awaitable<io::ProbeResult> ProbeCommands::run(io::ChildSpec child,
                                                           std::chrono::nanoseconds timeout) {
    // The backend's own cookie would make it a part of the backend's tree.
    const std::string value =
        child.environment[supervisor_variable] + "-" + std::to_string(++runs_);
    child.environment[cookie_variable] = value;
    const auto began = steady_clock::now();
    auto spawned = io::spawn(io_, child);
    if (const auto* const failure = std::get_if<io::SpawnFailure>(&spawned)) {
        co_return io::ProbeResult{false, failure->what, steady_clock::now() - began};
    }
    auto& program = std::get<io::Child>(spawned);
    const auto run = std::make_shared<Run>(
        io::Tree(program.pid, std::string(cookie_variable) + "=" + value), began + timeout);
    std::erase_if(running_, [](const auto& entry) { return entry.expired(); });
    running_.push_back(std::shared_ptr<io::Tree>(run, &run->tree));
    // Weakly: the reaper's memory of the program must not keep a cancelled probe alive.
    reaper_.own(program.pid, [weak = std::weak_ptr(run)](io::ExitStatus status) {
        if (const auto probed = weak.lock()) {
            probed->exit = status;
        }
    });
    io::OutputSink sink;
    sink.line = [run](std::string_view line) { run->last_line = line; };
    sink.dropped = [run](std::uint64_t, const std::deque<std::string>& last) {
        run->last_line = last.back();
    };
    // Who holds the pipe or cannot be killed must not hold up the answer as well.
    auto output = std::make_shared<io::Output>(std::move(program.output), std::move(sink));
    auto end = await_end_and_output(reaper_, run, std::move(output));
    const bool ended = co_await io::with_timeout(std::move(end), timeout + farewell_limit);
    run->ran_out_of_time |= !ended;
    const auto took = steady_clock::now() - began;
    const bool answered = !run->ran_out_of_time && run->exit == io::ExitStatus{};
    co_return io::ProbeResult{answered, answered ? std::string{} : why(*run), took};
}

}  // namespace tcplock::daemon
