#include "daemon/passed.hpp"

#include "config/read.hpp"
#include "io/address.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace tcplock::daemon {
namespace {

class Problems {
public:
    explicit Problems(const config::Config& config) : positions_(config.positions) {}

    void add(const std::string& key, std::string message) {
        all_.push_back(
            {positions_.file, config::line_of(positions_, key), key, std::move(message)});
    }

    std::vector<config::Problem> all() && { return std::move(all_); }

private:
    const config::Positions& positions_;
    std::vector<config::Problem> all_;
};

auto find_address(const config::Config& config, std::string_view address) {
    return std::find_if(config.listen.begin(), config.listen.end(),
                        [address](const auto& listen) { return listen.address == address; });
}

std::string key_of(const config::Config& config, decltype(config.listen.begin()) listen) {
    return "listen[" + std::to_string(listen - config.listen.begin()) + "]";
}

// Who connects there would wait until the service manager closes it.
void note_nobody_listens(const PassedSockets& passed, Problems& problems) {
    for (const io::PassedSocket& socket : passed) {
        if (!socket.no_socket.empty()) {
            problems.add("listen", socket.what + ", of which LISTEN_FDS tells, " +
                                       socket.no_socket +
                                       ", expected nothing to be passed without \"- address: "
                                       "systemd\" in this list");
            continue;
        }
        problems.add("listen", socket.what +
                                   " was passed by a socket unit, and nobody would accept clients "
                                   "there, expected \"- address: systemd\" in this list, or no "
                                   "socket unit");
    }
}

// None of `systemd`.
std::optional<config::Endpoint> read(const std::string& address) {
    const auto parsed = config::parse_endpoint(address);
    const auto* const endpoint = std::get_if<config::Endpoint>(&parsed);
    return endpoint == nullptr ? std::nullopt : std::optional(*endpoint);
}

bool is_in(const io::PassedSocket& socket, const std::string& address) {
    const auto written = read(address);
    return written && std::ranges::any_of(socket.endpoints, [&written](const auto& endpoint) {
               return config::overlap(as_configured(endpoint), *written);
           });
}

// We would not get it, this time and every time we were started anew.
void check_others(const io::PassedSocket& socket, const config::Config& config,
                  Problems& problems) {
    for (auto listen = config.listen.begin(); listen != config.listen.end(); ++listen) {
        if (!is_in(socket, listen->address)) {
            continue;
        }
        const bool is_same = read(listen->address) == as_configured(socket.address);
        const std::string why = is_same
                                    ? listen->address + " is passed by a socket unit already"
                                    : listen->address + " and " + socket.what +
                                          ", which a socket unit has passed, are in part the same";
        problems.add(key_of(config, listen) + ".address", why + ", expected each address once");
    }
    if (const auto& http = config.admin.http; http && is_in(socket, *http)) {
        problems.add("admin.http", *http + " is where clients connect, at " + socket.what +
                                       " passed by a socket unit, expected an address of its own");
    }
}

bool is_where_the_backend_listens(const io::PassedSocket& socket, const config::Config& config) {
    return std::ranges::any_of(socket.endpoints, [&config](const auto& endpoint) {
        return config::is_own_client(as_configured(endpoint), config.backend);
    });
}

void check_one(const io::PassedSocket& socket, const std::string& key, const config::Config& config,
               const config::Listen& listen, Problems& problems) {
    if (!socket.why_not.empty()) {
        problems.add(key + ".address", socket.what + " " + socket.why_not);
        return;
    }
    check_others(socket, config, problems);
    if (is_where_the_backend_listens(socket, config)) {
        problems.add(key + ".address", socket.what +
                                           " is where the backend listens, expected another port "
                                           "in the socket unit");
    }
    const bool is_answered = listen.allow_any || !listen.allow.empty();
    if (config.protocol == config::Protocol::uno && !is_answered &&
        !io::Allow::loopback().permits(socket.address.address())) {
        const bool is_written = config.positions.lines.contains(key + ".allow");
        problems.add(key + ".allow", config::why_allow_is_needed(is_written, socket.what));
    }
}

}  // namespace

config::Endpoint as_configured(const io::tcp::endpoint& address) {
    io::tcp::endpoint plain = address;
    if (address.address().is_v6()) {
        plain.address(boost::asio::ip::address_v6(address.address().to_v6().to_bytes()));
    }
    return std::get<config::Endpoint>(config::parse_endpoint(io::describe(plain)));
}

std::vector<config::Problem> problems_with(const PassedSockets& passed,
                                           const config::Config& config) {
    Problems problems(config);
    const auto listen = find_address(config, config::passed_sockets);
    if (listen == config.listen.end()) {
        note_nobody_listens(passed, problems);
        return std::move(problems).all();
    }
    const std::string key = key_of(config, listen);
    if (passed.empty()) {
        problems.add(key + ".address",
                     "no socket was passed, expected a start by a socket unit (systemctl start "
                     "tcplock-supervisor.socket), or an address like 127.0.0.1:2002 here");
    }
    for (const io::PassedSocket& socket : passed) {
        check_one(socket, key, config, *listen, problems);
    }
    return std::move(problems).all();
}

std::size_t count_listeners(const PassedSockets& passed, const config::Config& config) {
    const auto own = std::count_if(config.listen.begin(), config.listen.end(),
                                   [](const auto& listen) { return !listen.is_passed(); });
    return static_cast<std::size_t>(own) + passed.size();
}

}  // namespace tcplock::daemon
