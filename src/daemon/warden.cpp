#include "daemon/warden.hpp"

#include "daemon/log.hpp"
#include "daemon/random_name.hpp"
#include "io/orphans.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

using namespace std::chrono_literals;

constexpr auto hunt_limit = 10s;
constexpr auto log_flush_limit = 1s;
// Should even a look at /proc hang: every wait ends.
constexpr unsigned last_resort_seconds = 20;
constexpr auto name_in_process_lists = "tcplock-warden";  // 15 bytes at the most
constexpr char all_is_in_order = '.';

[[noreturn]] void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

// Nothing of the supervisor's is held but standard error, to say what was done: least of all a
// listener, or what the service manager has passed.
void let_go_of_all_but(int pipe) {
    const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    const int kept = ::dup2(pipe, STDERR_FILENO + 1);
    if (::close_range(static_cast<unsigned>(kept) + 1, ~0U, 0) != 0) {
        for (int fd = kept + 1, end = static_cast<int>(::sysconf(_SC_OPEN_MAX)); fd < end; ++fd) {
            ::close(fd);
        }
    }
    if (::chdir("/") != 0) {  // Then a file system stays in use a moment longer.
        return;
    }
}

bool was_killed() {
    char word = 0;
    ssize_t size = 0;
    do {
        size = ::read(STDERR_FILENO + 1, &word, 1);
    } while (size < 0 && errno == EINTR);
    return size == 0;
}

boost::asio::awaitable<void> end_what_is_left(std::string cookie) {
    const io::OrphanReport report = co_await io::end_orphans(std::move(cookie), hunt_limit);
    for (const io::Orphan& orphan : report.ended) {
        Line(Line::Level::warn, "the supervisor was killed, what it had started is ended")
            .with("pid", static_cast<std::uint64_t>(orphan.pid))
            .with("command", orphan.command_line);
    }
    for (const io::Orphan& orphan : report.still_there) {
        Line(Line::Level::error, "the supervisor was killed, what it had started cannot be ended")
            .with("pid", static_cast<std::uint64_t>(orphan.pid))
            .with("command", orphan.command_line);
    }
}

// The signals that ask a supervisor to stop are held since it began (begin_program): whoever sends
// them to all at once, as a terminal does, asks the supervisor, and we go when it has gone.
[[noreturn]] void keep_watch(int pipe, config::LogLevel log_level, std::string cookie) {
    ::setsid();
    ::prctl(PR_SET_NAME, name_in_process_lists);
    let_go_of_all_but(pipe);
    if (!was_killed()) {
        std::_Exit(EXIT_SUCCESS);
    }
    ::alarm(last_resort_seconds);
    start_logging(log_level);
    boost::asio::io_context io{1};
    boost::asio::co_spawn(io, end_what_is_left(std::move(cookie)), boost::asio::detached);
    io.run();
    stop_logging(log_flush_limit);
    std::_Exit(EXIT_SUCCESS);
}

}  // namespace

Warden::Warden(const config::Config& config) : run_(random_name()) {
    if (::getpid() == 1 || !config.owns_backend()) {
        return;
    }
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        fail("no pipe for the warden");
    }
    const io::Descriptor its_end(pipe[0]);
    our_end_ = io::Descriptor(pipe[1]);
    const pid_t between = ::fork();
    if (between < 0) {
        fail("the warden cannot be started");
    }
    if (between == 0) {
        our_end_.close();
        const pid_t warden = ::fork();
        if (warden == 0) {
            keep_watch(its_end.get(), config.log_level, std::string(run_variable) + "=" + run_);
        }
        std::_Exit(warden < 0 ? errno : 0);
    }
    int status = 0;
    while (::waitpid(between, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        errno = WIFEXITED(status) ? WEXITSTATUS(status) : ECHILD;
        fail("the warden cannot be started");
    }
}

Warden::~Warden() {
    if (our_end_) {
        // Should it have been killed, there is nobody to be told.
        [[maybe_unused]] const auto ignored = ::write(our_end_.get(), &all_is_in_order, 1);
    }
}

}  // namespace tcplock::daemon
