#include "config/kinds.hpp"
#include "config/read.hpp"

#include <string>

namespace tcplock::config {
namespace {

constexpr std::string_view expected_hook = "off, or a mapping like {command: [program, argument]}";

void read_hook(const Section& section, std::string_view name, std::optional<Hook>& hook) {
    const ValuePtr node = section.value(name);
    if (!node) {
        return;
    }
    if (node->kind == Value::Kind::map) {
        const Section keys = section.section(name);
        read_command(keys, hook.emplace().command);
        keys.read("timeout", hook->timeout, duration());
        return;
    }
    const auto text = read_text(section.reading(), *node, expected_hook);
    if (const auto* const problem = std::get_if<Wrong>(&text)) {
        section.note(name, problem->message);
    } else if (std::get<std::string>(text) != "off") {
        section.note(name, wrong(std::get<std::string>(text), "is no hook", expected_hook).message);
    }
}

}  // namespace

void read_command(const Section& section, std::vector<std::string>& command) {
    const std::size_t problems_before = section.reading().problems.size();
    section.read_list("command", command, template_text());
    const bool is_read = section.reading().problems.size() == problems_before;
    if (is_read && (command.empty() || command.front().empty())) {
        section.note("command",
                     std::string{section.has("command") ? "names no program" : "missing"} +
                         ", expected a list like [program, argument]");
    }
}

void read_hooks(const Section& section, Config& config) {
    read_hook(section, "before_admission", config.hooks.before_admission);
    read_hook(section, "session_timeout", config.hooks.session_timeout);
    read_hook(section, "backend_ready", config.hooks.backend_ready);
    read_hook(section, "backend_stopped", config.hooks.backend_stopped);
    if (is_alone(config) && section.has("backend_stopped")) {
        section.note("backend_stopped", without_command);
    }
    config.policy.hooks.before_admission = config.hooks.before_admission.has_value();
    config.policy.hooks.session_timeout = config.hooks.session_timeout.has_value();
}

}  // namespace tcplock::config
