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

short state_of(Socket& socket) {
    pollfd state{socket.is_open() ? socket.native_handle() : -1, POLLRDHUP, 0};
    return ::poll(&state, 1, 0) == 1 ? state.revents : short{0};
}

}  // namespace

bool is_in_file_system(const Endpoint& endpoint) {
    return endpoint.protocol().family() == AF_UNIX;
}

Socket open_socket(boost::asio::any_io_executor executor, const Endpoint& towards,
                   boost::system::error_code& error) {
    Socket socket(executor);
    const auto protocol = towards.protocol();
    Descriptor fd(::socket(protocol.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
        error.assign(errno, boost::system::system_category());
        return socket;
    }
    socket.assign(protocol, fd.get(), error);
    if (!error) {
        (void)fd.release();
        boost::system::error_code ignored;  // A socket with delay is slower, and still a socket.
        socket.set_option(tcp::no_delay(true), ignored);
        // Urgent bytes stay where they stand among the others.
        socket.set_option(boost::asio::socket_base::out_of_band_inline(true), ignored);
    }
    return socket;
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

bool has_finished(Socket& socket) {
    return (state_of(socket) & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

// Not POLLHUP: that is what two orderly FINs look like.
bool was_reset(Socket& socket) {
    return (state_of(socket) & POLLERR) != 0;
}

int unacknowledged(Socket& socket) {
    int bytes = 0;
    if (!socket.is_open() || ::ioctl(socket.native_handle(), SIOCOUTQ, &bytes) != 0) {
        return 0;
    }
    return bytes;
}

}  // namespace tcplock::io
