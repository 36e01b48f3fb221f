// An office that has nothing to do: it greets, agrees, and answers at once whatever the
// supervisor's probes ask, so that what they cost is the supervisor's own.
//
// usage: bench_office ADDRESS:PORT
#include "failure.hpp"
#include "loop.hpp"
#include "office_words.hpp"
#include "sockets.hpp"
#include "uno/block.hpp"
#include "uno/message.hpp"
#include "uno/protocol.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <variant>

namespace tcplock::bench {
namespace {

constexpr std::size_t longest_block = 65536;
constexpr std::string_view some_object = "55563ba400d50;gcc3[0];ead0d0badd";

class Visitor {
public:
    Visitor(Loop& loop, int fd) : loop_{loop}, fd_{fd} { say(greeting()); }

    // False: it has left.
    bool hear() {
        std::uint8_t bytes[4096];
        const auto wanted = std::min(blocks_.missing(), sizeof bytes);
        const auto size = ::recv(fd_, bytes, wanted, 0);
        if (size < 0 && errno == EAGAIN)
            return true;
        if (size <= 0)
            return false;
        blocks_.add(uno::Bytes{bytes, static_cast<std::size_t>(size)});
        if (blocks_.state() == uno::BlockReader::State::impossible)
            throw Failure{"heard something that is not UNO"};
        if (blocks_.state() == uno::BlockReader::State::whole) {
            incoming_.open(blocks_.body());
            answer();
            blocks_.next();
        }
        return true;
    }

    void leave() {
        loop_.forget(fd_);
        ::close(fd_);
    }

private:
    void say(const uno::Buffer& block) {
        // Who is gone is told of by the next recv.
        (void)::send(fd_, block.data(), block.size(), MSG_NOSIGNAL);
    }

    void answer() {
        const auto message = incoming_.message();
        if (!message)
            throw Failure{"heard a message that cannot be read"};
        if (const auto* const request = std::get_if<uno::Request>(&*message))
            answer(*request);
        else if (!has_agreed_)
            agree();
    }

    // It was told to go ahead with its change.
    void agree() {
        has_agreed_ = true;
        say(uno::begin_request(uno::name::properties_type, uno::name::properties_object,
                               uno::function::commit_change, ".UrpProtocolPropertiesTid")
                .byte(1)
                .text(uno::name::current_context)
                .byte(uno::type_class::void_type)
                .in_block());
    }

    void answer(const uno::Request& request) {
        if (request.object == uno::name::properties_object)
            return;  // A client's own greeting: it has ours, and wants no more.
        auto reply = uno::begin_reply(request.thread);
        if (request.function == uno::function::query_interface)
            reply.type(uno::type_class::interface, uno::name::interface).object(some_object);
        else if (request.type == uno::name::enumeration)
            reply.byte(0);  // There are no more documents.
        else if (request.type == uno::name::desktop &&
                 request.function == uno::function::get_current_frame)
            reply.no_object();
        else
            reply.object(some_object);
        say(reply.in_block());
    }

    Loop& loop_;
    int fd_;
    bool has_agreed_ = false;
    uno::BlockReader blocks_{longest_block};
    uno::Incoming incoming_;
};

void accept_all(Loop& loop, int listener) {
    for (;;) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN)
            return;
        checked(fd, "accept4");
        send_at_once(fd);
        const auto visitor = std::make_shared<Visitor>(loop, fd);
        loop.watch(fd, EPOLLIN, [visitor](std::uint32_t) {
            if (!visitor->hear())
                visitor->leave();
        });
    }
}

[[noreturn]] void serve_at(const sockaddr_in& address) {
    Loop loop;
    const int listener = listen_at(address);
    loop.watch(listener, EPOLLIN, [&](std::uint32_t) { accept_all(loop, listener); });
    for (;;)
        loop.turn(std::chrono::milliseconds{-1});
}

}  // namespace
}  // namespace tcplock::bench

int main(int argc, char** argv) try {
    if (argc != 2) {
        std::cerr << "usage: bench_office ADDRESS:PORT\n";
        return 2;
    }
    tcplock::bench::serve_at(tcplock::bench::to_address(argv[1]));
} catch (const std::exception& error) {
    std::cerr << "bench_office: " << error.what() << '\n';
    return 1;
}
