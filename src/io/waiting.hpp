// The clients who wait for their turn: who of them has left?
//
// A client here has no buffer, no timer and no coroutine; what it has sent stays in the system's
// buffer until its turn, and is no news. A departure is told once, by the watcher, never from
// within add() or take(), and never for a client that was taken.
#pragma once

#include "io/descriptor.hpp"
#include "io/socket.hpp"
#include "io/watcher.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>

namespace tcplock::io {

class Waiting {
public:
    using Left = std::function<void(std::uint64_t key)>;

    // The watcher must outlive it.
    Waiting(Watcher& watcher, Left left);

    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    // All that are here are closed, and nobody is told.
    void close() { clients_.clear(); }

    // A key is in here once at a time; a client that comes back may have its own again.
    void add(std::uint64_t key, WatchedDescriptor client, HalfClose half_close);

    // The client's turn, or its end: hands it back. Empty when the key is not here, for instance
    // because its departure has been told.
    WatchedDescriptor take(std::uint64_t key);

    // Whether it has left although nobody has told yet: ask when its turn comes,
    // for the dead are not to be served.
    bool has_left(std::uint64_t key) const;

    std::size_t size() const { return clients_.size(); }

private:
    struct Client final : Watching {
        Client(Waiting& room, std::uint64_t its_key, WatchedDescriptor its_socket, HalfClose means)
            : waiting(room), key(its_key), socket(std::move(its_socket)), half_close(means) {}
        void has_news(std::uint32_t events) override;

        Waiting& waiting;
        std::uint64_t key;
        WatchedDescriptor socket;
        HalfClose half_close;
    };

    Watcher& watcher_;
    Left left_;
    std::unordered_map<std::uint64_t, Client> clients_;
};

}  // namespace tcplock::io
