// The command line: arguments -> configuration -> run or tell -> exit code.

#include "config/doubts.hpp"
#include "config/load.hpp"
#include "config/schema.hpp"
#include "config/show.hpp"
#include "daemon/place.hpp"
#include "daemon/program.hpp"

#include <boost/program_options.hpp>

#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace {

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
       tcplock-supervisor --version | --help

signals: TERM, INT  stop accepting, serve who waits, then stop; a second one: at once
         USR1       recycle the backend after the running job
exit:    0 fine, 1 failed while running, 2 usage, 78 configuration
)";

// Commands that are documented to come; naming one is not a misspelling.
constexpr std::string_view not_yet[] = {"status", "clients", "recycle", "pause", "resume",
                                        "cut",    "drain",   "reload",  "health"};

struct Arguments {
    std::string command;  // empty: run
    std::string file;
    bool wants_help = false;
    bool wants_version = false;
};

Arguments parse(int count, char** values) {
    Arguments arguments;
    options::options_description named;
    auto add = named.add_options();
    add("config,c", options::value(&arguments.file));
    add("help,h", options::bool_switch(&arguments.wants_help));
    add("version", options::bool_switch(&arguments.wants_version));
    add("command", options::value(&arguments.command));
    options::positional_options_description placed;
    placed.add("command", 1);
    options::variables_map read;
    options::store(
        options::command_line_parser(count, values).options(named).positional(placed).run(), read);
    options::notify(read);
    return arguments;
}

int say_problems(const std::vector<config::Problem>& problems) {
    for (const config::Problem& problem : problems) {
        std::cerr << to_text(problem) << '\n';
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

int obey(const Arguments& arguments) {
    if (arguments.wants_help) {
        std::cout << usage;
        return exit_fine;
    }
    if (arguments.wants_version) {
        std::cout << "tcplock-supervisor " << TCPLOCK_VERSION << '\n';
        return exit_fine;
    }
    const std::string& command = arguments.command;
    for (const std::string_view known : not_yet) {
        if (command == known) {
            std::cerr << "tcplock-supervisor: " << command << ": not available yet\n";
            return exit_usage;
        }
    }
    if (command == "schema") {
        daemon::release_signals();  // Nothing runs: end as anybody does.
        std::cout << config::schema();
        return exit_fine;
    }
    if (!command.empty() && command != "check" && command != "show-config") {
        std::cerr << "tcplock-supervisor: unknown command \"" << command << "\"\n\n" << usage;
        return exit_usage;
    }
    if (arguments.file.empty()) {
        std::cerr << "tcplock-supervisor: name a configuration with -c FILE\n\n" << usage;
        return exit_usage;
    }
    if (!command.empty()) {
        daemon::release_signals();  // Nothing runs: end as anybody does.
    }
    const auto loaded = config::load_file(arguments.file);
    if (const auto* const problems = std::get_if<std::vector<config::Problem>>(&loaded)) {
        return say_problems(*problems);
    }
    const auto& configuration = std::get<config::Config>(loaded);
    if (command == "show-config") {
        std::cout << config::show(configuration);
        return exit_fine;
    }
    if (const auto problem = daemon::problem_with_user(configuration)) {
        return say_problems({*problem});
    }
    if (command == "check") {
        return check(arguments.file, configuration);
    }
    return daemon::run(configuration);
}

}  // namespace

int main(int count, char** values) {
    daemon::begin_program();
    try {
        return obey(parse(count, values));
    } catch (const options::error& error) {
        std::cerr << "tcplock-supervisor: " << error.what() << "\n\n" << usage;
        return exit_usage;
    } catch (const std::exception& error) {
        std::cerr << "tcplock-supervisor: " << error.what() << '\n';
        return exit_failed;
    }
}
