// The one owner of a file descriptor: closes it when it goes. Nothing but ownership; what the
// descriptor is for is its holder's business.
#pragma once

#include <unistd.h>
#include <utility>

namespace tcplock::io {

class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            close();
            fd_ = other.release();
        }
        return *this;
    }
    ~Descriptor() { close(); }

    int get() const noexcept { return fd_; }
    explicit operator bool() const noexcept { return fd_ >= 0; }

    // Hands the descriptor over; the caller closes it.
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }

    void close() noexcept {
        if (fd_ >= 0) {
            // Not repeated on EINTR: Linux has released the descriptor by then.
            ::close(release());
        }
    }

private:
    int fd_ = -1;
};

}  // namespace tcplock::io
