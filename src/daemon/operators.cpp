#include "daemon/operators.hpp"

#include "config/address.hpp"
#include "daemon/log.hpp"
#include "daemon/open_files.hpp"
#include "io/address.hpp"
#include "io/socket.hpp"
#include "io/unix_socket.hpp"
#include "io/user.hpp"

#include <boost/asio/post.hpp>

#include <exception>
#include <stdexcept>
#include <sys/types.h>
#include <system_error>
#include <utility>
#include <variant>

namespace tcplock::daemon {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

// One more is closed at once. On the socket there are programs that an operator runs;
// over TCP a scraper, probes and a few browsers.
constexpr std::size_t socket_visitors_max = 1100;
constexpr std::size_t http_visitors_max = 64;
constexpr auto between_complaints = 1min;
// What is shown may be as old as this.
constexpr auto seen_for = 100ms;

std::optional<gid_t> group_of(const config::Admin& admin) {
    if (admin.socket_group.empty()) {
        return std::nullopt;
    }
    const auto group = io::find_group(admin.socket_group);
    if (!group) {
        throw std::runtime_error("admin.socket_group: there is no group " + admin.socket_group +
                                 " on this machine");
    }
    return group;
}

// Whoever it is that connected, as the kernel knows him.
std::string who(const io::Descriptor& visitor) {
    const auto peer = io::listener_of(visitor.get());
    const auto* const known = std::get_if<io::Listening>(&peer);
    return known == nullptr
               ? "somebody"
               : "user " + std::to_string(known->uid) + ", process " + std::to_string(known->pid);
}

}  // namespace

Operators::Operators(boost::asio::any_io_executor executor, io::Watcher& watcher,
                     const config::Config& config, std::size_t open_files, Callbacks callbacks,
                     io::TaskGroup& tasks)
    : executor_(std::move(executor)),
      watcher_(watcher),
      open_files_(open_files),
      callbacks_(std::move(callbacks)),
      desk_({[this]() -> const admin::View& { return look(); }, callbacks_.record,
             [this](core::Event event, const std::string& what, const std::string& by) {
                 obey(std::move(event), what, by);
             },
             [this](const std::string& by) {
                 seen_.reset();
                 return callbacks_.reload(by);
             }}),
      socket_door_{admin::Access::everything, socket_visitors_max},
      http_door_{admin::Access::read_only, http_visitors_max},
      tasks_(tasks) {
    if (config.admin.socket) {
        open_socket(config);
    }
    if (config.admin.http) {
        const auto address = io::parse_endpoint(*config.admin.http);
        listeners_.emplace_back(executor_, watcher_, *address, callbacks_for(http_door_));
        Line(Line::Level::info, "operators may read here").with("http", *config.admin.http);
    }
}

void Operators::open_socket(const config::Config& config) {
    const std::string& path = *config.admin.socket;
    try {
        file_.emplace(path, config.admin.socket_mode, group_of(config.admin));
    } catch (const std::exception& error) {
        if (config.positions.lines.contains("admin.socket")) {
            throw;
        }
        Line(Line::Level::warn,
             "no socket for operators: status, recycle and the other commands "
             "will not find this supervisor; name one in admin.socket")
            .with("why", error.what());
        return;
    }
    listeners_.emplace_back(executor_, watcher_, file_->take(), callbacks_for(socket_door_));
    Line(Line::Level::info, "operators come in here").with("socket", path);
}

io::Listener::Callbacks Operators::callbacks_for(Door& door) {
    io::Listener::Callbacks callbacks;
    callbacks.accepted = [this, &door](io::Descriptor visitor, const io::tcp::endpoint& peer) {
        const bool is_local = door.access == admin::Access::everything;
        const std::string from = is_local ? who(visitor) : io::describe(peer);
        accepted(door, std::move(visitor), from);
    };
    callbacks.exhausted = [](std::error_code error) {
        Line(Line::Level::error, "cannot accept operators for lack of resources")
            .with("why", error.message());
    };
    return callbacks;
}

void Operators::start() {
    for (io::Listener& listener : listeners_) {
        listener.start();
    }
}

void Operators::close() {
    for (io::Listener& listener : listeners_) {
        listener.close();
    }
    file_.reset();
}

void Operators::tell_full(Door& door, const char* why) {
    const auto now = steady_clock::now();
    if (door.told_full && now - *door.told_full < between_complaints) {
        return;
    }
    door.told_full = now;
    Line(Line::Level::warn, "an operator was turned away")
        .with("by", door.access == admin::Access::everything ? "admin.socket" : "admin.http")
        .with("there", door.visitors)
        .with("limit", door.visitors_max)
        .with("why", why);
}

// One too many is closed: he hears of it at once, and may come again.
void Operators::accepted(Door& door, io::Descriptor visitor, const std::string& from) {
    if (door.visitors >= door.visitors_max) {
        tell_full(door, "as many as may come at once are there");
        return;
    }
    if (is_beyond_reserve(visitor, open_files_)) {
        tell_full(door, "the limit of open files leaves none for another");
        return;
    }
    try {
        io::Socket socket = io::adopt(executor_, std::move(visitor));
        tasks_.spawn("operator", attend(door, std::move(socket), from));
    } catch (const std::system_error&) {
        return;  // The system has nothing left for one more; he may come again.
    }
}

boost::asio::awaitable<void> Operators::attend(Door& door, io::Socket visitor, std::string by) {
    ++door.visitors;
    admin::Answer answer = [this, &door, by](const admin::Request& request) {
        return desk_.answer(request, door.access, by);
    };
    co_await admin::serve(std::move(visitor), std::move(answer));
    --door.visitors;
}

// In a turn of its own: what goes wrong with it is no answer to a request, and an end that comes at
// once does not cut off the answer.
void Operators::obey(core::Event event, const std::string& what, const std::string& by) {
    boost::asio::post(executor_, [this, event = std::move(event), what, by] {
        callbacks_.order(event, what, by);
        seen_.reset();
    });
}

const admin::View& Operators::look() {
    const auto now = steady_clock::now();
    if (!seen_ || now - seen_at_ >= seen_for) {
        seen_ = callbacks_.look();
        seen_at_ = now;
    }
    return *seen_;
}

}  // namespace tcplock::daemon
