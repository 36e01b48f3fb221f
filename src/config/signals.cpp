#include "config/signals.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace tcplock::config {
namespace {

struct Signal {
    std::string_view name;
    int number;
};

constexpr std::array<Signal, 7> signals{{{"TERM", SIGTERM},
                                         {"INT", SIGINT},
                                         {"QUIT", SIGQUIT},
                                         {"HUP", SIGHUP},
                                         {"USR1", SIGUSR1},
                                         {"USR2", SIGUSR2},
                                         {"KILL", SIGKILL}}};

}  // namespace

Parsed<int> parse_signal(std::string_view text) {
    const std::string_view name = text.starts_with("SIG") ? text.substr(3) : text;
    const auto signal = std::ranges::find(signals, name, &Signal::name);
    if (signal == signals.end()) {
        return wrong(text, "is not a signal to stop by", expected_signal);
    }
    return signal->number;
}

std::string_view signal_name(int number) {
    const auto signal = std::ranges::find(signals, number, &Signal::number);
    return signal == signals.end() ? std::string_view{} : signal->name;
}

}  // namespace tcplock::config
