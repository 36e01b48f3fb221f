#include "daemon/hooks.hpp"

#include "daemon/log.hpp"
#include "daemon/place.hpp"

#include <cstdlib>
#include <utility>

namespace tcplock::daemon {
namespace {

const config::Hook& find(const config::Hooks& hooks, core::Hook which) {
    switch (which) {
        case core::Hook::before_admission:
            return *hooks.before_admission;
        case core::Hook::session_timeout:
            return *hooks.session_timeout;
    }
    std::abort();  // There are no others.
}

std::string from_environment(const char* name, const char* otherwise) {
    const char* const value = std::getenv(name);
    return value != nullptr && *value != '\0' ? value : otherwise;
}

Line& about(Line& line, const core::RunHook& what, const config::Placeholders& values) {
    return line.with("hook", core::to_string(what.hook))
        .with("instance", values.instance)
        .with("generation", core::number(what.generation));
}

}  // namespace

Hooks::Hooks(const config::Hooks& hooks, Commands& commands, std::string identity,
             std::function<void(core::Event)> feed)
    : hooks_(hooks), commands_(commands), identity_(std::move(identity)), feed_(std::move(feed)) {}

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

io::ChildSpec Hooks::describe(const config::Hook& hook, const core::RunHook& what,
                              const std::string& address,
                              const config::Placeholders& values) const {
    io::ChildSpec child = program(hook.command, values);
    child.environment[generation_variable] = values.generation;
    child.environment["TCPLOCK_HOOK"] = core::to_string(what.hook);
    child.environment["TCPLOCK_INSTANCE"] = values.instance;
    child.environment["TCPLOCK_ADDRESS"] = address;
    return child;
}

boost::asio::awaitable<std::string> Hooks::run(core::RunHook what, std::string address,
                                               config::Placeholders values) {
    const config::Hook& hook = find(hooks_, what.hook);
    auto line = [what, values](std::string_view text) {
        Line output(Line::Level::info, "hook output");
        about(output, what, values).with("line", text);
    };
    auto run = commands_.run(describe(hook, what, address, values), hook.timeout,
                             Commands::Outliving::left_alone, std::move(line));
    const CommandResult result = co_await std::move(run);
    {
        Line told(result.succeeded ? Line::Level::info : Line::Level::error,
                  result.succeeded ? "hook ended" : "hook failed");
        about(told, what, values).with("took", result.took);
        if (!result.succeeded) {
            told.with("why", result.why);
        }
    }
    const std::string name = "hooks." + std::string{core::to_string(what.hook)};
    co_return result.succeeded ? std::string{} : name + ": " + result.why;
}

void Hooks::tell_core(const core::RunHook& what, const std::string& why) const {
    feed_(core::HookEnded{
        what.generation, what.hook,
        why.empty() ? core::HookEnded::How::succeeded : core::HookEnded::How::failed});
}

}  // namespace tcplock::daemon
