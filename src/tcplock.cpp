// The command `tcplock`: a gate before a service that somebody else runs, by its arguments alone.
// All it can do, and more, tcplock-supervisor does with a configuration.

#include "config/address.hpp"
#include "config/defaults.hpp"
#include "config/read.hpp"
#include "daemon/journal.hpp"
#include "daemon/passed.hpp"
#include "daemon/program.hpp"

#include <boost/program_options.hpp>

#include <charconv>
#include <chrono>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

namespace {

namespace config = tcplock::config;
namespace daemon = tcplock::daemon;
namespace options = boost::program_options;

using namespace std::chrono_literals;

constexpr std::string_view usage =
    R"(tcplock lets the clients of a TCP service in one at a time, or a few, first come, first served.

usage: tcplock -l PORT -p PORT [-h HOST] [-n N] [-t MS]

  -l PORT   where clients connect, on every IPv4 address; or an ADDRESS:PORT
  -p PORT   the port of the service
  -h HOST   its name or address; otherwise localhost
  -n N      clients inside at once; otherwise 1
  -t MS     milliseconds that a client may be inside; otherwise as long as it likes

       tcplock --version | --help

TERM and INT end it: who waits is served, as long as that takes no more than 30 s.
tcplock-supervisor -c FILE does the same with probes, hooks, and a service of its own.
)";

constexpr std::int64_t most_at_once = 10'000;
constexpr auto longest = std::chrono::hours{24 * 365};
// As many as one likes to wait, and as long: the limits are those of the machine and of patience.
constexpr std::size_t longest_line = 10'000;
constexpr auto longest_wait = 24h;

class WrongUsage : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

// Not by its arguments.
class WrongStart : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Arguments {
    std::string listen;
    std::string port;
    std::string host;
    std::string connections;
    std::string timeout;
    bool wants_help = false;
    bool wants_version = false;
};

Arguments parse(int count, char** values) {
    Arguments arguments;
    options::options_description named;
    auto add = named.add_options();
    add(",l", options::value(&arguments.listen));
    add(",p", options::value(&arguments.port));
    add(",h", options::value(&arguments.host)->default_value("localhost"));
    add(",n", options::value(&arguments.connections)->default_value("1"));
    add(",t", options::value(&arguments.timeout)->default_value("-1"));
    add("help", options::bool_switch(&arguments.wants_help));
    add("version", options::bool_switch(&arguments.wants_version));
    options::variables_map read;
    options::store(options::command_line_parser(count, values)
                       .options(named)
                       .style(options::command_line_style::default_style &
                              ~options::command_line_style::allow_guessing)
                       .positional({})  // There are no others.
                       .run(),
                   read);
    options::notify(read);
    return arguments;
}

std::string needed(const std::string& value, std::string_view option) {
    if (value.empty()) {
        throw WrongUsage(std::string{option} + " is missing");
    }
    return value;
}

template <class T>
T sound(std::string_view option, config::Parsed<T> parsed) {
    if (const auto* const wrong = std::get_if<config::Wrong>(&parsed)) {
        throw WrongUsage(std::string{option} + ": " + wrong->message);
    }
    return std::get<T>(std::move(parsed));
}

std::int64_t number(std::string_view option, const std::string& text, std::int64_t min,
                    std::int64_t max) {
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end || value < min || value > max) {
        throw WrongUsage(
            std::string{option} + ": " +
            config::wrong(text, "is not possible",
                          "a number from " + std::to_string(min) + " to " + std::to_string(max))
                .message);
    }
    return value;
}

std::string listener(const std::string& text) {
    const bool is_port_alone = text.find(':') == std::string::npos;
    const auto endpoint = config::parse_endpoint(is_port_alone ? "0.0.0.0:" + text : text);
    return config::to_text(sound("-l", endpoint));
}

std::string service(const std::string& host, const std::string& port) {
    const bool is_ipv6 = host.find(':') != std::string::npos && !host.starts_with('[');
    return sound("-p", config::parse_service((is_ipv6 ? "[" + host + "]" : host) + ":" + port));
}

config::Config configuration(const Arguments& arguments) {
    config::Config made = config::gate_alone();
    made.listen = {
        {.address = listener(needed(arguments.listen, "-l")), .allow_any = false, .allow = {}}};
    made.backend.address = service(arguments.host, needed(arguments.port, "-p"));
    const auto endpoint = config::parse_endpoint(made.listen.front().address);
    if (config::is_own_client(std::get<config::Endpoint>(endpoint), made.backend)) {
        throw WrongUsage("-p: " + made.backend.address +
                         " is where tcplock itself listens, expected the service's own port");
    }
    auto& gate = made.policy.gate;
    gate.concurrency =
        static_cast<std::size_t>(number("-n", arguments.connections, 1, most_at_once));
    const auto milliseconds =
        number("-t", arguments.timeout, -1, std::chrono::milliseconds(longest).count());
    gate.session_timeout = milliseconds < 0 ? longest : std::chrono::milliseconds(milliseconds);
    made.admin.socket.reset();                     // The command had nothing of the kind.
    made.half_closed = config::HalfClosed::leave;  // Who waits and leaves is not let in.
    gate.queue_limit = longest_line;
    gate.queue_timeout = longest_wait;
    return made;
}

// Whoever connected there would wait for ever, and -l be taken, perhaps by that very socket.
void take_no_sockets() {
    const daemon::PassedSockets passed = daemon::take_passed_sockets();
    if (passed.empty()) {
        return;
    }
    const auto& first = passed.front();
    if (!first.no_socket.empty()) {
        throw WrongStart(first.what + ", of which LISTEN_FDS tells, " + first.no_socket +
                         ", and tcplock takes nothing that is passed, expected no LISTEN_FDS");
    }
    throw WrongStart(first.what +
                     " was passed by a socket unit, and tcplock takes none, expected no socket "
                     "unit, or tcplock-supervisor with \"- address: systemd\" under listen");
}

int obey(const Arguments& arguments) {
    if (arguments.wants_help) {
        std::cout << usage;
        return daemon::exit_fine;
    }
    if (arguments.wants_version) {
        std::cout << "tcplock " << TCPLOCK_VERSION << '\n';
        return daemon::exit_fine;
    }
    const config::Config made = configuration(arguments);
    take_no_sockets();
    return daemon::run(made);
}

int say(const std::exception& error, int status) {
    std::cerr << daemon::before_error() << "tcplock: " << error.what() << '\n';
    return status;
}

int say_usage(const std::exception& error) {
    const int status = say(error, daemon::exit_usage);
    std::cerr << '\n' << usage;
    return status;
}

}  // namespace

int main(int count, char** values) {
    daemon::begin_program();
    try {
        return obey(parse(count, values));
    } catch (const options::error& error) {
        return say_usage(error);
    } catch (const WrongUsage& error) {
        return say_usage(error);
    } catch (const WrongStart& error) {
        return say(error, daemon::exit_usage);
    } catch (const std::exception& error) {
        return say(error, daemon::exit_failed);
    }
}
