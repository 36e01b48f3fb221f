#include "io/reaper.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <utility>

namespace tcplock::io {
namespace {

// A fork bomb's dead must not keep the loop from everything else.
constexpr int most_in_one_go = 1000;

}  // namespace

class Reaper::Waiters {
public:
    void wake() {
        for (auto* timer : timers_) {
            timer->cancel();
        }
    }

    static boost::asio::awaitable<void> wait(std::shared_ptr<Waiters> waiters,
                                             boost::asio::io_context& io,
                                             std::chrono::steady_clock::time_point deadline) {
        boost::asio::steady_timer timer(io, deadline);
        const Entry entry(*waiters, timer);
        [[maybe_unused]] const auto woken =
            co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }

private:
    struct Entry {
        Entry(Waiters& waiters, boost::asio::steady_timer& timer) : list(waiters), entered(timer) {
            list.timers_.insert(&entered);
        }
        ~Entry() { list.timers_.erase(&entered); }
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

        Waiters& list;
        boost::asio::steady_timer& entered;
    };

    std::set<boost::asio::steady_timer*> timers_;
};

ExitStatus ExitStatus::from_wait(int status) {
    if (WIFSIGNALED(status)) {
        return {0, WTERMSIG(status), WCOREDUMP(status) != 0};
    }
    return {WEXITSTATUS(status), 0, false};
}

std::string in_words(const ExitStatus& status) {
    if (status.signal == 0) {
        return "exited with status " + std::to_string(status.code);
    }
    std::string words = "killed by signal " + std::to_string(status.signal);
    if (const char* name = ::sigabbrev_np(status.signal)) {
        words += " (" + std::string(name) + ")";
    }
    return status.core_dumped ? words + " (core dumped)" : words;
}

Reaper::Reaper(boost::asio::io_context& io)
    : io_(io), child_changed_(io), waiters_(std::make_shared<Waiters>()) {}

Reaper::~Reaper() = default;

void Reaper::start() {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        throw std::system_error(errno, std::generic_category(),
                                "cannot become the reaper of orphans");
    }
    child_changed_.add(SIGCHLD);
    listen();
    // Some may have died before the signal was listened for.
    boost::asio::post(io_, [this, alive = std::weak_ptr(waiters_)] {
        if (!alive.expired()) {
            reap();
        }
    });
}

void Reaper::stop() {
    is_stopped_ = true;
    boost::system::error_code ignored;  // Nothing is listened for any more, either way.
    child_changed_.clear(ignored);
    child_changed_.cancel(ignored);
}

void Reaper::own(pid_t pid, std::function<void(ExitStatus)> on_exit) {
    owners_.insert_or_assign(pid, std::move(on_exit));
}

void Reaper::forget(pid_t pid) {
    owners_.erase(pid);
}

boost::asio::awaitable<void> Reaper::next_reap(std::chrono::steady_clock::time_point deadline) {
    return Waiters::wait(waiters_, io_, deadline);
}

void Reaper::listen() {
    child_changed_.async_wait(
        [this, alive = std::weak_ptr(waiters_)](const boost::system::error_code& error, int) {
            if (error || alive.expired() || is_stopped_) {
                return;  // Or was stopped, or destroyed, while this was already on its way.
            }
            listen();
            reap();
        });
}

// Signals merge: three hundred exits may arrive as one. So every wake-up collects all there is.
void Reaper::reap() {
    int reaped = 0;
    for (; reaped < most_in_one_go; ++reaped) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == EINTR) {
            continue;
        }
        if (pid <= 0) {
            break;  // None dead, or none at all.
        }
        report(pid, ExitStatus::from_wait(status));
    }
    if (reaped == 0) {
        return;
    }
    waiters_->wake();
    if (reaped == most_in_one_go) {
        boost::asio::post(io_, [this, alive = std::weak_ptr(waiters_)] {
            if (!alive.expired()) {
                reap();
            }
        });
    }
}

void Reaper::report(pid_t pid, ExitStatus status) {
    const auto owner = owners_.find(pid);
    if (owner == owners_.end()) {
        return;  // An orphan we adopted, or a child whose start failed.
    }
    // Taken out first: what is called may well own the next child.
    const auto on_exit = std::move(owner->second);
    owners_.erase(owner);
    on_exit(status);
}

}  // namespace tcplock::io
