// As little as a gate can do: accept one, connect, carry bytes both ways, close; then the next. Who
// waits is kept by the system. No line of its own, no limit of time, no log.
//
// usage: bench_yardstick LISTEN_ADDRESS:PORT BACKEND_ADDRESS:PORT copy|splice
#include "failure.hpp"
#include "sockets.hpp"

#include <algorithm>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace tcplock::bench {
namespace {

constexpr std::size_t most = 256 * 1024;
constexpr int pipe_size = 1024 * 1024;

// One direction. Both kinds give what was taken, or 0 at the end or when one side is gone.
struct Copy {
    ssize_t carry(int from, int to) {
        const auto size = std::max<ssize_t>(::recv(from, bytes, sizeof bytes, 0), 0);
        for (ssize_t sent = 0, now = 0; sent < size; sent += now)
            if ((now = ::send(to, bytes + sent, static_cast<std::size_t>(size - sent),
                              MSG_NOSIGNAL)) <= 0)
                return 0;
        return size;
    }
    char bytes[most];
};

struct Splice {
    Splice() {
        checked(::pipe2(ends, O_CLOEXEC), "pipe2");
        checked(::fcntl(ends[1], F_SETPIPE_SZ, pipe_size), "F_SETPIPE_SZ");
    }
    ssize_t carry(int from, int to) {
        const auto size = std::max<ssize_t>(
            ::splice(from, nullptr, ends[1], nullptr, pipe_size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK),
            0);
        for (ssize_t sent = 0, now = 0; sent < size; sent += now)
            if ((now = ::splice(ends[0], nullptr, to, nullptr,
                                static_cast<std::size_t>(size - sent), SPLICE_F_MOVE)) <= 0)
                return 0;
        return size;
    }
    int ends[2];
};

template <class Lane>
[[noreturn]] void serve(int listener, const sockaddr_in& backend_address) {
    static Lane in;
    static Lane out;
    for (;;) {
        const int client = checked(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept4");
        send_at_once(client);
        const int backend = connect_to(backend_address);
        pollfd set[2]{{.fd = client, .events = POLLIN, .revents = 0},
                      {.fd = backend, .events = POLLIN, .revents = 0}};
        while (set[0].fd >= 0 || set[1].fd >= 0) {
            checked(::poll(set, 2, -1), "poll");
            if (set[0].revents != 0 && in.carry(client, backend) == 0) {
                ::shutdown(backend, SHUT_WR);
                set[0].fd = -1;  // what poll does not look at
            }
            if (set[1].revents != 0 && out.carry(backend, client) == 0) {
                ::shutdown(client, SHUT_WR);
                set[1].fd = -1;
            }
        }
        ::close(backend);
        ::close(client);
    }
}

}  // namespace
}  // namespace tcplock::bench

int main(int argc, char** argv) try {
    using namespace tcplock::bench;
    const std::string_view kind = argc == 4 ? argv[3] : "";
    if (kind != "copy" && kind != "splice") {
        std::cerr
            << "usage: bench_yardstick LISTEN_ADDRESS:PORT BACKEND_ADDRESS:PORT copy|splice\n";
        return 2;
    }
    const int listener = listen_at(to_address(argv[1]));
    ::fcntl(listener, F_SETFL, 0);  // It waits in accept.
    const auto backend = to_address(argv[2]);
    kind == "copy" ? serve<Copy>(listener, backend) : serve<Splice>(listener, backend);
} catch (const std::exception& error) {
    std::cerr << "bench_yardstick: " << error.what() << '\n';
    return 1;
}
