#include "daemon/hooks.hpp"

#include "daemon/log.hpp"
#include "daemon/place.hpp"
#include "io/socket.hpp"

#include <cstdlib>
#include <optional>
#include <utility>

namespace tcplock::daemon {
namespace {

std::optional<config::Hook> find(const config::Hooks& hooks, core::Hook which) {
    switch (which) {
        case core::Hook::before_admission:
            return hooks.before_admission;
        case core::Hook::session_timeout:
            return hooks.session_timeout;
    }
    return std::nullopt;
}

std::string from_environment(const char* name, const char* otherwise) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : otherwise;
}

Line& about(Line& line, const Occasion& occasion) {
    return line.with("hook", occasion.hook)
        .with("instance", occasion.values.instance)
        .with("generation", core::number(occasion.generation));
}

void tell_end(const Occasion& occasion, const CommandResult& result) {
    Line line(result.succeeded ? Line::Level::info : Line::Level::error,
              result.succeeded ? "hook ended" : "hook failed");
    about(line, occasion).with("took", result.took);
    if (!result.succeeded) {
        line.with("why", result.why);
    }
}

}  // namespace

HookLane lane_of(const Occasion& occasion) {
    const config::Placeholders& values = occasion.values;
    const bool is_spare = values.instance == spare_instance;
    return {occasion.hook, is_spare ? values.directory : values.instance};
}

// Ends with whoever holds it, also when he is cancelled.
class Hooks::Turn {
public:
    Turn(Hooks& hooks, HookLane lane) : hooks_(hooks), lane_(std::move(lane)) {
        hooks_.running_.insert(lane_);
    }
    ~Turn() {
        hooks_.running_.erase(lane_);
        hooks_.turn_over_.cancel();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

private:
    Hooks& hooks_;
    HookLane lane_;
};

Hooks::Hooks(boost::asio::io_context& io, const config::Hooks& hooks, Commands& commands,
             std::string identity, std::function<void(core::Event)> feed)
    : hooks_(hooks),
      commands_(commands),
      identity_(std::move(identity)),
      feed_(std::move(feed)),
      turn_over_(io, boost::asio::steady_timer::time_point::max()) {}

io::ChildSpec Hooks::program(const std::vector<std::string>& command,
                             const config::Placeholders& values) const {
    io::ChildSpec child;
    for (const std::string& part : command) {
        child.command.push_back(config::fill(part, values));
    }
    child.directory = "/";
    child.environment = {{"PATH", from_environment("PATH", fallback_path)},
                         {"HOME", from_environment("HOME", "/")},
                         {"LANG", "C.UTF-8"},
                         {supervisor_variable, identity_}};
    return child;
}

boost::asio::awaitable<void> Hooks::await_turn(HookLane lane) {
    while (running_.contains(lane)) {
        (void)co_await turn_over_.async_wait(io::use_result);
    }
}

boost::asio::awaitable<CommandResult> Hooks::begin(const config::Hook& hook,
                                                   const Occasion& occasion,
                                                   Commands::Outliving outliving) {
    io::ChildSpec child = program(hook.command, occasion.values);
    child.environment.merge(variables(occasion));
    child.input = document(occasion);
    auto line = [occasion](std::string_view text) {
        Line output(Line::Level::info, "hook output");
        about(output, occasion).with("line", text);
    };
    return commands_.run(std::move(child), hook.timeout, outliving, std::move(line));
}

boost::asio::awaitable<std::string> Hooks::run(core::RunHook what, Occasion occasion) {
    occasion.hook = core::to_string(what.hook);
    const std::string name = "hooks." + occasion.hook;
    const auto hook = find(hooks_, what.hook);
    if (!hook) {
        co_return std::string{};
    }
    auto run_it = run(*hook, std::move(occasion), Commands::Outliving::left_alone);
    const std::string why = co_await std::move(run_it);
    co_return why.empty() ? why : name + ": " + why;
}

boost::asio::awaitable<std::string> Hooks::run(config::Hook hook, Occasion occasion,
                                               Commands::Outliving outliving) {
    const HookLane lane = lane_of(occasion);
    co_await await_turn(lane);
    const Turn turn(*this, lane);
    auto command = begin(hook, occasion, outliving);
    const CommandResult result = co_await std::move(command);
    tell_end(occasion, result);
    co_return result.why;
}

void Hooks::tell_core(const core::RunHook& what, const std::string& why) const {
    feed_(core::HookEnded{
        what.generation, what.hook,
        why.empty() ? core::HookEnded::How::succeeded : core::HookEnded::How::failed});
}

}  // namespace tcplock::daemon
