// Where a service manager hears of its service: one datagram a message (sd_notify(3)).
//
// Nobody waits for the service manager. libsystemd's sd_notify() does, without end, while the other
// side does not read, and that would hold up the event loop.
#pragma once

#include "io/descriptor.hpp"

#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <utility>

namespace tcplock::io {

class NotifySocket {
public:
    // As NOTIFY_SOCKET has it: an absolute path, or "@" and a name that is in no file system. None
    // for anything else.
    static std::optional<NotifySocket> open(std::string_view name);

    // Whether it was taken. If not, the queue there is full or nobody is there: it may be tried
    // again.
    [[nodiscard]] bool send(std::string_view message) const;

private:
    NotifySocket(Descriptor socket, const sockaddr_un& address, socklen_t size)
        : socket_(std::move(socket)), address_(address), size_(size) {}

    Descriptor socket_;
    sockaddr_un address_;
    socklen_t size_;
};

}  // namespace tcplock::io
