#include "config/address.hpp"
#include "config/defaults.hpp"
#include "config/kinds.hpp"
#include "config/placeholders.hpp"
#include "config/places.hpp"
#include "config/read.hpp"

#include <algorithm>
#include <string>

namespace tcplock::config {
namespace {

constexpr std::string_view expected_command = "a list like [program, argument]";
constexpr std::string_view expected_address =
    "a numeric address and a port like \"127.0.0.1:{port}\", or a socket's path like "
    "\"unix:{directory}/socket\"";

Parsed<ProfileTemplate> parse_profile_template(const std::string& text) {
    if (text == "default") {
        return ProfileTemplate{ProfileTemplate::Kind::ours};
    }
    if (text == "none") {
        return ProfileTemplate{ProfileTemplate::Kind::none};
    }
    if (auto path = absolute_path().parse(text); std::holds_alternative<std::string>(path)) {
        return ProfileTemplate{ProfileTemplate::Kind::folder, std::get<std::string>(path)};
    }
    return wrong(text, "is no folder", "default, none, or a folder's absolute path");
}

// As long as they ever get.
Placeholders sample(const std::string& state_directory) {
    const std::string directory = state_directory + "/place-999";
    return {.port = "65535",
            .name = "tcplock-01234567-999-4294967295",
            .instance = "999",
            .generation = "999999",
            .uid = "4294967294",
            .directory = directory,
            .profile = directory + "/profile"};
}

Parsed<std::string> parse_backend_address(const std::string& text) {
    auto checked = template_text().parse(text);
    if (std::holds_alternative<Wrong>(checked)) {
        return checked;
    }
    const std::string filled = fill(text, sample(""));
    if (filled.starts_with(unix_prefix)) {
        const bool has_path = filled.substr(unix_prefix.size()).starts_with('/');
        return has_path
                   ? checked
                   : wrong(text, "has no absolute path", "one like \"unix:{directory}/socket\"");
    }
    if (std::holds_alternative<Wrong>(parse_endpoint(filled))) {
        return wrong(text, "is no numeric address and port, and no socket's path",
                     "one like \"127.0.0.1:{port}\" or \"unix:{directory}/socket\"");
    }
    return text;
}

// How long it is depends on more than the address.
void check_socket_path(const Section& section, const Backend& backend) {
    if (is_socket_path(backend)) {
        const std::string longest = fill(backend.address, sample(backend.state_directory));
        if (const auto problem = wrong_socket_path(longest)) {
            section.note("address", "once filled in " + problem->message);
        }
    }
}

void check_presence(const Section& section, const Config& config) {
    if (config.protocol == Protocol::uno || section.has("address")) {
        return;
    }
    const std::string why = "missing, protocol tcp has no default, expected ";
    section.note_missing("address", why + std::string{expected_address});
    if (!section.has("command")) {
        section.note_missing("command", why + std::string{expected_command} +
                                            ", or the address alone of a service somebody else "
                                            "runs");
    }
}

// What only one who starts the backend can heed.
void refuse_what_has_no_effect(const Section& section) {
    for (const std::string_view key :
         {"ports", "instances", "standby", "state_directory", "profile_template", "environment",
          "user", "stop_signal", "stop_grace", "stop_timeout", "nice", "oom_score_adjust",
          "limits"}) {
        if (section.has(key)) {
            section.note(key, without_command);
        }
    }
}

void check_ports(const Section& section, const Backend& backend) {
    if (section.has("ports") && !backend.address.empty() &&
        !has_placeholder(backend.address, "port")) {
        section.note("ports", "has no effect, expected {port} in backend.address");
    }
}

// The places there are at once, without those that replace a quarantined one.
void check_places(const Section& section, const Backend& backend,
                  const core::BackendPolicy& policy) {
    const std::size_t places = policy.instances + policy.standby;
    if (places == 1 || backend.address.empty()) {
        return;
    }
    const std::string needed = std::to_string(places) + " backends at once (instances + standby)";
    const std::size_t addresses = count_addresses(backend);
    if (addresses >= places) {
        return;
    }
    if (is_socket_path(backend)) {
        section.note("address",
                     "is the same for " + needed + ", expected {name} or {directory} in it");
    } else if (!has_placeholder(backend.address, "port")) {
        section.note(section.has("address") ? "address" : "instances",
                     "is the same for " + needed + ", expected {port} in it");
    } else {
        section.note(section.has("ports") ? "ports" : "instances",
                     std::to_string(addresses) + " ports are too few for " + needed +
                         ", expected one for each");
    }
}

// An office is reached over a pipe, unless what is written of command, address and ports is TCP's.
void choose_way(const Section& section, Backend& backend) {
    const auto is_pipe = [](const std::string& argument) {
        return argument.find("=pipe,name=") != std::string::npos;
    };
    const bool has_command = section.has("command");
    const bool has_address = section.has("address");
    const bool is_tcp = has_address   ? !is_socket_path(backend)
                        : has_command ? std::ranges::none_of(backend.command, is_pipe)
                                      : section.has("ports");
    std::string accept;
    std::string address;
    connect_by(is_tcp ? Way::tcp : Way::pipe, accept, address);
    if (!has_command) {
        backend.command.back() = accept;
    }
    if (!has_address) {
        backend.address = address;
    }
}

bool is_variable_name(std::string_view name) {
    return !name.empty() &&
           name.find_first_of(std::string_view{"=\0", 2}) == std::string_view::npos;
}

void read_environment(const Section& section, Backend& backend) {
    const ValuePtr map = section.value("environment");
    if (!map || map->kind == Value::Kind::nothing) {
        return;
    }
    if (map->kind != Value::Kind::map) {
        section.note("environment", "found " + std::string{describe(map->kind)} +
                                        ", expected a mapping of names to values");
        return;
    }
    for (const Entry& entry : map->entries) {
        const std::string path = section.path_of("environment") + "." + entry.key;
        section.reading().positions.lines.emplace(path, entry.line);
        if (!is_variable_name(entry.key)) {
            section.reading().note(entry.line, path,
                                   "is not a variable's name, expected one without =");
            continue;
        }
        auto parsed = read_value(section.reading(), *entry.value, template_text());
        if (auto* wrong = std::get_if<Wrong>(&parsed)) {
            section.reading().note(entry.line, path, wrong->message);
            continue;
        }
        backend.environment[entry.key] = std::get<std::string>(std::move(parsed));
    }
}

void read_backoff(const Section& section, core::BackoffPolicy& backoff) {
    section.read("first", backoff.first, duration());
    section.read("max", backoff.max, duration());
    if (backoff.first > backoff.max) {
        section.note(
            section.has("first") ? "first" : "max",
            "the first pause is longer than the longest, expected first to be at most max");
    }
}

void read_limits(const Section& section, Limits& limits) {
    constexpr std::int64_t fewest_files = 16;  // below, hardly a program starts
    constexpr std::int64_t most_files = 1 << 30;
    section.read("open_files", limits.open_files,
                 or_off(integer<std::uint64_t>(fewest_files, most_files)));
    section.read("address_space", limits.address_space, or_off(size_above_zero()));
    section.read("core", limits.core, or_off(size()));
}

void read_lifetimes(const Section& section, core::BackendPolicy& policy) {
    section.read("instances", policy.instances, integer<std::size_t>(1, most_backends));
    policy.standby = 0;  // Whether there is one by default is seen when all has been read.
    section.read("standby", policy.standby, integer<std::size_t>(0, most_backends));
    section.read("start_timeout", policy.start_timeout, duration());
    section.read("stop_grace", policy.stop_grace, duration_or_zero());
    section.read("stop_timeout", policy.stop_timeout, duration());
    read_backoff(section.section("restart_backoff"), policy.restart_backoff);
}

// The gate alone.
void read_service(const Section& section, Config& config) {
    core::BackendPolicy& policy = config.policy.backend;
    config.policy.recycle = gate_alone().policy.recycle;
    policy.is_ours = false;
    section.read("address", config.backend.address, {std::string{expected_service}, parse_service});
    section.read("start_timeout", policy.start_timeout, duration());
    read_backoff(section.section("restart_backoff"), policy.restart_backoff);
    refuse_what_has_no_effect(section);
}

}  // namespace

bool is_alone(const Config& config) {
    return !config.owns_backend() && !config.backend.address.empty();
}

void read_backend(const Section& section, Config& config) {
    constexpr int nicest = 19;
    constexpr int least_nice = -20;
    constexpr int first_to_go = 1000;  // as in /proc/PID/oom_score_adj

    Backend& backend = config.backend;
    if (config.protocol == Protocol::tcp && section.has("address") && !section.has("command")) {
        read_service(section, config);
        return;
    }
    if (section.has("command")) {
        read_command(section, backend.command);
    }
    section.read("address", backend.address,
                 {std::string{expected_address}, parse_backend_address});
    section.read("ports", backend.ports, {"ports like 2100-2199", parse_ports});
    if (config.protocol == Protocol::uno) {
        choose_way(section, backend);
    }
    section.read(
        "state_directory", backend.state_directory,
        Kind<std::filesystem::path>{absolute_path().expected,
                                    [](const std::string& text) -> Parsed<std::filesystem::path> {
                                        auto path = absolute_path().parse(text);
                                        if (auto* wrong = std::get_if<Wrong>(&path)) {
                                            return std::move(*wrong);
                                        }
                                        return std::filesystem::path{std::get<std::string>(path)};
                                    }});
    section.read("profile_template", backend.profile_template,
                 {"default, none, or a folder's absolute path", parse_profile_template});
    read_environment(section, backend);
    section.read("user", backend.user, user_name());
    section.read("stop_signal", backend.stop_signal, signal_number());
    section.read("nice", backend.nice, integer<int>(least_nice, nicest));
    section.read("oom_score_adjust", backend.oom_score_adjust,
                 integer<int>(-first_to_go, first_to_go));
    read_limits(section.section("limits"), backend.limits);
    read_lifetimes(section, config.policy.backend);
    check_presence(section, config);
    check_ports(section, backend);
    check_socket_path(section, backend);
    check_places(section, backend, config.policy.backend);
}

}  // namespace tcplock::config
