// The clients who wait for their turn: who of them has left?
//
// One descriptor set of its own watches them all. A client here has no buffer, no timer and no
// coroutine; what it has sent stays in the system's buffer until its turn. A departure is told
// once, from run(), never from within add() or take(), and never for a client that was taken.
#pragma once

#include "io/descriptor.hpp"
#include "io/socket.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>

namespace tcplock::io {

class Waiting {
public:
    using Left = std::function<void(std::uint64_t key)>;

    // Throws std::system_error when the system has no descriptor left for the set.
    Waiting(boost::asio::any_io_executor executor, Left left);

    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    // Tells of departures until close(). The object must outlive it.
    boost::asio::awaitable<void> run();
    void close();

    // A key is in here once at a time; a client that comes back may have its own again.
    void add(std::uint64_t key, Descriptor client, HalfClose half_close);

    // The client's turn, or its end: hands it back. Empty when the key is not here, for instance
    // because its departure has been told.
    Descriptor take(std::uint64_t key);

    // Whether it has left although run() has not come round to telling: ask when its turn comes,
    // for the dead are not to be served.
    bool has_left(std::uint64_t key) const;

    std::size_t size() const { return clients_.size(); }

private:
    struct Client {
        Descriptor fd;
        HalfClose half_close;
    };

    void tell_departures();

    boost::asio::posix::stream_descriptor set_;
    Left left_;
    std::unordered_map<std::uint64_t, Client> clients_;
};

}  // namespace tcplock::io
