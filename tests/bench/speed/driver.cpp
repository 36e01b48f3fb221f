// Clients and backend of the speed benchmark, in one process and one thread, so that both cost the
// same for every contender.
//
// It listens where the contender is to connect, says "listening", and is told by a line on standard
// input that the contender runs: its processes, and its admin socket if it has one. Then it runs
// one workload, and prints what it found as one JSON object: figures, or {"broken": why}.
#include "backend.hpp"
#include "failure.hpp"
#include "loop.hpp"
#include "meter.hpp"
#include "sockets.hpp"
#include "workloads.hpp"

#include <array>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace tcplock::bench {
namespace {

constexpr std::string_view usage = R"(bench_driver WORKLOAD NAME=VALUE...
  front=ADDRESS:PORT       where the contender listens; the backend itself if there is none
  backend=ADDRESS:PORT     where to listen for it; without: an office listens, elsewhere
  gate=no                  the contender lets everybody in at once
  sessions=N               sessions, handover
  waiting=N                handover, drain, idle, storm: clients in the line
  silently=yes             idle: they have said nothing
  watched=yes              handover: somebody asks for the status meanwhile
  up=BYTES, down=BYTES     bulk
  exchanges=N              ping-pong
  idle=MILLISECONDS        idle: how long it is watched
workloads: sessions | handover | drain | idle | storm | bulk | ping-pong
)";

using Workload = Figures (*)(const Scene&);

const std::map<std::string, Workload, std::less<>> workloads{
    {"sessions", sessions}, {"handover", handover}, {"drain", drain},        {"idle", idle},
    {"storm", storm},       {"bulk", bulk},         {"ping-pong", ping_pong}};

class Arguments {
public:
    Arguments(int argc, char** argv) {
        for (const std::string_view argument : std::vector<std::string_view>(argv, argv + argc)) {
            const auto equals = argument.find('=');
            if (equals == std::string_view::npos)
                throw Failure{"no NAME=VALUE: " + std::string{argument}};
            values_.emplace(argument.substr(0, equals), argument.substr(equals + 1));
        }
    }

    std::string text(const std::string& name) {
        const auto found = values_.extract(name);
        return found ? found.mapped() : std::string{};
    }
    std::uint64_t number(const std::string& name) {
        const std::string value = text(name);
        return value.empty() ? 0 : std::stoull(value);
    }
    void assert_all_are_taken() const {
        if (!values_.empty())
            throw Failure{"unknown: " + values_.begin()->first};
    }

private:
    std::map<std::string, std::string> values_;
};

Plan to_plan(Arguments& arguments) {
    return {.front = to_address(arguments.text("front")),
            .keeps_line = arguments.text("gate") != "no",
            .sessions = arguments.number("sessions"),
            .waiting = arguments.number("waiting"),
            .waits_silently = arguments.text("silently") == "yes",
            .is_watched = arguments.text("watched") == "yes",
            .up = arguments.number("up"),
            .down = arguments.number("down"),
            .exchanges = arguments.number("exchanges"),
            .idle = std::chrono::milliseconds{arguments.number("idle")}};
}

struct Contender {
    std::vector<pid_t> pids;
    std::string admin_socket;
};

// Once it runs. Meanwhile its probes are answered.
Contender wait_for_contender(Loop& loop) {
    std::string line;
    loop.watch(STDIN_FILENO, EPOLLIN, [&](std::uint32_t) {
        std::array<char, 4096> bytes{};
        const auto size = checked(::read(STDIN_FILENO, bytes.data(), bytes.size()), "read");
        if (size == 0)
            throw Failure{"the contender does not come"};
        line.append(bytes.data(), static_cast<std::size_t>(size));
    });
    std::cout << "listening" << std::endl;
    loop.turn_until("the contender runs", [&] { return line.ends_with('\n'); });
    loop.forget(STDIN_FILENO);
    ::close(STDIN_FILENO);
    Contender contender;
    std::istringstream words{line};
    for (std::string word; words >> word;) {
        if (word.starts_with('/'))
            contender.admin_socket = word;
        else
            contender.pids.push_back(std::stoi(word));
    }
    return contender;
}

void raise_descriptor_limit() {
    rlimit limit{};
    checked(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    checked(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
}

void print(const Figures& figures) {
    std::cout.precision(17);
    const char* separator = "{";
    for (const auto& [name, value] : figures) {
        std::cout << separator << '"' << name << "\": " << value;
        separator = ", ";
    }
    std::cout << "}" << std::endl;
}

int main_of(int argc, char** argv) {
    const auto workload = argc > 1 ? workloads.find(argv[1]) : workloads.end();
    if (workload == workloads.end()) {
        std::cerr << usage;
        return 2;
    }
    Arguments arguments{argc - 2, argv + 2};
    const Plan plan = to_plan(arguments);
    const std::string address = arguments.text("backend");
    arguments.assert_all_are_taken();
    raise_descriptor_limit();
    Loop loop;
    std::optional<Backend> backend;
    if (!address.empty())
        backend.emplace(loop, to_address(address));
    const Contender contender = wait_for_contender(loop);
    const Meter meter{contender.pids};
    try {
        print(workload->second(
            {plan, meter, loop, backend ? &*backend : nullptr, contender.admin_socket}));
    } catch (const Broken& broken) {
        std::cout << "{\"broken\": \"" << broken.what() << "\"}" << std::endl;
    }
    // Thousands of clients need not leave in order.
    std::cout.flush();
    std::_Exit(0);
}

}  // namespace
}  // namespace tcplock::bench

int main(int argc, char** argv) try {
    return tcplock::bench::main_of(argc, argv);
} catch (const std::exception& error) {
    std::cerr << "bench_driver: " << error.what() << '\n';
    return 1;
}
