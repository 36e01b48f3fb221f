#include "daemon/warden.hpp"

#include "daemon/log.hpp"
#include "daemon/open_files.hpp"
#include "daemon/random_name.hpp"
#include "io/child_setup.hpp"
#include "io/orphans.hpp"
#include "io/proc.hpp"
#include "io/socket.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>

namespace tcplock::daemon {
namespace {

using namespace std::chrono_literals;

constexpr auto hunt_limit = 10s;
// A stranger that hangs in state D must not keep the report back for all of that.
constexpr auto patience_with_undecided = 2s;
constexpr auto log_flush_limit = 1s;
// Should even a look at /proc hang: every wait ends.
constexpr unsigned last_resort_seconds = 20;
constexpr int watched = STDERR_FILENO + 1;  // the pipe, in the warden
constexpr char all_is_in_order = '.';

// In the lists of processes it is not to be taken for a supervisor, least of all by those who kill
// by name. Its name is written over our arguments, as far as there is room.
void take_a_name(pid_t supervisor) {
    ::prctl(PR_SET_NAME, "tcplock-warden");  // 15 bytes at the most
    const auto arguments = io::read_small_file("/proc/self/cmdline", 1 << 20);
    const std::string name = "tcplock-warden of " + std::to_string(supervisor);
    char* const room = program_invocation_name;  // argv[0]; the others follow it
    // They do not begin there if a loader was called by name.
    if (!arguments || arguments->empty() || std::strcmp(room, arguments->c_str()) != 0) {
        return;
    }
    std::memset(room, 0, arguments->size());
    std::memcpy(room, name.data(), std::min(name.size(), arguments->size() - 1));
}

// Nothing of the supervisor's is held but standard error, to say what was done: least of all a
// listener, or what the service manager has passed.
void let_go_of_all_but(int pipe) {
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    ::dup2(pipe, watched);
    if (::close_range(watched + 1, ~0U, 0) != 0) {
        for (int fd = watched + 1, last = io::highest_open_descriptor(); fd <= last; ++fd) {
            ::close(fd);
        }
    }
    if (::chdir("/") != 0) {
        return;  // Then a file system stays in use a moment longer.
    }
}

bool ended_suddenly() {
    char word = 0;
    ssize_t size = 0;
    do {
        size = ::read(watched, &word, 1);
    } while (size < 0 && errno == EINTR);
    return size == 0;
}

void limit_the_time() {
    std::signal(SIGALRM, SIG_DFL);
    sigset_t alarm;
    ::sigemptyset(&alarm);
    ::sigaddset(&alarm, SIGALRM);
    ::sigprocmask(SIG_UNBLOCK, &alarm, nullptr);
    ::alarm(last_resort_seconds);
}

io::OrphanReport hunt(io::OrphanSearch search) {
    io::OrphanReport report;
    boost::asio::io_context io{1};
    boost::asio::co_spawn(io, io::end_orphans(std::move(search)),
                          [&report](std::exception_ptr failure, io::OrphanReport found) {
                              if (failure) {
                                  std::rethrow_exception(failure);
                              }
                              report = std::move(found);
                          });
    io.run();
    return report;
}

void tell(const io::OrphanReport& report) {
    if (!report.has_looked) {
        Line(Line::Level::error,
             "the supervisor ended suddenly, and its backends were not found: "
             "no descriptor or no memory is left");
    }
    for (const io::Orphan& orphan : report.ended) {
        Line(Line::Level::warn, "the supervisor ended suddenly: its backend's process is killed")
            .with("pid", static_cast<std::uint64_t>(orphan.pid))
            .with("command", orphan.command_line);
    }
    for (const io::Orphan& orphan : report.still_there) {
        Line(Line::Level::error,
             "the supervisor ended suddenly: its backend's process cannot be killed")
            .with("pid", static_cast<std::uint64_t>(orphan.pid))
            .with("command", orphan.command_line);
    }
}

// The signals that ask a supervisor to stop are held since it began (begin_program): whoever sends
// them to all at once, as a terminal does, asks the supervisor, and we go when it has gone. What is
// to be said is said last: for that a thread is needed, and there may be none to be had.
[[noreturn]] void keep_watch(int pipe, const config::Config& config, io::OrphanSearch search,
                             pid_t supervisor) noexcept {
    ::setsid();
    let_go_of_all_but(pipe);
    take_a_name(supervisor);
    raise_open_files_limit();
    if (!ended_suddenly()) {
        std::_Exit(EXIT_SUCCESS);
    }
    limit_the_time();
    const io::OrphanReport report = hunt(std::move(search));
    start_logging(config.log_level, config.log_format);
    tell(report);
    stop_logging(log_flush_limit);
    std::_Exit(EXIT_SUCCESS);
}

std::string reason(const char* what) {
    return what + std::string(": ") + std::generic_category().message(errno);
}

}  // namespace

Warden::Warden(const config::Config& config) : run_(random_name()) {
    if (::getpid() != 1 && config.owns_backend()) {
        start(config);
    }
}

// Forked twice: who is left by his parent is no child of ours.
void Warden::start(const config::Config& config) {
    io::OrphanSearch search{
        std::string(run_variable) + "=" + run_, {}, hunt_limit, patience_with_undecided};
    if (!config.backend.user.empty()) {
        search.user = std::get<io::Identity>(io::find_user(config.backend.user));
    }
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        why_none_ = reason("no pipe");
        return;
    }
    const io::Descriptor its_end(pipe[0]);
    our_end_ = io::Descriptor(pipe[1]);
    const pid_t supervisor = ::getpid();
    const pid_t between = ::fork();
    if (between == 0) {
        our_end_.close();
        const pid_t warden = ::fork();
        if (warden == 0) {
            keep_watch(its_end.get(), config, std::move(search), supervisor);
        }
        std::_Exit(warden < 0 ? errno : EXIT_SUCCESS);
    }
    if (between < 0) {
        why_none_ = reason("no process");
        return;
    }
    int status = 0;
    while (::waitpid(between, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
        why_none_ = reason("no process");
    }
}

Warden::~Warden() {
    if (our_end_) {
        // Should it have been killed, there is nobody to be told.
        [[maybe_unused]] const auto ignored = ::write(our_end_.get(), &all_is_in_order, 1);
    }
}

// A pipe without a reader is an error, whether or not there is room in it.
boost::asio::awaitable<void> Warden::watch_over_it() const {
    std::string why = why_none_;
    if (why.empty() && our_end_) {
        using boost::asio::posix::stream_descriptor;
        stream_descriptor pipe(co_await boost::asio::this_coro::executor, ::dup(our_end_.get()));
        const auto [error] =
            co_await pipe.async_wait(stream_descriptor::wait_error, io::use_result);
        if (error) {
            co_return;  // We are being stopped.
        }
        why = "it has ended";
    }
    if (!why.empty()) {
        Line(Line::Level::warn,
             "no warden: should the supervisor be killed, what is left of its "
             "backends is ended when it starts again")
            .with("why", why);
    }
}

}  // namespace tcplock::daemon
