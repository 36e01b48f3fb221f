#include "io/pidfd.hpp"

#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tcplock::io {

Pidfd::Pidfd(const ProcessStat& process) : pid_(process.pid), start_time_(process.start_time) {
    // Raw calls: glibc has wrappers only since 2.36. Such descriptors are close-on-exec by nature.
    fd_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    // The number may have been given to somebody else before it was opened, but not after.
    is_gone_ = (!fd_ && errno == ESRCH) || !is_same();
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
    if (!is_same() || ::kill(pid_, signal) == 0 || errno == ESRCH) {
        return {};
    }
    return {errno, std::generic_category()};
}

bool Pidfd::has_ended() const {
    if (is_gone_) {
        return true;
    }
    if (!fd_) {
        const auto now = read_stat(pid_);
        return !now || now->start_time != start_time_ || now->is_dead();
    }
    pollfd ended{fd_.get(), POLLIN, 0};
    return ::poll(&ended, 1, 0) == 1;
}

bool Pidfd::is_same() const {
    const auto now = read_stat(pid_);
    return now && now->start_time == start_time_;
}

}  // namespace tcplock::io
