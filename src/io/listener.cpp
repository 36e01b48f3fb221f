#include "io/listener.hpp"

#include "io/address.hpp"
#include "io/reach.hpp"
#include "io/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace tcplock::io {
namespace {

using namespace std::chrono_literals;

constexpr int backlog = 4096;  // the system lowers it to net.core.somaxconn
constexpr int accepts_per_wake_up = 16;
constexpr auto exhausted_pause = 100ms;
constexpr auto complaint_interval = 1min;

struct Option {
    int level;
    int name;
    int value;
};

// Linux hands the options of the listening socket on to every accepted one, which saves five calls
// a client. TCP_USER_TIMEOUT is left alone: it would cut a living one that pauses reading.
constexpr std::array options_for_clients = {
    Option{IPPROTO_TCP, TCP_NODELAY, 1},   Option{SOL_SOCKET, SO_KEEPALIVE, 1},
    Option{IPPROTO_TCP, TCP_KEEPINTVL, 5}, Option{IPPROTO_TCP, TCP_KEEPCNT, 6},
    Option{SOL_SOCKET, SO_OOBINLINE, 1},
};

// A client that says nothing is asked for a sign of life after so many seconds, each of a row after
// another number of them: Linux asks all whose time comes within a second or two at once, and what
// the loopback's queue cannot hold (net.core.netdev_max_backlog, 1000) is lost in silence. Of 10000
// who had come together and waited, 4240 were taken for dead a minute later, when they had been
// asked three times. A dead one is found 30 s after he was first asked.
constexpr unsigned asked_after_min = 20;
constexpr unsigned asked_after_choices = 30;

void check(int result, const tcp::endpoint& address) {
    if (result < 0) {
        const std::error_code error(errno, std::generic_category());
        throw std::system_error(error, "cannot listen on " + describe(address));
    }
}

void set(int fd, const Option& option, const tcp::endpoint& address) {
    check(::setsockopt(fd, option.level, option.name, &option.value, sizeof option.value), address);
}

void prepare_for_clients(int fd, const tcp::endpoint& address) {
    for (const Option& option : options_for_clients) {
        set(fd, option, address);
    }
}

// One who had connected before the listening socket had them. He may be gone; that is seen later.
void prepare_client(int fd) {
    for (const Option& option : options_for_clients) {
        (void)::setsockopt(fd, option.level, option.name, &option.value, sizeof option.value);
    }
}

void ask_at_his_own_time(int fd, unsigned number) {
    const auto seconds = static_cast<int>(asked_after_min + number % asked_after_choices);
    (void)::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
}

// That an accept blocks nobody is a property of the open file, and whoever has it can change it:
// systemd does when it starts another service that shares the socket (NonBlocking= in
// systemd.service(5)). An accept that waited would wait with everything. A way is left open:
// whoever changes it between these two calls, and takes the client as well.
void let_block_nobody(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) == 0) {
        (void)::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
}

tcp::endpoint local_address(int fd) {
    tcp::endpoint local;
    auto size = static_cast<socklen_t>(local.capacity());
    check(::getsockname(fd, local.data(), &size), local);
    const int family = local.data()->sa_family;
    if (family == AF_INET || family == AF_INET6) {
        local.resize(size);
        return local;
    }
    return {};
}

Descriptor open_listening(const tcp::endpoint& address) {
    Descriptor fd(
        ::socket(address.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    check(fd.get(), address);
    set(fd.get(), {SOL_SOCKET, SO_REUSEADDR, 1}, address);
    if (address.address().is_v6()) {
        set(fd.get(), {IPPROTO_IPV6, IPV6_V6ONLY, 1}, address);
    }
    prepare_for_clients(fd.get(), address);
    check(::bind(fd.get(), address.data(), static_cast<socklen_t>(address.size())), address);
    check(::listen(fd.get(), backlog), address);
    return fd;
}

// accept(2): these are news of a client that did not make it, or of its network; the next may.
bool concerns_one_client(int error) {
    switch (error) {
        case ECONNABORTED:
        case EINTR:
        case EPERM:
        case EPROTO:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case EOPNOTSUPP:
        case ENETUNREACH:
            return true;
        default:
            return false;
    }
}

// From now on the system drops every SYN for this socket: whoever had begun to connect may finish,
// nobody else begins. A client that comes now tries again by itself, a second later, and is then
// refused. Without the filter, should the system not have it, we are left with a tiny race.
void refuse_newcomers(int fd) {
    constexpr std::uint32_t flags_at = 13;  // in the TCP header, where the filter begins to read
    constexpr std::uint32_t syn = 0x02;
    constexpr std::uint32_t pass = 0x7fffffff;
    constexpr std::uint32_t drop = 0;
    std::array<sock_filter, 4> program = {sock_filter{BPF_LD | BPF_B | BPF_ABS, 0, 0, flags_at},
                                          sock_filter{BPF_JMP | BPF_JSET | BPF_K, 0, 1, syn},
                                          sock_filter{BPF_RET | BPF_K, 0, 0, drop},
                                          sock_filter{BPF_RET | BPF_K, 0, 0, pass}};
    const sock_fprog filter{program.size(), program.data()};
    (void)::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

// Whether somebody who was about to finish connecting has. The one place that waits, once in the
// life of a listener, for as long as the last segment of a near client's handshake may take.
bool is_anybody_finishing(int fd) {
    constexpr int milliseconds = 2;
    pollfd state{fd, POLLIN, 0};
    return ::poll(&state, 1, milliseconds) == 1;
}

}  // namespace

Listener::Listener(boost::asio::any_io_executor executor, Watcher& watcher, tcp::endpoint address,
                   Callbacks callbacks)
    : socket_(watcher, open_listening(address)),
      pause_(std::move(executor)),
      callbacks_(std::move(callbacks)),
      local_(local_address(socket_.get())),
      endpoints_(endpoints_of(socket_.descriptor())) {}

Listener::Listener(boost::asio::any_io_executor executor, Watcher& watcher, Descriptor listening,
                   Callbacks callbacks)
    : socket_(watcher, std::move(listening)),
      pause_(std::move(executor)),
      callbacks_(std::move(callbacks)),
      local_(local_address(socket_.get())),
      endpoints_(endpoints_of(socket_.descriptor())),
      is_shared_(true),
      may_lack_options_(!endpoints_.empty()) {
    if (may_lack_options_) {
        prepare_for_clients(socket_.get(), local_);
    }
}

void Listener::start() {
    if (!socket_) {
        return;
    }
    if (const auto error = socket_.watch(EPOLLIN, *this, Watcher::Trigger::level)) {
        throw std::system_error(error, "cannot watch " + describe(local_));
    }
}

// Most come alone, and to ask whether there is another costs a call each time. So that is only done
// after a round in which there might have been.
void Listener::has_news(std::uint32_t) {
    if (is_pausing_) {
        return;  // That somebody else has shut it down is always told.
    }
    switch (accept_some(at_once_)) {
        case Outcome::accepted:
        case Outcome::skipped:
            at_once_ = std::min(2 * at_once_, accepts_per_wake_up);
            break;
        case Outcome::nobody:
            at_once_ = 1;
            break;
        case Outcome::exhausted:
            pause();
            break;
    }
}

// The client is still in the queue, and we would be told of him again and again.
void Listener::pause() {
    if (!socket_) {
        return;  // The last callback has closed us.
    }
    is_pausing_ = true;
    (void)socket_.watch(0, *this);  // It takes no memory.
    pause_.expires_after(exhausted_pause);
    pause_.async_wait([this](boost::system::error_code error) {
        if (!error) {
            is_pausing_ = false;
            start();
        }
    });
}

void Listener::close() {
    if (!socket_) {
        return;
    }
    refuse_newcomers(socket_.get());
    constexpr int all = backlog + 1;  // no more can be there, for nobody joins
    // Without the filter they can join for ever.
    constexpr int rounds_max = 16;
    for (int round = 0; round < rounds_max && socket_; ++round) {
        const bool is_exhausted = accept_some(all) == Outcome::exhausted;
        if (is_exhausted || !is_anybody_finishing(socket_.get())) {
            break;
        }
    }
    let_go();  // unless a callback has already
}

// It is taken out of what the system watches for us before it is closed: somebody may have another
// of the same socket, and the system would forget it only with the last of these.
void Listener::let_go() {
    const Descriptor closed = socket_.release();
    pause_.cancel();
}

Listener::Outcome Listener::accept_some(int limit) {
    for (int taken = 0; taken < limit; ++taken) {
        const Outcome outcome = accept_one();
        if (outcome == Outcome::nobody || outcome == Outcome::exhausted) {
            return outcome;
        }
    }
    return Outcome::accepted;
}

Listener::Outcome Listener::accept_one() {
    if (!socket_) {
        return Outcome::nobody;  // The last callback closed us.
    }
    tcp::endpoint peer;
    auto size = static_cast<socklen_t>(peer.capacity());
    if (is_shared_) {
        let_block_nobody(socket_.get());
    }
    Descriptor client(::accept4(socket_.get(), peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client) {
        peer.resize(size);
        if (may_lack_options_) {
            prepare_client(client.get());
        }
        if (!endpoints_.empty()) {
            ask_at_his_own_time(client.get(), accepted_++);
        }
        callbacks_.accepted(std::move(client), peer);
        return Outcome::accepted;
    }
    const int error = errno;
    if (error == EAGAIN) {
        may_lack_options_ = false;  // All who had come before have been accepted.
        return Outcome::nobody;
    }
    if (concerns_one_client(error)) {
        return Outcome::skipped;
    }
    // EMFILE, ENFILE, ENOBUFS, ENOMEM, or what we have not thought of: the client is still in the
    // queue, the socket stays readable, and going on at once would spin.
    note_exhausted(std::error_code(error, std::generic_category()));
    return Outcome::exhausted;
}

void Listener::note_exhausted(std::error_code error) {
    const auto now = std::chrono::steady_clock::now();
    if (last_complaint_ && now - *last_complaint_ < complaint_interval) {
        return;
    }
    last_complaint_ = now;
    if (callbacks_.exhausted) {
        callbacks_.exhausted(error);
    }
}

}  // namespace tcplock::io
