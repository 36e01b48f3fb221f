// Where operators come in: a socket in the file system, and HTTP over TCP to read alone. Takes
// their connections and has them answered at admin/desk.hpp.
//
// It decides nothing. However many come, they cost a bounded number of descriptors, and what they
// are shown is put together at most ten times a second.
#pragma once

#include "admin/desk.hpp"
#include "config/config.hpp"
#include "core/events.hpp"
#include "io/listener.hpp"
#include "io/socket.hpp"
#include "io/socket_file.hpp"
#include "io/task_group.hpp"
#include "io/watcher.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <optional>
#include <string>

namespace tcplock::daemon {

class Operators {
public:
    struct Callbacks {
        std::function<admin::View()> look;
        const admin::Record& record;
        // By whom, in words.
        std::function<void(core::Event, const std::string& what, const std::string& by)> order;
        std::function<admin::Reloaded(const std::string& by)> reload;
    };

    // Opens the sockets, and accepts nobody yet. Throws std::exception with a sentence if one that
    // is written cannot be had; the default one is then done without, with a line in the log.
    Operators(boost::asio::any_io_executor executor, io::Watcher& watcher,
              const config::Config& config, std::size_t open_files, Callbacks callbacks,
              io::TaskGroup& tasks);

    void start();
    void close();

private:
    struct Door {
        admin::Access access;
        std::size_t visitors_max;
        std::size_t visitors = 0;
        std::optional<std::chrono::steady_clock::time_point> told_full = {};
    };

    void open_socket(const config::Config& config);
    io::Listener::Callbacks callbacks_for(Door& door);
    void tell_full(Door& door, const char* why);
    void accepted(Door& door, io::Descriptor visitor, const std::string& from);
    boost::asio::awaitable<void> attend(Door& door, io::Socket visitor, std::string by);
    void obey(core::Event event, const std::string& what, const std::string& by);
    const admin::View& look();

    boost::asio::any_io_executor executor_;
    io::Watcher& watcher_;
    const std::size_t open_files_;
    Callbacks callbacks_;
    admin::Desk desk_;
    Door socket_door_;
    Door http_door_;
    std::optional<io::SocketFile> file_;
    std::list<io::Listener> listeners_;
    std::optional<admin::View> seen_;
    std::chrono::steady_clock::time_point seen_at_;
    io::TaskGroup& tasks_;
};

}  // namespace tcplock::daemon
