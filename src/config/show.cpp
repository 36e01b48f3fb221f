#include "config/show.hpp"

#include "config/duration.hpp"
#include "config/placeholders.hpp"
#include "config/signals.hpp"
#include "config/size.hpp"
#include "config/substitution.hpp"
#include "config/utf8.hpp"

#include <yaml-cpp/binary.h>

#include <array>
#include <string_view>
#include <vector>

namespace tcplock::config {
namespace {

// Code points that are legal but invisible, or that YAML takes for a line break.
bool is_escaped(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
           (c & 0xfffe) == 0xfffe;
}

std::string escaped(char32_t c) {
    constexpr std::string_view digits = "0123456789abcdef";
    constexpr int bits_of_digit = 4;
    constexpr int highest_digit = 28;
    std::string out = "\\U";
    for (int shift = highest_digit; shift >= 0; shift -= bits_of_digit) {
        out += digits[(c >> shift) & 0xf];
    }
    return out;
}

// A YAML string in double quotes. The text must be UTF-8, as everything that was loaded is.
std::string yaml_string(std::string_view rest) {
    std::string out = "\"";
    while (const auto c = first_code_point(rest)) {
        if (is_escaped(c->value)) {
            out += escaped(c->value);
        } else {
            out += c->value == '"' || c->value == '\\' ? "\\" : "";
            out += rest.substr(0, c->length);
        }
        rest.remove_prefix(c->length);
    }
    return out + '"';
}

// A value, in which dollar signs would begin a variable.
std::string in_quotes(std::string_view text) {
    return yaml_string(escape_dollars(text));
}

// Bytes to send or expect, which need not be text.
std::string bytes(const std::string& text) {
    if (!first_not_utf8(text)) {
        return in_quotes(text);
    }
    const std::vector<unsigned char> raw(text.begin(), text.end());
    return "!!binary \"" + YAML::EncodeBase64(raw.data(), raw.size()) + "\"";
}

template <class Texts>
std::string list(const Texts& texts) {
    std::string out;
    for (const std::string& text : texts) {
        out += (out.empty() ? "" : ", ") + in_quotes(text);
    }
    return "[" + out + "]";
}

// A list with an item a line, for what is long.
std::string long_list(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) {
        out += "\n    - " + in_quotes(text);
    }
    return out;
}

std::string text_or_off(const std::optional<Duration>& value) {
    return value ? to_text(*value) : "off";
}

std::string number_or_off(const std::optional<std::uint64_t>& value) {
    return value ? std::to_string(*value) : "off";
}

std::string size_or_off(const std::optional<std::uint64_t>& value) {
    return value ? size_to_text(*value) : "off";
}

std::string profile_template(const ProfileTemplate& what) {
    switch (what.kind) {
        case ProfileTemplate::Kind::none:
            return "none";
        case ProfileTemplate::Kind::ours:
            return "default";
        case ProfileTemplate::Kind::folder:
            return in_quotes(what.folder.string());
    }
    return "";
}

std::string line(std::string_view key, std::string_view value) {
    std::string out{key};
    out += ": ";
    out += value;
    return out += '\n';
}

std::string allowed(const Listen& listen) {
    if (listen.allow_any) {
        return "[any]";
    }
    std::vector<std::string> networks;
    for (const Network& network : listen.allow) {
        networks.push_back(network.text);
    }
    return list(networks);
}

std::string show_listen(const std::vector<Listen>& listeners) {
    std::string out = "listen:\n";
    for (const Listen& listen : listeners) {
        out += line("  - address", in_quotes(listen.address));
        out += line("    allow", allowed(listen));
    }
    return out;
}

std::string show_gate(const Config& config) {
    const core::GatePolicy& gate = config.policy.gate;
    return "gate:\n" + line("  concurrency", std::to_string(gate.concurrency)) +
           line("  queue_limit", std::to_string(gate.queue_limit)) +
           line("  queue_timeout", to_text(gate.queue_timeout)) +
           line("  session_timeout", to_text(gate.session_timeout)) +
           line("  first_byte_timeout", text_or_off(gate.first_byte_timeout)) +
           line("  idle_timeout", text_or_off(config.idle_timeout)) +
           line("  half_closed", config.half_closed == HalfClosed::leave ? "leave" : "keep") +
           line("  release_timeout", to_text(gate.release_timeout));
}

std::string show_environment(const std::map<std::string, std::string>& environment) {
    if (environment.empty()) {
        return "  environment: {}\n";
    }
    std::string out = "  environment:\n";
    for (const auto& [name, value] : environment) {
        // YAML's simple keys may have 1024 characters (YAML 1.2, 7.4.2).
        const std::string key = yaml_string(name);
        const bool is_simple = key.size() < 1000;
        out += line(is_simple ? "    " + key : "    ? " + key + "\n    ", in_quotes(value));
    }
    return out;
}

std::string show_backoff(const core::BackoffPolicy& backoff) {
    return line("  restart_backoff",
                "{first: " + to_text(backoff.first) + ", max: " + to_text(backoff.max) + "}");
}

bool is_service(const Backend& backend) {
    return backend.command.empty() && !backend.address.empty();
}

// One that somebody else runs.
std::string show_service(const Backend& backend, const core::BackendPolicy& policy) {
    return "backend:\n" + line("  address", in_quotes(backend.address)) +
           line("  start_timeout", to_text(policy.start_timeout)) +
           show_backoff(policy.restart_backoff);
}

std::string show_backend(const Backend& backend, const core::BackendPolicy& policy) {
    if (is_service(backend)) {
        return show_service(backend, policy);
    }
    const std::string ports =
        std::to_string(backend.ports.first) + "-" + std::to_string(backend.ports.last);
    const bool has_ports = has_placeholder(backend.address, "port");
    return "backend:\n  command:" + long_list(backend.command) + "\n" +
           line("  address", in_quotes(backend.address)) +
           (has_ports ? line("  ports", ports) : "") +
           line("  instances", std::to_string(policy.instances)) +
           line("  standby", std::to_string(policy.standby)) +
           line("  state_directory", in_quotes(backend.state_directory.string())) +
           line("  profile_template", profile_template(backend.profile_template)) +
           show_environment(backend.environment) + line("  user", in_quotes(backend.user)) +
           line("  start_timeout", to_text(policy.start_timeout)) +
           line("  stop_signal", signal_name(backend.stop_signal)) +
           line("  stop_grace", to_text(policy.stop_grace)) +
           line("  stop_timeout", to_text(policy.stop_timeout)) +
           show_backoff(policy.restart_backoff) + line("  nice", std::to_string(backend.nice)) +
           line("  oom_score_adjust", std::to_string(backend.oom_score_adjust)) +
           line("  limits", "{open_files: " + number_or_off(backend.limits.open_files) +
                                ", address_space: " + size_or_off(backend.limits.address_space) +
                                ", core: " + size_or_off(backend.limits.core) + "}");
}

struct ShowKind {
    std::string operator()(const UnoProbe&) const { return line("  kind", "uno"); }
    std::string operator()(const ConnectProbe&) const { return line("  kind", "connect"); }
    std::string operator()(const GreetingProbe& probe) const {
        return line("  kind", "greeting") + line("  expect", bytes(probe.expect));
    }
    std::string operator()(const ExchangeProbe& probe) const {
        return line("  kind", "exchange") + line("  send", bytes(probe.send)) +
               line("  expect", bytes(probe.expect));
    }
    std::string operator()(const HttpProbe& probe) const {
        return line("  kind", "http") + line("  path", in_quotes(probe.path)) +
               line("  status", std::to_string(probe.status));
    }
    std::string operator()(const CommandProbe& probe) const {
        return line("  kind", "command") + line("  command", list(probe.command));
    }
};

std::string show_probe(const Probe& probe, const core::ProbePolicy& policy) {
    return "probe:\n" + std::visit(ShowKind{}, probe.kind) +
           line("  interval", to_text(policy.interval)) +
           line("  timeout", to_text(probe.timeout)) +
           line("  failure_threshold", std::to_string(policy.failure_threshold)) +
           line("  admission", text_or_off(policy.admission));
}

std::string show_recycle(const Config& config) {
    if (is_service(config.backend)) {
        return "";
    }
    const core::RecyclePolicy& recycle = config.policy.recycle;
    return "recycle:\n" + line("  max_jobs", number_or_off(recycle.max_jobs)) +
           line("  max_age", text_or_off(recycle.max_age)) +
           line("  schedule", list(config.schedule)) +
           line("  memory_soft_limit", size_or_off(recycle.memory_soft_limit)) +
           line("  memory_hard_limit", size_or_off(recycle.memory_hard_limit)) +
           line("  idle_shutdown", text_or_off(recycle.idle_shutdown));
}

std::string show_hook(std::string_view name, const std::optional<Hook>& hook) {
    return line("  " + std::string{name}, hook ? "{timeout: " + to_text(hook->timeout) +
                                                     ", command: " + list(hook->command) + "}"
                                               : "off");
}

std::string show_hooks(const Config& config) {
    const Hooks& hooks = config.hooks;
    return "hooks:\n" + show_hook("before_admission", hooks.before_admission) +
           show_hook("session_timeout", hooks.session_timeout) +
           show_hook("backend_ready", hooks.backend_ready) +
           (is_service(config.backend) ? "" : show_hook("backend_stopped", hooks.backend_stopped));
}

std::string octal(unsigned mode) {
    constexpr std::string_view digits = "01234567";
    std::string text = "\"0";
    for (int shift = 6; shift >= 0; shift -= 3) {
        text += digits[(mode >> shift) & 7];
    }
    return text + '"';
}

std::string show_admin(const Admin& admin) {
    return "admin:\n" + line("  socket", admin.socket ? in_quotes(*admin.socket) : "off") +
           line("  socket_mode", octal(admin.socket_mode)) +
           line("  socket_group", in_quotes(admin.socket_group)) +
           line("  http", admin.http ? in_quotes(*admin.http) : "off");
}

std::string_view level_name(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            return "error";
    }
    return "";
}

}  // namespace

std::string show(const Config& config) {
    return line("protocol", config.protocol == Protocol::uno ? "uno" : "tcp") +
           show_listen(config.listen) + show_gate(config) +
           show_backend(config.backend, config.policy.backend) +
           show_probe(config.probe, config.policy.probe) + show_recycle(config) +
           show_hooks(config) + show_admin(config.admin) + "log:\n" +
           line("  level", level_name(config.log_level)) +
           line("  format", config.log_format == LogFormat::json ? "json" : "text") +
           line("shutdown_timeout", to_text(config.policy.shutdown_timeout));
}

}  // namespace tcplock::config
