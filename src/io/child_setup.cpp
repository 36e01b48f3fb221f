#include "io/child_setup.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <grp.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace tcplock::io {
namespace {

constexpr int exit_setup_failed = 127;  // What a shell says when a command cannot be run.

void adjust_oom_score(const std::string& score) {
    // A preference, not a condition: going below the inherited score needs privilege, and a
    // container may show /proc read-only. A backend that runs with another score is better than
    // none, so errors are ignored. This comes before the change of user, after which the file would
    // belong to root.
    const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return;
    }
    [[maybe_unused]] const auto ignored = ::write(file, score.data(), score.size());
    ::close(file);
}

void reset_signals() {
    // Ignored signals and the mask survive exec; a backend that inherits our ignored SIGPIPE or the
    // mask that covers this fork would behave as it does nowhere else.
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) {
        ::sigaction(number, &standard,
                    nullptr);  // KILL, STOP and two of libc's own refuse; rightly.
    }
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

void ChildSetup::become_program() const {
    if (::setsid() < 0) {
        give_up(SetupStage::session, errno);
    }
    connect_standard_streams();
    hide_descriptors();
    limit_resources();
    adjust_oom_score(oom_score_adjust);
    change_user();
    if (directory != nullptr && ::chdir(directory) != 0) {
        give_up(SetupStage::directory, errno);
    }
    ::umask(::umask(0) | mask);
    if (folder != nullptr) {
        make_folder();
    }
    die_with_parent();
    reset_signals();
    ::execve(program, arguments, environment);
    give_up(SetupStage::program, errno);
}

// One that is there must do: it may be another user's, of an earlier configuration.
void ChildSetup::make_folder() const {
    const bool is_there = ::mkdir(folder, S_IRWXU) == 0 || errno == EEXIST;
    if (!is_there || ::access(folder, W_OK | X_OK) != 0) {
        give_up(SetupStage::folder, errno);
    }
}

void ChildSetup::give_up(SetupStage stage, int error) const {
    const SetupFailure failure{stage, error};
    // Should the parent be gone, nobody is left to be told.
    [[maybe_unused]] const auto ignored = ::write(failures, &failure, sizeof failure);
    ::_exit(exit_setup_failed);
}

void ChildSetup::connect_standard_streams() const {
    if (::dup2(input, STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
        ::dup2(output, STDERR_FILENO) < 0) {
        give_up(SetupStage::standard_streams, errno);
    }
}

void ChildSetup::hide_descriptors() const {
    // Neither Asio's sockets nor Boost.Process' own pipe are all close-on-exec. A client's socket
    // open in the backend would never reach its end. And Boost waits without limit for its pipe to
    // be closed: closed here, it leaves the waiting to us. `failures` closes as the program begins.
    constexpr unsigned first = STDERR_FILENO + 1;
    if (highest_descriptor < 0) {
        const auto kept = static_cast<unsigned>(failures);
        const bool is_done = (kept == first || ::close_range(first, kept - 1, 0) == 0) &&
                             ::close_range(kept + 1, ~0U, 0) == 0 &&
                             ::fcntl(failures, F_SETFD, FD_CLOEXEC) == 0;
        if (!is_done) {
            give_up(SetupStage::descriptors, errno);
        }
        return;
    }
    for (int fd = first; fd <= highest_descriptor; ++fd) {
        if (fd != failures) {
            ::close(fd);  // Fails for the gaps, which is fine.
        }
    }
    ::fcntl(failures, F_SETFD, FD_CLOEXEC);
}

void ChildSetup::limit_resources() const {
    const auto limit = [this](auto resource, std::optional<rlim_t> value, SetupStage stage) {
        if (!value) {
            return;
        }
        const rlimit both{*value, *value};
        if (::setrlimit(resource, &both) != 0) {
            give_up(stage, errno);
        }
    };
    limit(RLIMIT_NOFILE, open_files, SetupStage::open_files);
    limit(RLIMIT_AS, address_space, SetupStage::address_space);
    limit(RLIMIT_CORE, core_size, SetupStage::core_size);
    if (::setpriority(PRIO_PROCESS, 0, nice_value) != 0) {
        give_up(SetupStage::nice, errno);
    }
}

void ChildSetup::change_user() const {
    if (identity == nullptr) {
        return;
    }
    if (::setgroups(identity->groups.size(), identity->groups.data()) != 0 ||
        ::setgid(identity->gid) != 0 || ::setuid(identity->uid) != 0) {
        give_up(SetupStage::user, errno);
    }
}

void ChildSetup::die_with_parent() const {
    // TERM, not KILL: LibreOffice's launcher passes TERM on to the office, while a KILL would leave
    // the office behind. A change of user clears the setting, so it comes after that.
    if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
        give_up(SetupStage::death_signal, errno);
    }
    if (::getppid() != parent) {
        ::_exit(exit_setup_failed);  // The parent died before the setting, so no signal will come.
    }
}

bool close_range_works() {
    // An empty range touches nothing, and still tells kernels (before 5.11) and filters that
    // refuse.
    return ::close_range(~0U, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

int highest_open_descriptor() {
    int highest = STDERR_FILENO;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", ignored)) {
        const std::string name = entry.path().filename().string();
        int fd = -1;
        std::from_chars(name.data(), name.data() + name.size(), fd);
        highest = std::max(highest, fd);
    }
    return highest;
}

}  // namespace tcplock::io
