#include "config/keys.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <numeric>
#include <vector>

namespace tcplock::config {
namespace {

constexpr auto available = Key::Standing::available;
constexpr auto coming = Key::Standing::coming;

constexpr std::array all_keys{
    Key{"protocol", available},
    Key{"listen", available},
    Key{"listen[].address", available},
    Key{"listen[].allow", available},
    Key{"listen[].proxy_protocol", coming},
    Key{"listen[].trusted_proxies", coming},
    Key{"listen[].proxy_timeout", coming},
    Key{"gate", available},
    Key{"gate.concurrency", available},
    Key{"gate.queue_limit", available},
    Key{"gate.queue_timeout", available},
    Key{"gate.session_timeout", available},
    Key{"gate.first_byte_timeout", available},
    Key{"gate.idle_timeout", available},
    Key{"gate.half_closed", available},
    Key{"gate.release_timeout", available},
    Key{"backend", available},
    Key{"backend.command", available},
    Key{"backend.address", available},
    Key{"backend.ports", available},
    Key{"backend.instances", available},
    Key{"backend.standby", available},
    Key{"backend.state_directory", available},
    Key{"backend.profile_template", available},
    Key{"backend.environment", available},
    Key{"backend.user", available},
    Key{"backend.start_timeout", available},
    Key{"backend.stop_signal", available},
    Key{"backend.stop_grace", available},
    Key{"backend.stop_timeout", available},
    Key{"backend.restart_backoff", available},
    Key{"backend.restart_backoff.first", available},
    Key{"backend.restart_backoff.max", available},
    Key{"backend.nice", available},
    Key{"backend.oom_score_adjust", available},
    Key{"backend.limits", available},
    Key{"backend.limits.open_files", available},
    Key{"backend.limits.address_space", available},
    Key{"backend.limits.core", available},
    Key{"probe", available},
    Key{"probe.kind", available},
    Key{"probe.send", available},
    Key{"probe.expect", available},
    Key{"probe.path", available},
    Key{"probe.status", available},
    Key{"probe.command", available},
    Key{"probe.interval", available},
    Key{"probe.timeout", available},
    Key{"probe.failure_threshold", available},
    Key{"probe.admission", available},
    Key{"recycle", available},
    Key{"recycle.max_jobs", available},
    Key{"recycle.max_age", available},
    Key{"recycle.schedule", available},
    Key{"recycle.memory_soft_limit", available},
    Key{"recycle.memory_hard_limit", available},
    Key{"recycle.idle_shutdown", available},
    Key{"hooks", available},
    Key{"hooks.before_admission", available},
    Key{"hooks.before_admission.command", available},
    Key{"hooks.before_admission.timeout", available},
    Key{"hooks.session_timeout", available},
    Key{"hooks.session_timeout.command", available},
    Key{"hooks.session_timeout.timeout", available},
    Key{"hooks.backend_ready", available},
    Key{"hooks.backend_ready.command", available},
    Key{"hooks.backend_ready.timeout", available},
    Key{"hooks.backend_stopped", available},
    Key{"hooks.backend_stopped.command", available},
    Key{"hooks.backend_stopped.timeout", available},
    Key{"admin", available},
    Key{"admin.socket", available},
    Key{"admin.socket_mode", available},
    Key{"admin.socket_group", available},
    Key{"admin.http", available},
    Key{"admin.agent_check", coming},
    Key{"log", available},
    Key{"log.level", available},
    Key{"log.format", available},
    Key{"shutdown_timeout", available},
};

struct Path {
    std::string_view section;  // empty at the top
    std::string_view name;
};

Path split(std::string_view path) {
    const std::size_t dot = path.rfind('.');
    return dot == std::string_view::npos ? Path{"", path}
                                         : Path{path.substr(0, dot), path.substr(dot + 1)};
}

// Case and the kind of dash are no difference worth counting.
std::string normal(std::string_view word) {
    std::string text{word};
    std::ranges::transform(text, text.begin(), [](unsigned char c) {
        return c == '-' ? '_' : static_cast<char>(std::tolower(c));
    });
    return text;
}

// Levenshtein's distance, row by row.
std::size_t edit_distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> row(to.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < from.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < to.size(); ++j) {
            const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

std::string joined(const std::vector<std::string_view>& words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) {
            text += i + 1 == words.size() ? " or " : ", ";
        }
        text += words[i];
    }
    return text;
}

std::vector<std::string_view> names_in(std::string_view section) {
    std::vector<std::string_view> names;
    for (const Key& key : all_keys) {
        const Path path = split(key.path);
        if (path.section == section && key.standing == available) {
            names.push_back(path.name);
        }
    }
    return names;
}

std::vector<std::string_view> paths_named(std::string_view name, Key::Standing standing) {
    std::vector<std::string_view> paths;
    for (const Key& key : all_keys) {
        if (split(key.path).name == name && key.standing == standing) {
            paths.push_back(key.path);
        }
    }
    return paths;
}

// Those that can be written now, or else those that are still to come.
std::vector<std::string_view> paths_named(std::string_view name) {
    auto paths = paths_named(name, available);
    return paths.empty() ? paths_named(name, coming) : paths;
}

// Names are looked for in the key's own section first, then everywhere.
std::string unknown(const Path& path) {
    if (const auto paths = paths_named(normal(path.name)); !paths.empty()) {
        const auto own = std::ranges::find(paths, path.section,
                                           [](std::string_view p) { return split(p).section; });
        return own == paths.end()
                   ? "does not belong here, expected " + joined(paths)
                   : "unknown key, did you mean " + std::string{split(*own).name} + "?";
    }
    std::vector<std::string_view> siblings;
    std::vector<std::string_view> all;
    for (const Key& key : all_keys) {
        const Path candidate = split(key.path);
        all.push_back(candidate.name);
        if (candidate.section == path.section) {
            siblings.push_back(candidate.name);
        }
    }
    if (const auto name = nearest(path.name, siblings); !name.empty()) {
        return "unknown key, did you mean " + std::string{name} + "?";
    }
    if (const auto name = nearest(path.name, all); !name.empty()) {
        return "unknown key, did you mean " + joined(paths_named(name)) + "?";
    }
    const auto names = names_in(path.section);
    return names.empty() ? "unknown key" : "unknown key, expected " + joined(names);
}

}  // namespace

std::span<const Key> keys() {
    return all_keys;
}

std::string wrong_key(std::string_view path) {
    const auto key = std::ranges::find(all_keys, path, &Key::path);
    if (key == all_keys.end()) {
        return unknown(split(path));
    }
    return key->standing == available ? "" : "not available yet, expected it to be left out";
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> words) {
    // Half of a short word changed is another word, and nobody mistypes a long one.
    constexpr std::size_t longest = 40;
    if (word.size() > longest) {
        return {};
    }
    std::string_view best;
    std::size_t best_distance = 1 + std::min<std::size_t>(word.size() / 3, 3);
    for (const std::string_view candidate : words) {
        const std::size_t distance = edit_distance(normal(word), candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

}  // namespace tcplock::config
