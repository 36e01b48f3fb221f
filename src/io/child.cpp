#include "io/child.hpp"

#include "io/child_lookup.hpp"
#include "io/child_setup.hpp"
#include "io/descriptor.hpp"

#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace tcplock::io {
namespace {

namespace asio = boost::asio;
namespace process = boost::process::v2;

// A burst of output fits without the backend waiting for us.
constexpr int output_pipe_bytes = 1 << 20;

// Signals wait while the child is not yet itself: it shares our disposition table's functions and
// Asio's signal pipe, and would report its signals as ours.
class AllSignalsBlocked {
public:
    AllSignalsBlocked() {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

private:
    sigset_t before_;
};

// If one of our own standard streams is closed, a new descriptor may take its number; dup2 in the
// child would then close what it still needs.
Descriptor above_standard_streams(Descriptor fd) {
    if (!fd || fd.get() > STDERR_FILENO) {
        return fd;
    }
    return Descriptor(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

struct Pipe {
    Descriptor read_end;
    Descriptor write_end;
};

Or<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return failure("cannot make a pipe", errno);
    }
    Pipe pipe{above_standard_streams(Descriptor(ends[0])),
              above_standard_streams(Descriptor(ends[1]))};
    if (!pipe.read_end || !pipe.write_end) {
        return failure("cannot make a pipe", errno);
    }
    return pipe;
}

// Strings as execve wants them. The strings must not change while this lives.
std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    pointers.reserve(strings.size() + 1);
    for (const std::string& text : strings) {
        pointers.push_back(const_cast<char*>(text.c_str()));
    }
    pointers.push_back(nullptr);
    return pointers;
}

std::vector<std::string> lines_of(const std::map<std::string, std::string>& environment) {
    std::vector<std::string> lines;
    lines.reserve(environment.size());
    for (const auto& [name, value] : environment) {
        lines.push_back(name);
        lines.back().append("=").append(value);
    }
    return lines;
}

std::string what_failed(SetupStage stage, const ChildSpec& spec, const std::string& program) {
    switch (stage) {
        case SetupStage::fork:
            return "cannot start another process";
        case SetupStage::session:
            return "cannot give the backend a session of its own";
        case SetupStage::standard_streams:
            return "cannot connect the backend's output";
        case SetupStage::descriptors:
            return "cannot keep our descriptors from the backend";
        case SetupStage::open_files:
            return "cannot limit open files to " + std::to_string(*spec.open_files);
        case SetupStage::address_space:
            return "cannot limit the address space to " + std::to_string(*spec.address_space) +
                   " bytes";
        case SetupStage::core_size:
            return "cannot limit core dumps to " + std::to_string(*spec.core_size) + " bytes";
        case SetupStage::nice:
            return "cannot change the niceness by " + std::to_string(spec.nice);
        case SetupStage::user:
            return "cannot become user '" + spec.user->name + "'";
        case SetupStage::directory:
            return "cannot enter directory " + spec.directory.string();
        case SetupStage::folder:
            return "cannot make, or write to, the folder " + spec.folder.string();
        case SetupStage::death_signal:
            return "cannot tie the backend's life to ours";
        case SetupStage::program:
            return "cannot run " + program;
        case SetupStage::in_time:
            return "the start of " + program + " hangs, perhaps its files do";
    }
    return "cannot start the backend";
}

SpawnFailure explain(const SetupFailure& reported, const ChildSpec& spec,
                     const std::string& program) {
    SpawnFailure told = failure(what_failed(reported.stage, spec, program), reported.error);
    // The kernel says the same of a program that is not there and of a script whose first line
    // names one.
    if (reported.stage == SetupStage::program && reported.error == ENOENT &&
        program.front() == '/' && ::access(program.c_str(), F_OK) == 0) {
        told.what += " (the file is there: what it asks to be run with is not)";
    }
    return told;
}

// What a child does until it is its program takes no time, unless its files are on a system that
// hangs, or its user has stopped it.
constexpr int setup_limit_milliseconds = 5000;

std::optional<SetupFailure> read_failure(int fd) {
    pollfd pipe{fd, POLLIN, 0};
    int ready = 0;
    do {
        ready = ::poll(&pipe, 1, setup_limit_milliseconds);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        return SetupFailure{SetupStage::in_time, ETIMEDOUT};
    }
    SetupFailure reported{};
    ssize_t size = 0;
    do {
        size = ::read(fd, &reported, sizeof reported);
    } while (size < 0 && errno == EINTR);
    if (size == static_cast<ssize_t>(sizeof reported)) {
        return reported;
    }
    return std::nullopt;
}

// A child thrown out of the launcher before our part began comes back here. There must not be two
// of us.
void stay_one(const ChildSetup& setup, int error) {
    if (::getpid() != setup.parent) {
        setup.give_up(SetupStage::fork, error);
    }
}

// Forks. In the parent the answer is the child's pid, or why there is none.
//
// Boost.Process launches through an io_context of its own: it tells the context of every fork, and
// ours would then register each client's socket anew in the child, for nothing. The process object
// is let go at once, since the Reaper alone may wait. Where it cannot be made, because the kernel
// refuses pidfds, the child runs all the same, so the launcher's pid is what counts.
Or<pid_t> launch(ChildSetup& setup) {
    process::posix::default_launcher launcher;
    boost::system::error_code error;
    try {
        asio::io_context forking(1);
        auto started =
            launcher(forking.get_executor(), error, process::filesystem::path(setup.program),
                     std::vector<std::string>(), setup);
        started.detach();
    } catch (const boost::system::system_error& thrown) {
        error = thrown.code();
    } catch (...) {
        stay_one(setup, ENOMEM);
        throw;
    }
    stay_one(setup, error.value());
    if (launcher.pid <= 0) {
        return failure(what_failed(SetupStage::fork, {}, {}), error.value());
    }
    return launcher.pid;
}

struct Plumbing {
    Pipe output;
    Pipe failures;
    Descriptor input;
};

Or<Descriptor> open_nothing() {
    Descriptor input =
        above_standard_streams(Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    if (!input) {
        return failure("cannot open /dev/null", errno);
    }
    return input;
}

// It is all in the pipe before there is anybody to read it, so that nobody waits for a reader.
Or<Descriptor> fill_pipe(const std::string& text) {
    auto made = make_pipe();
    if (auto* problem = std::get_if<SpawnFailure>(&made)) {
        return *problem;
    }
    auto& pipe = std::get<Pipe>(made);
    ::fcntl(pipe.write_end.get(), F_SETFL, O_NONBLOCK);
    const ssize_t written = ::write(pipe.write_end.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size())) {
        return failure("cannot lay out what the program is to read",
                       written < 0 ? errno : EMSGSIZE);
    }
    return std::move(pipe.read_end);
}

Or<Plumbing> lay_pipes(const std::string& to_read, const Identity* identity) {
    auto output = make_pipe();
    auto failures = make_pipe();
    auto input = to_read.empty() ? open_nothing() : fill_pipe(to_read);
    if (auto* problem = std::get_if<SpawnFailure>(&input)) {
        return *problem;
    }
    for (auto* pipe : {&output, &failures}) {
        if (auto* problem = std::get_if<SpawnFailure>(pipe)) {
            return *problem;
        }
    }
    Plumbing laid{std::get<Pipe>(std::move(output)), std::get<Pipe>(std::move(failures)),
                  std::get<Descriptor>(std::move(input))};
    // Neither is worth failing for: a pipe of the usual size works, and only a backend of another
    // user that opens /dev/stderr by name needs to own it.
    ::fcntl(laid.output.read_end.get(), F_SETPIPE_SZ, output_pipe_bytes);
    if (identity) {
        [[maybe_unused]] const int ignored =
            ::fchown(laid.output.write_end.get(), identity->uid, identity->gid);
    }
    ::fcntl(laid.output.read_end.get(), F_SETFL, O_NONBLOCK);
    return laid;
}

ChildSetup plan(const ChildSpec& spec, const Plumbing& pipes, const Identity* identity) {
    const auto as_limit = [](std::optional<std::uint64_t> value) {
        return value ? std::optional<rlim_t>(*value) : std::nullopt;
    };
    ChildSetup setup{};
    setup.parent = ::getpid();
    setup.input = pipes.input.get();
    setup.output = pipes.output.write_end.get();
    setup.failures = pipes.failures.write_end.get();
    setup.directory = spec.directory.empty() ? nullptr : spec.directory.c_str();
    setup.mask = spec.mask;
    setup.folder = spec.folder.empty() ? nullptr : spec.folder.c_str();
    setup.identity = identity;
    setup.nice_value = ::getpriority(PRIO_PROCESS, 0) + spec.nice;
    setup.oom_score_adjust = std::to_string(spec.oom_score_adjust);
    setup.open_files = as_limit(spec.open_files);
    setup.address_space = as_limit(spec.address_space);
    setup.core_size = as_limit(spec.core_size);
    return setup;
}

Or<Child> start(asio::io_context& io, const ChildSpec& spec, const std::string& program) {
    const Identity* const identity = spec.user && !is_us(*spec.user) ? &*spec.user : nullptr;
    auto laid = lay_pipes(spec.input, identity);
    if (auto* problem = std::get_if<SpawnFailure>(&laid)) {
        return *problem;
    }
    auto& pipes = std::get<Plumbing>(laid);

    const auto environment = lines_of(spec.environment);
    const auto argument_pointers = pointers_to(spec.command);
    const auto environment_pointers = pointers_to(environment);
    ChildSetup setup = plan(spec, pipes, identity);
    setup.program = program.c_str();
    setup.arguments = argument_pointers.data();
    setup.environment = environment_pointers.data();

    // Before the fork: whatever can fail here must not leave a running backend behind.
    asio::posix::stream_descriptor output(io);
    boost::system::error_code error;
    output.assign(pipes.output.read_end.get(), error);
    if (error) {
        return failure("cannot watch the backend's output", error.value());
    }
    [[maybe_unused]] const int owned_by_output = pipes.output.read_end.release();

    const auto launched = [&] {
        const AllSignalsBlocked blocked;
        return launch(setup);
    }();
    if (const auto* problem = std::get_if<SpawnFailure>(&launched)) {
        return *problem;
    }
    pipes.output.write_end.close();
    pipes.failures.write_end.close();
    // Ends when the child has become its program, or has said why not.
    const pid_t pid = std::get<pid_t>(launched);
    if (const auto reported = read_failure(pipes.failures.read_end.get())) {
        ::kill(pid, SIGKILL);  // It may hang; the Reaper collects it, like every other.
        return explain(*reported, spec, program);
    }
    return Child{pid, std::move(output)};
}

}  // namespace

std::variant<Child, SpawnFailure> spawn(asio::io_context& io, const ChildSpec& spec) {
    const auto program = find_program(spec);
    if (const auto* problem = std::get_if<SpawnFailure>(&program)) {
        return *problem;
    }
    return start(io, spec, std::get<std::string>(program));
}

}  // namespace tcplock::io
