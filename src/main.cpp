// The command line: arguments -> configuration -> run or tell -> exit code.

#include "admin/ask.hpp"
#include "admin/command.hpp"
#include "config/doubts.hpp"
#include "config/load.hpp"
#include "config/schema.hpp"
#include "config/show.hpp"
#include "daemon/journal.hpp"
#include "daemon/passed.hpp"
#include "daemon/place.hpp"
#include "daemon/program.hpp"

#include <boost/program_options.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <iostream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace {

namespace admin = tcplock::admin;
namespace config = tcplock::config;
namespace daemon = tcplock::daemon;
namespace options = boost::program_options;

using daemon::exit_configuration;
using daemon::exit_failed;
using daemon::exit_fine;
using daemon::exit_usage;

constexpr std::string_view usage =
    R"(tcplock-supervisor owns a flaky TCP service and lets its clients in one at a time.

usage: tcplock-supervisor -c FILE                run in the foreground until told to stop
       tcplock-supervisor check -c FILE          say everything that is wrong, or doubtful, with FILE
       tcplock-supervisor show-config -c FILE    the configuration in force, defaults filled in
       tcplock-supervisor schema                 JSON Schema of the configuration, for editors

of a supervisor that runs, found by -s SOCKET, TCPLOCK_SOCKET, or the default of admin.socket:
       tcplock-supervisor status [--json|--watch]     what runs, who waits, what was recycled and why
       tcplock-supervisor clients [--json]            every client: waiting or inside, since when
       tcplock-supervisor recycle [INSTANCE] [--now]  after the running job, or at once
       tcplock-supervisor pause | resume              hold admissions: clients keep their place
       tcplock-supervisor cut CLIENT                  end one client
       tcplock-supervisor reload                      read the configuration again
       tcplock-supervisor drain                       accept nobody, serve who waits, end
       tcplock-supervisor health [--live|--ready]     exit 0 or 1: it runs; it would serve a client soon

       tcplock-supervisor --version | --help

signals: TERM, INT  stop accepting, serve who waits, then stop; a second one: at once
         HUP        read the configuration again
         USR1       recycle the backend after the running job
exit:    0 fine, 1 failed while running, 2 usage, 78 configuration
)";

constexpr std::string_view of_configuration[] = {"", "check", "show-config"};
constexpr std::string_view of_running_supervisor[] = {
    "status", "clients", "recycle", "pause", "resume", "cut", "drain", "health", "reload"};

struct Arguments {
    std::string command;  // empty: run
    std::optional<std::string> argument;
    std::string file;
    std::string socket;
    bool wants_json = false;
    bool keeps_watching = false;
    bool is_at_once = false;
    bool asks_if_alive = false;
    bool asks_if_ready = false;
    bool wants_help = false;
    bool wants_version = false;
};

// What was asked for is no command line.
class WrongUsage : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

Arguments parse(int count, char** values) {
    Arguments arguments;
    options::options_description named;
    auto add = named.add_options();
    add("config,c", options::value(&arguments.file));
    add("socket,s", options::value(&arguments.socket));
    add("json", options::bool_switch(&arguments.wants_json));
    add("watch", options::bool_switch(&arguments.keeps_watching));
    add("now", options::bool_switch(&arguments.is_at_once));
    add("live", options::bool_switch(&arguments.asks_if_alive));
    add("ready", options::bool_switch(&arguments.asks_if_ready));
    add("help,h", options::bool_switch(&arguments.wants_help));
    add("version", options::bool_switch(&arguments.wants_version));
    add("command", options::value(&arguments.command));
    add("argument", options::value<std::string>());
    options::positional_options_description placed;
    placed.add("command", 1);
    placed.add("argument", 1);
    options::variables_map read;
    options::store(
        options::command_line_parser(count, values).options(named).positional(placed).run(), read);
    options::notify(read);
    if (read.contains("argument")) {
        arguments.argument = read["argument"].as<std::string>();
    }
    return arguments;
}

bool is_one_of(std::span<const std::string_view> commands, std::string_view command) {
    return std::ranges::find(commands, command) != commands.end();
}

int say_problems(const std::vector<config::Problem>& problems) {
    for (const config::Problem& problem : problems) {
        std::cerr << daemon::before_error() << to_text(problem) << '\n';
    }
    return exit_configuration;
}

int check(const std::string& file, const config::Config& loaded) {
    const auto doubts = config::doubts(loaded);
    for (const config::Problem& doubt : doubts) {
        std::cout << to_text(doubt) << '\n';
    }
    std::cout << file << (doubts.empty() ? ": fine\n" : ": usable, with doubts\n");
    return exit_fine;
}

// ---- Of a supervisor that runs -----------------------------------------------------------------

std::string socket_of(const Arguments& arguments) {
    if (!arguments.socket.empty()) {
        return arguments.socket;
    }
    const char* const named = std::getenv("TCPLOCK_SOCKET");
    return named != nullptr && *named != '\0' ? named : *config::Admin{}.socket;
}

// An empty one is a variable of a script that was not set, and surely not meant for all.
std::optional<std::uint64_t> number_of(const Arguments& arguments) {
    const std::string& command = arguments.command;
    if (!arguments.argument) {
        if (command == "cut") {
            throw WrongUsage("cut: name the client by its number; clients lists them");
        }
        return std::nullopt;
    }
    const std::string& text = *arguments.argument;
    if (command != "cut" && command != "recycle") {
        throw WrongUsage(command + ": unexpected \"" + text + "\"");
    }
    std::uint64_t number = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, number);
    if (error != std::errc{} || end != last) {
        throw WrongUsage(command + ": \"" + text + "\" is no number of " +
                         (command == "cut" ? "a client" : "an instance"));
    }
    return number;
}

// An option that means nothing here is a misunderstanding.
void check_options(const Arguments& arguments) {
    const std::string_view command = arguments.command;
    const auto only_for = [command](bool is_given, std::string_view option,
                                    std::initializer_list<std::string_view> commands) {
        if (is_given && std::ranges::find(commands, command) == commands.end()) {
            throw WrongUsage(std::string(option) + " is not for " +
                             (command.empty() ? "running" : std::string(command)));
        }
    };
    only_for(arguments.wants_json, "--json", {"status", "clients"});
    only_for(arguments.keeps_watching, "--watch", {"status"});
    only_for(arguments.is_at_once, "--now", {"recycle"});
    only_for(arguments.asks_if_alive, "--live", {"health"});
    only_for(arguments.asks_if_ready, "--ready", {"health"});
    const bool is_asking = is_one_of(of_running_supervisor, command);
    if (is_asking && !arguments.file.empty()) {
        throw WrongUsage("-c is not for " + arguments.command +
                         ", which finds the supervisor by -s");
    }
    if (!is_asking && !arguments.socket.empty()) {
        throw WrongUsage("-s is only for commands that talk to a running supervisor");
    }
    if (arguments.wants_json && arguments.keeps_watching) {
        throw WrongUsage("--json or --watch, not both");
    }
    if (arguments.asks_if_alive && arguments.asks_if_ready) {
        throw WrongUsage("--live or --ready, not both");
    }
}

int ask_supervisor(const Arguments& arguments) {
    const admin::Command command{.name = arguments.command,
                                 .socket = socket_of(arguments),
                                 .number = number_of(arguments),
                                 .wants_json = arguments.wants_json,
                                 .keeps_watching = arguments.keeps_watching,
                                 .is_at_once = arguments.is_at_once,
                                 .asks_if_alive = arguments.asks_if_alive};
    return admin::run(command) ? exit_fine : exit_failed;
}

// ---- Of a configuration ------------------------------------------------------------------------

int use_configuration(const Arguments& arguments) {
    const auto loaded = config::load_file(arguments.file);
    if (const auto* const problems = std::get_if<std::vector<config::Problem>>(&loaded)) {
        return say_problems(*problems);
    }
    const auto& configuration = std::get<config::Config>(loaded);
    if (arguments.command == "show-config") {
        std::cout << config::show(configuration);
        return exit_fine;
    }
    if (const auto problem = daemon::problem_with_user(configuration)) {
        return say_problems({*problem});
    }
    if (arguments.command == "check") {
        return check(arguments.file, configuration);
    }
    daemon::PassedSockets passed = daemon::take_passed_sockets();
    const auto problems = daemon::problems_with(passed, configuration);
    return problems.empty() ? daemon::run(configuration, std::move(passed))
                            : say_problems(problems);
}

int obey(const Arguments& arguments) {
    const std::string& command = arguments.command;
    const bool runs = command.empty() && !arguments.wants_help && !arguments.wants_version;
    if (!runs) {
        daemon::release_signals();  // It ends as anybody does.
    }
    if (arguments.wants_help) {
        std::cout << usage;
        return exit_fine;
    }
    if (arguments.wants_version) {
        std::cout << "tcplock-supervisor " << TCPLOCK_VERSION << '\n';
        return exit_fine;
    }
    const bool is_known = command == "schema" || is_one_of(of_configuration, command) ||
                          is_one_of(of_running_supervisor, command);
    if (!is_known) {
        throw WrongUsage("unknown command \"" + command + "\"");
    }
    check_options(arguments);
    if (is_one_of(of_running_supervisor, command)) {
        return ask_supervisor(arguments);
    }
    if (arguments.argument) {
        throw WrongUsage("unexpected \"" + *arguments.argument + "\"");
    }
    if (command == "schema") {
        std::cout << config::schema();
        return exit_fine;
    }
    if (arguments.file.empty()) {
        throw WrongUsage("name a configuration with -c FILE");
    }
    return use_configuration(arguments);
}

int say_usage(const std::exception& error) {
    std::cerr << daemon::before_error() << "tcplock-supervisor: " << error.what() << "\n\n"
              << usage;
    return exit_usage;
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
    } catch (const std::exception& error) {
        std::cerr << daemon::before_error() << "tcplock-supervisor: " << error.what() << '\n';
        return exit_failed;
    }
}
