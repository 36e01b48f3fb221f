#include "backend.hpp"

#include "failure.hpp"
#include "sockets.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tcplock::bench {

using std::chrono::steady_clock;

namespace {

constexpr std::size_t step = 256 * 1024;
const std::array<char, step> anything{};

}  // namespace

std::uint32_t Stream::events() const {
    return EPOLLIN | (to_send_ > 0 ? EPOLLOUT : 0U);
}

void Stream::move(int fd, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0 && to_send_ > 0) {
        const auto size = std::min<std::uint64_t>(to_send_, step);
        const auto sent = ::send(fd, anything.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            throw Broken{"a transfer was cut while sending"};
        to_send_ -= static_cast<std::uint64_t>(std::max<ssize_t>(sent, 0));
    }
    if ((events & EPOLLIN) != 0 && to_receive_ > 0) {
        // TCP throws the bytes away without copying them.
        const auto size = std::min<std::uint64_t>(to_receive_, step);
        const auto received = ::recv(fd, nullptr, size, MSG_TRUNC | MSG_DONTWAIT);
        if (received == 0 || (received < 0 && errno != EAGAIN))
            throw Broken{"a transfer was cut while receiving"};
        to_receive_ -= static_cast<std::uint64_t>(std::max<ssize_t>(received, 0));
    }
}

Backend::Backend(Loop& loop, const sockaddr_in& address)
    : loop_{loop}, listener_{listen_at(address)} {
    loop_.watch(listener_, EPOLLIN, [this](std::uint32_t) { accept_newcomers(); });
}

void Backend::forget_the_past() {
    most_inside_ = inside_;
    came_in_.clear();
    gaps_.clear();
    emptied_.reset();
}

void Backend::accept_newcomers() {
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN)
            return;
        checked(fd, "accept4");
        send_at_once(fd);
        auto guest = std::make_shared<Guest>(Guest{.fd = fd, .beside = inside_, .stream = {}});
        loop_.watch(fd, EPOLLIN, [this, guest](std::uint32_t events) { serve(*guest, events); });
    }
}

void Backend::serve(Guest& guest, std::uint32_t events) {
    if (!guest.stream || guest.stream->is_done()) {
        if (!hear(guest))
            let_go(guest);
        return;
    }
    const auto before = guest.stream->events();
    guest.stream->move(guest.fd, events);
    if (guest.stream->events() != before)
        loop_.watch_for(guest.fd, guest.stream->events());
    transferred_ += guest.stream->is_done() ? 1 : 0;
}

bool Backend::hear(Guest& guest) {
    char bytes[4096];
    // What follows the number is the stream's.
    const auto most = stream_ && !guest.has_number ? sizeof(Number) : sizeof bytes;
    const auto size = ::recv(guest.fd, bytes, most, 0);
    if (size < 0 && errno == EAGAIN)
        return true;
    if (size <= 0)
        return false;
    if (!guest.has_number) {
        Number number = 0;
        if (static_cast<std::size_t>(size) < sizeof number)
            throw Failure{"a number came in pieces"};
        std::memcpy(&number, bytes, sizeof number);
        count_in(guest, number);
        if (guest.stream) {
            loop_.watch_for(guest.fd, guest.stream->events());
            return true;
        }
    }
    // Otherwise it is gone, by a reset: it never has so much to say that there is no room.
    return ::send(guest.fd, bytes, static_cast<std::size_t>(size), MSG_NOSIGNAL) == size;
}

void Backend::count_in(Guest& guest, Number number) {
    guest.has_number = true;
    guest.stream = stream_;
    ++inside_;
    most_inside_ = std::max({most_inside_, inside_, guest.beside + 1});
    came_in_.push_back(number);
    if (emptied_) {
        const std::chrono::duration<double, std::micro> gap = steady_clock::now() - *emptied_;
        gaps_.push_back(gap.count());
    }
    emptied_.reset();
}

void Backend::let_go(Guest& guest) {
    accept_newcomers();
    loop_.forget(guest.fd);
    ::close(guest.fd);
    if (!guest.has_number)
        return;
    if (--inside_ == 0)
        emptied_ = steady_clock::now();
    if (somebody_left)
        somebody_left();
}

}  // namespace tcplock::bench
