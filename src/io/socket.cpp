#include "io/socket.hpp"

#include <boost/asio/error.hpp>

#include <cerrno>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace tcplock::io {

namespace {

short state_of(int socket) {
    pollfd state{socket, POLLRDHUP, 0};
    return ::poll(&state, 1, 0) == 1 ? state.revents : short{0};
}

}  // namespace

bool is_in_file_system(const Endpoint& endpoint) {
    return endpoint.protocol().family() == AF_UNIX;
}

Socket adopt(boost::asio::any_io_executor executor, Descriptor descriptor) {
    int family = 0;
    socklen_t size = sizeof family;
    if (::getsockopt(descriptor.get(), SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) {
        throw std::system_error(errno, std::system_category(), "not a socket");
    }
    Socket socket(executor);
    socket.assign({family, 0}, descriptor.get());
    (void)descriptor.release();
    return socket;
}

void abort(Socket& socket) {
    boost::system::error_code ignored;  // The peer may have been quicker; then it knows already.
    if (socket.is_open()) {
        socket.set_option(Socket::linger(true, 0), ignored);
        socket.close(ignored);
    }
}

bool has_finished(int socket) {
    return (state_of(socket) & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

// Not POLLHUP: that is what two orderly FINs look like.
bool was_reset(int socket) {
    return (state_of(socket) & POLLERR) != 0;
}

int unacknowledged(int socket) {
    int bytes = 0;
    return ::ioctl(socket, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

}  // namespace tcplock::io
