#include "daemon/open_files.hpp"

#include "daemon/log.hpp"
#include "io/relay_lane.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <system_error>

namespace tcplock::daemon {
namespace {

constexpr std::size_t own =
    32 + io::RelayStore::descriptors_max;  // timers, signals, the log; pipes
constexpr std::size_t kept_free = 32;      // probes, starts, looks into /proc, operators
constexpr std::size_t not_for_operators = 16;
constexpr std::size_t per_session = 2;

}  // namespace

std::size_t raise_open_files_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        throw std::system_error(errno, std::generic_category(), "cannot ask for RLIMIT_NOFILE");
    }
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return ::setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before;
}

core::Policy fit_line(core::Policy policy, std::size_t open_files, std::size_t listeners) {
    const std::size_t inside = policy.backend.instances * policy.gate.concurrency;
    const std::size_t needed = own + listeners + kept_free + per_session * inside;
    if (open_files <= needed) {
        throw std::runtime_error(
            "the limit of open files is " + std::to_string(open_files) + ", at least " +
            std::to_string(needed + 1) +
            " are needed: raise it (ulimit -n, LimitNOFILE=, --ulimit nofile=)");
    }
    const std::size_t room = open_files - needed;
    if (policy.gate.queue_limit > room) {
        Line(Line::Level::warn, "gate.queue_limit lowered: the limit of open files allows no more")
            .with("queue_limit", room)
            .with("open_files", open_files);
        policy.gate.queue_limit = room;
    }
    return policy;
}

// The system gives out the lowest number that is free.
bool is_beyond(const io::Descriptor& client, std::size_t open_files) {
    return static_cast<std::size_t>(client.get()) + kept_free >= open_files;
}

bool is_beyond_reserve(const io::Descriptor& visitor, std::size_t open_files) {
    return static_cast<std::size_t>(visitor.get()) + not_for_operators >= open_files;
}

}  // namespace tcplock::daemon
