#include "daemon/command.hpp"

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

constexpr auto cookie_variable = "TCPLOCK_COMMAND";
constexpr std::chrono::milliseconds look_interval{100};
// After the limit: for KILL to be done and the last output to be read.
constexpr std::chrono::seconds farewell_limit{1};

struct Run {
    Run(io::Tree tree_of_it, steady_clock::time_point limit, Commands::Outliving what_outlives)
        : tree(std::move(tree_of_it)), until(limit), outliving(what_outlives) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    // However the wait for it ends, also when it is cancelled, nothing of it goes on.
    ~Run() {
        if (!is_gone) {
            tree.signal(SIGKILL);
        }
    }

    io::Tree tree;
    steady_clock::time_point until;
    Commands::Outliving outliving;
    std::optional<io::ExitStatus> exit;
    bool is_gone = false;  // its whole tree, or all of it that is to go
    bool ran_out_of_time = false;
    std::string last_line;
};

boost::asio::awaitable<bool> has_ended(Run& run) {
    const bool may_go_on = run.outliving == Commands::Outliving::left_alone;
    if (!run.exit || (may_go_on && !run.ran_out_of_time)) {
        co_return run.exit.has_value();
    }
    co_return co_await io::is_empty(run.tree);
}

// Ends when the program has exited and nothing of its tree is left that is not to be left alone;
// kills what is left at the end of its time, and what outlives the program itself.
boost::asio::awaitable<void> await_end(io::Reaper& reaper, std::shared_ptr<Run> run) {
    while (true) {
        const bool is_done = co_await has_ended(*run);
        if (is_done) {
            break;
        }
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
    if (run->outliving == Commands::Outliving::left_alone) {
        co_await (await_end(reaper, run) || output->drain());
        co_await await_end(reaper, run);  // It may have closed its output long before.
    } else {
        co_await (await_end(reaper, run) && output->drain());
    }
}

std::string why(const Run& run) {
    std::string text =
        run.ran_out_of_time || !run.exit ? "did not end in time" : io::in_words(*run.exit);
    return run.last_line.empty() ? text : text + ": " + run.last_line;
}

}  // namespace

bool Commands::is_any_running() const {
    return std::any_of(running_.begin(), running_.end(),
                       [](const auto& entry) { return !entry.expired(); });
}

bool Commands::scan() const {
    return std::all_of(running_.begin(), running_.end(), [](const auto& entry) {
        const auto tree = entry.lock();
        return !tree || tree->scan();
    });
}

bool Commands::know(const io::ProcessStat& process) const {
    return std::any_of(running_.begin(), running_.end(), [&process](const auto& entry) {
        const auto tree = entry.lock();
        return tree && tree->knows(process);
    });
}

bool Commands::are_undecided_about(const io::ProcessStat& process) const {
    return std::any_of(running_.begin(), running_.end(), [&process](const auto& entry) {
        const auto tree = entry.lock();
        return tree && tree->is_undecided_about(process);
    });
}

void Commands::kill_unseen() {
    for (const auto& entry : running_) {
        if (const auto tree = entry.lock()) {
            tree->signal_unseen(SIGKILL);
        }
    }
}

void Commands::kill_all() {
    for (const auto& entry : running_) {
        if (const auto tree = entry.lock()) {
            tree->signal(SIGKILL);
        }
    }
}

boost::asio::awaitable<CommandResult> Commands::run(io::ChildSpec child,
                                                    std::chrono::nanoseconds limit,
                                                    Outliving outliving, Line line) {
    // The backend's own cookie would make it a part of the backend's tree.
    const std::string value =
        child.environment[supervisor_variable] + "-" + std::to_string(++runs_);
    child.environment[cookie_variable] = value;
    const auto began = steady_clock::now();
    auto spawned = io::spawn(io_, child);
    if (const auto* const failure = std::get_if<io::SpawnFailure>(&spawned)) {
        co_return CommandResult{false, failure->what, steady_clock::now() - began};
    }
    auto& program = std::get<io::Child>(spawned);
    const auto run =
        std::make_shared<Run>(io::Tree(program.pid, std::string(cookie_variable) + "=" + value),
                              began + limit, outliving);
    std::erase_if(running_, [](const auto& entry) { return entry.expired(); });
    running_.push_back(std::shared_ptr<io::Tree>(run, &run->tree));
    // Weakly: the reaper's memory of the program must not keep a cancelled run alive.
    reaper_.own(program.pid, [weak = std::weak_ptr(run)](io::ExitStatus status) {
        if (const auto ended = weak.lock()) {
            ended->exit = status;
        }
    });
    io::OutputSink sink;
    sink.line = [run, line](std::string_view text) {
        run->last_line = text;
        if (line) {
            line(text);
        }
    };
    sink.dropped = [run, line](std::uint64_t lines, const std::deque<std::string>& last) {
        run->last_line = last.back();
        if (line) {
            line("… and " + std::to_string(lines) + " lines more, the last: " + last.back());
        }
    };
    // Who holds the pipe or cannot be killed must not hold up the answer as well.
    auto output = std::make_shared<io::Output>(std::move(program.output), std::move(sink));
    auto end = await_end_and_output(reaper_, run, std::move(output));
    const bool ended = co_await io::with_timeout(std::move(end), limit + farewell_limit);
    run->ran_out_of_time |= !ended;
    const auto took = steady_clock::now() - began;
    const bool succeeded = !run->ran_out_of_time && run->exit == io::ExitStatus{};
    co_return CommandResult{succeeded, succeeded ? std::string{} : why(*run), took};
}

}  // namespace tcplock::daemon
