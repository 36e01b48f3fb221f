// Tells when descriptors have news that are many, or busy: those who wait, and those who are
// inside. One descriptor set of its own holds them, and for Asio all of them are one descriptor.
//
// Asio's own way costs a session a dozen system calls more: a call for each wait or for each read
// that finds nothing, one to take out what is about to be closed, and a round for every operation
// that could be done at once.
//
// What is told is an edge, unless it is asked for otherwise: that something has come since, not
// that something is there. Whoever hears of it goes on until there can be no more. Nobody is told
// of a descriptor that was let go of, or closed, even if its news had been fetched by then.
#pragma once

#include "io/descriptor.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <functional>
#include <system_error>
#include <utility>
#include <vector>

namespace tcplock::io {

// Who hears of it. `events` as epoll_wait(2) gives them. May do whatever it likes with the
// descriptor and with itself.
class Watching {
public:
    virtual void has_news(std::uint32_t events) = 0;

protected:
    ~Watching() = default;
};

class Watcher {
public:
    // Told when something has come; told each time round, as long as something is there.
    enum class Trigger { edge, level };

    // Throws std::system_error when the system has no descriptor left for the set.
    explicit Watcher(boost::asio::any_io_executor executor);

    Watcher(const Watcher&) = delete;
    Watcher& operator=(const Watcher&) = delete;

    // Tells of news until close(). The object must outlive it, and all that it watches.
    boost::asio::awaitable<void> run();
    void close();

private:
    friend class WatchedDescriptor;

    struct Place {
        Watching* who = nullptr;
        std::uint32_t turn = 0;  // which of those who had this place
    };

    std::uint32_t take_place(Watching& who);
    void leave_place(std::uint32_t place);
    std::error_code control(int operation, int fd, std::uint32_t events, std::uint32_t place);
    void tell_news();

    boost::asio::posix::stream_descriptor set_;
    std::vector<Place> places_;
    std::vector<std::uint32_t> free_places_;
};

// A descriptor, and what is watched of it. Unwatched at first.
class WatchedDescriptor {
public:
    explicit WatchedDescriptor(Watcher& watcher, Descriptor fd = Descriptor()) noexcept
        : watcher_(&watcher), fd_(std::move(fd)) {}
    WatchedDescriptor(WatchedDescriptor&& other) noexcept
        : watcher_(other.watcher_),
          fd_(std::move(other.fd_)),
          is_in_set_(std::exchange(other.is_in_set_, false)),
          place_(std::exchange(other.place_, nowhere)) {}
    WatchedDescriptor& operator=(WatchedDescriptor&& other) noexcept;
    ~WatchedDescriptor() { close(); }

    // For one that has none.
    void assign(Descriptor fd) noexcept { fd_ = std::move(fd); }
    const Descriptor& descriptor() const noexcept { return fd_; }
    int get() const noexcept { return fd_.get(); }
    explicit operator bool() const noexcept { return bool(fd_); }

    // From now on `who` is told, who must outlive that; whoever was told before is no longer. What
    // is there already counts as news, and EPOLLERR and EPOLLHUP always do. An error: the system
    // lacks memory, or has no more watches for this user; then nobody is told any more.
    std::error_code watch(std::uint32_t events, Watching& who,
                          Watcher::Trigger trigger = Watcher::Trigger::edge);

    // Nobody is told any more; it stays open.
    void forget() noexcept { leave_place(); }
    // Hands it over, unwatched.
    Descriptor release() noexcept;
    void close() noexcept;
    // Of a socket: with a reset, as io::abort() does.
    void abort() noexcept;

private:
    static constexpr std::uint32_t nowhere = ~std::uint32_t{0};

    void leave_place() noexcept;

    Watcher* watcher_;
    Descriptor fd_;
    bool is_in_set_ = false;
    std::uint32_t place_ = nowhere;  // of who is told
};

// For a coroutine that waits for what comes next. The descriptor must outlive it, and stay where it
// is.
class News final : Watching {
public:
    News(boost::asio::any_io_executor executor, WatchedDescriptor& descriptor);
    ~News() { descriptor_.forget(); }

    News(const News&) = delete;
    News& operator=(const News&) = delete;

    WatchedDescriptor& descriptor() { return descriptor_; }
    std::error_code watch(std::uint32_t events);

    // Ends when there are some that no wait has ended with yet, at wake(), or as cancelled.
    boost::asio::awaitable<void> wait();
    void wake();

private:
    void has_news(std::uint32_t events) override;

    WatchedDescriptor& descriptor_;
    bool is_there_ = false;
    boost::asio::steady_timer came_;  // never expires; cancelled to wake who waits
};

}  // namespace tcplock::io
