#include "io/pidfd.hpp"

#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tcplock::io {
namespace {

// 1 once it has ended, 0 while it lives; anything else says neither.
int ended(const Descriptor& pidfd) {
    pollfd end{pidfd.get(), POLLIN, 0};
    return ::poll(&end, 1, 0);
}

}  // namespace

Pidfd::Pidfd(const ProcessStat& process) : pid_(process.pid), start_time_(process.start_time) {
    // Raw calls: glibc has wrappers only since 2.36. Such descriptors are close-on-exec by nature.
    fd_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    is_gone_ = !fd_ && errno == ESRCH;
    // The number may have been given to somebody else before it was opened, but not after.
    switch (presence()) {
        case Presence::alive:
        case Presence::dead:
            break;
        case Presence::gone:
            is_gone_ = true;
            break;
        case Presence::unknown:
            fd_.close();  // It may be anybody's, and may itself be the descriptor that is wanting.
            break;
    }
}

std::error_code Pidfd::send(int signal) const {
    if (is_gone_ || pid_ <= 1 || pid_ == ::getpid()) {
        return {};
    }
    if (fd_) {
        if (::syscall(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, 0) == 0 ||
            errno == ESRCH) {
            return {};
        }
        // A filter may know the one call and refuse the other; the old way then says whether EPERM
        // is meant.
    }
    const Presence now = presence();
    if (now == Presence::unknown) {
        return std::make_error_code(std::errc::resource_unavailable_try_again);
    }
    if (now == Presence::gone || ::kill(pid_, signal) == 0 || errno == ESRCH) {
        return {};
    }
    return {errno, std::generic_category()};
}

bool Pidfd::has_ended() const {
    if (is_gone_) {
        return true;
    }
    if (!fd_) {
        const Presence now = presence();
        return now == Presence::dead || now == Presence::gone;
    }
    return ended(fd_) == 1;
}

bool Pidfd::is_surely_alive() const {
    if (is_gone_) {
        return false;
    }
    return fd_ ? ended(fd_) == 0 : presence() == Presence::alive;
}

}  // namespace tcplock::io
