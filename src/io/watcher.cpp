#include "io/watcher.hpp"

#include "io/socket.hpp"

#include <array>
#include <cerrno>
#include <span>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace tcplock::io {
namespace {

// Then others have their turn.
constexpr int news_per_wake_up = 64;

Descriptor new_set() {
    Descriptor set(::epoll_create1(EPOLL_CLOEXEC));
    if (!set) {
        throw std::system_error(errno, std::generic_category(), "cannot watch clients");
    }
    return set;
}

}  // namespace

Watcher::Watcher(boost::asio::any_io_executor executor) : set_(executor, new_set().release()) {}

boost::asio::awaitable<void> Watcher::run() {
    while (set_.is_open()) {
        const auto [error] =
            co_await set_.async_wait(boost::asio::posix::stream_descriptor::wait_read, use_result);
        if (error) {
            break;
        }
        tell_news();
    }
}

void Watcher::close() {
    boost::system::error_code ignored;  // Closing twice is fine.
    set_.close(ignored);
}

void Watcher::tell_news() {
    std::array<epoll_event, news_per_wake_up> events;
    const int count =
        ::epoll_wait(set_.native_handle(), events.data(), static_cast<int>(events.size()), 0);
    // Interrupted or nothing: the wait that follows finds what is there.
    const auto found = static_cast<std::size_t>(count > 0 ? count : 0);
    for (const epoll_event& event : std::span(events).first(found)) {
        const auto place = static_cast<std::uint32_t>(event.data.u64);
        const auto turn = static_cast<std::uint32_t>(event.data.u64 >> 32U);
        // Whoever was told before may have closed it, and somebody else may have its place.
        if (places_[place].who != nullptr && places_[place].turn == turn) {
            places_[place].who->has_news(event.events);
        }
    }
}

std::uint32_t Watcher::take_place(Watching& who) {
    if (free_places_.empty()) {
        free_places_.push_back(static_cast<std::uint32_t>(places_.size()));
        places_.emplace_back();
        free_places_.reserve(places_.size());  // leaving a place cannot fail
    }
    const std::uint32_t place = free_places_.back();
    free_places_.pop_back();
    places_[place].who = &who;
    return place;
}

void Watcher::leave_place(std::uint32_t place) {
    places_[place].who = nullptr;
    ++places_[place].turn;
    free_places_.push_back(place);
}

std::error_code Watcher::control(int operation, int fd, std::uint32_t events, std::uint32_t place) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = std::uint64_t{places_[place].turn} << 32U | place;
    if (::epoll_ctl(set_.native_handle(), operation, fd, &event) != 0) {
        return {errno, std::generic_category()};
    }
    return {};
}

WatchedDescriptor& WatchedDescriptor::operator=(WatchedDescriptor&& other) noexcept {
    if (this != &other) {
        close();
        watcher_ = other.watcher_;
        fd_ = std::move(other.fd_);
        is_in_set_ = std::exchange(other.is_in_set_, false);
        place_ = std::exchange(other.place_, nowhere);
    }
    return *this;
}

std::error_code WatchedDescriptor::watch(std::uint32_t events, Watching& who,
                                         Watcher::Trigger trigger) {
    if (trigger == Watcher::Trigger::edge) {
        events |= EPOLLET;
    }
    leave_place();
    place_ = watcher_->take_place(who);
    const int operation = is_in_set_ ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    const std::error_code error = watcher_->control(operation, fd_.get(), events, place_);
    if (error) {
        leave_place();
    } else {
        is_in_set_ = true;
    }
    return error;
}

Descriptor WatchedDescriptor::release() noexcept {
    leave_place();
    if (std::exchange(is_in_set_, false)) {
        (void)::epoll_ctl(watcher_->set_.native_handle(), EPOLL_CTL_DEL, fd_.get(), nullptr);
    }
    return std::move(fd_);
}

// The system takes out of the set what nobody has open any more, and a backend that is being
// started has a copy of it only while we wait for that start.
void WatchedDescriptor::close() noexcept {
    leave_place();
    is_in_set_ = false;
    fd_.close();
}

void WatchedDescriptor::abort() noexcept {
    if (fd_) {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        (void)::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close();
    }
}

void WatchedDescriptor::leave_place() noexcept {
    if (place_ != nowhere) {
        watcher_->leave_place(std::exchange(place_, nowhere));
    }
}

News::News(boost::asio::any_io_executor executor, WatchedDescriptor& descriptor)
    : descriptor_(descriptor),
      came_(std::move(executor), boost::asio::steady_timer::time_point::max()) {}

std::error_code News::watch(std::uint32_t events) {
    is_there_ = false;
    return descriptor_.watch(events, *this);
}

boost::asio::awaitable<void> News::wait() {
    if (!std::exchange(is_there_, false)) {
        (void)co_await came_.async_wait(use_result);
        is_there_ = false;
    }
}

void News::wake() {
    came_.cancel();
}

void News::has_news(std::uint32_t) {
    is_there_ = true;
    came_.cancel();
}

}  // namespace tcplock::io
