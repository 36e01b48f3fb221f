// How a generation is ended: asked, signalled, killed, and watched until its whole tree is gone and
// its address refuses. Only then is its place clear, however long that takes.
#pragma once

#include "config/config.hpp"
#include "daemon/kinship.hpp"
#include "daemon/life.hpp"
#include "io/reaper.hpp"
#include "io/task_group.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <functional>

namespace tcplock::daemon {

class Ending {
public:
    struct Callbacks {
        // Its leader has exited, and its last output is here, or is waited for no longer; once.
        std::function<void(Life&)> tell_end;
        // Nothing is left of it.
        std::function<boost::asio::awaitable<void>(LifePtr)> cleared;
    };

    Ending(boost::asio::io_context& io, const config::Config& config, io::Reaper& reaper,
           Kinship& kinship, io::TaskGroup& tasks, Callbacks callbacks);

    // Asked first, unless it is to be killed.
    void begin(LifePtr life);
    // The grace is over.
    void kill(Life& life);

private:
    boost::asio::awaitable<void> ask(LifePtr life);
    boost::asio::awaitable<void> ask_in_its_own_protocol(LifePtr life);
    boost::asio::awaitable<void> clear(LifePtr life);
    boost::asio::awaitable<bool> is_clear(LifePtr life);
    boost::asio::awaitable<void> next_look(std::chrono::milliseconds at_latest);
    void signal(Life& life, int number, int then = 0);
    void tell_end_once(Life& life);

    boost::asio::io_context& io_;
    const config::Config& config_;
    io::Reaper& reaper_;
    Kinship& kinship_;
    io::TaskGroup& tasks_;
    Callbacks callbacks_;
};

}  // namespace tcplock::daemon
