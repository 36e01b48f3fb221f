// One listening address: takes clients from the system and hands each over, in their order.
//
// It does not know who may come in; it never gives up. When descriptors run out it pauses and goes
// on, and says so at most once a minute. close() takes everybody who had connected before it and
// refuses those who come after, so nobody whom the system had let in is reset by us; except a far
// client that was in the middle of connecting for more than two milliseconds then. A socket that is
// somebody else's as well is not closed but let go of: nobody who comes to it is lost either.
#pragma once

#include "io/descriptor.hpp"
#include "io/watcher.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <system_error>
#include <vector>

namespace tcplock::io {

using boost::asio::ip::tcp;

class Listener final : Watching {
public:
    struct Callbacks {
        std::function<void(Descriptor client, tcp::endpoint peer)> accepted;
        std::function<void(std::error_code error)> exhausted;
    };

    // Clients may connect from here on. Throws std::system_error, whose text names the address. The
    // watcher must outlive it.
    Listener(boost::asio::any_io_executor executor, Watcher& watcher, tcp::endpoint address,
             Callbacks callbacks);
    // On a socket that listens already, and may be somebody else's as well. One in the file system
    // has no peers with an address: what `accepted` is told of that means nothing. One of TCP's
    // gets the options that clients need, and so do those who connected before; throws as above.
    Listener(boost::asio::any_io_executor executor, Watcher& watcher, Descriptor listening,
             Callbacks callbacks);

    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // Accepts from now on. Throws std::system_error if the system has no watch left.
    void start();

    // Calls back for everybody whose connect had succeeded, then closes. May be called from within
    // a callback, and again.
    void close();

    // Accepts nobody from here on; the socket goes on listening for whoever else has it, and who
    // connects, or has connected and was not accepted, waits there.
    void let_go();

    tcp::endpoint local_endpoint() const { return local_; }

    // Where clients come to it; none of a socket in the file system.
    const std::vector<tcp::endpoint>& endpoints() const { return endpoints_; }

private:
    enum class Outcome { accepted, nobody, skipped, exhausted };

    void has_news(std::uint32_t events) override;
    Outcome accept_one();
    Outcome accept_some(int limit);
    void pause();
    void note_exhausted(std::error_code error);

    WatchedDescriptor socket_;
    boost::asio::steady_timer pause_;
    bool is_pausing_ = false;
    int at_once_ = 1;
    unsigned accepted_ = 0;
    Callbacks callbacks_;
    tcp::endpoint local_;
    std::vector<tcp::endpoint> endpoints_;
    bool is_shared_ = false;
    bool may_lack_options_ = false;  // who is accepted
    std::optional<std::chrono::steady_clock::time_point> last_complaint_;
};

}  // namespace tcplock::io
