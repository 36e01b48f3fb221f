#include "config/changes.hpp"

#include "config/show.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <utility>

namespace tcplock::config {
namespace {

// A key, or what all keys of a section begin with. What is asked for when a supervisor starts, and
// never again, needs a restart; what a backend is made of and asked, a recycle.
constexpr std::array<std::string_view, 10> for_a_restart{"protocol",
                                                         "backend.instances",
                                                         "backend.standby",
                                                         "backend.state_directory",
                                                         "backend.profile_template",
                                                         "backend.user",
                                                         "backend.address",
                                                         "probe.kind",
                                                         "admin.",
                                                         "log.format"};
constexpr std::array<std::string_view, 14> for_a_recycle{
    "backend.command",     "backend.address",     "backend.ports",
    "backend.environment", "backend.stop_signal", "backend.nice",
    "probe.expect",        "probe.send",          "backend.oom_score_adjust",
    "backend.limits",      "probe.path",          "probe.status",
    "probe.command",       "probe.timeout"};

using Values = std::vector<std::pair<std::string, std::string>>;

// On one line.
void make_flow(YAML::Node node) {
    if (node.IsScalar()) {
        return;
    }
    node.SetStyle(YAML::EmitterStyle::Flow);
    for (auto entry : node) {
        make_flow(node.IsMap() ? YAML::Node(entry.second) : YAML::Node(entry));
    }
}

// Every key with its value, as they are shown. A list is one value, and an empty mapping is none.
void collect(const YAML::Node& node, const std::string& key, Values& values) {
    if (!node.IsMap()) {
        make_flow(node);
        YAML::Emitter out;
        out << node;
        values.emplace_back(key, out.c_str());
        return;
    }
    for (const auto& entry : node) {
        const std::string name = entry.first.as<std::string>();
        collect(entry.second, key.empty() ? name : key + "." + name, values);
    }
}

Values values_of(const Config& config) {
    Values values;
    collect(YAML::Load(show(config)), "", values);
    return values;
}

const std::string* find(const Values& values, const std::string& key) {
    const auto found = std::find_if(values.begin(), values.end(),
                                    [&key](const auto& value) { return value.first == key; });
    return found == values.end() ? nullptr : &found->second;
}

template <class Keys>
bool is_among(const Keys& keys, std::string_view key) {
    return std::any_of(keys.begin(), keys.end(), [key](std::string_view known) {
        const bool is_inside = key.starts_with(known) &&
                               (known.ends_with('.') || key.substr(known.size()).starts_with('.'));
        return key == known || is_inside;
    });
}

// The address of a service that somebody else runs is looked up once; that of our own is in each
// generation's command. Nor is such a service started anew, to be asked something else.
Change::Reach reach_of(std::string_view key, bool owns_backend) {
    const bool is_own_address = owns_backend && key == "backend.address";
    if (is_among(for_a_restart, key) && !is_own_address) {
        return Change::Reach::restart;
    }
    return owns_backend && is_among(for_a_recycle, key) ? Change::Reach::recycles
                                                        : Change::Reach::at_once;
}

std::string shown(const std::string* value, std::string_view key) {
    if (value == nullptr) {
        return "not there";
    }
    return key.starts_with("backend.environment.") ? "…" : *value;
}

}  // namespace

std::vector<Change> changes(const Config& before, const Config& after) {
    const Values old_values = values_of(before);
    const Values new_values = values_of(after);
    // Whose the backend is decides what all else means.
    const bool is_same_kind =
        before.protocol == after.protocol && before.owns_backend() == after.owns_backend();
    std::vector<Change> all;
    const auto add = [&](const std::string& key) {
        const std::string* const from = find(old_values, key);
        const std::string* const to = find(new_values, key);
        if (from == nullptr || to == nullptr || *from != *to) {
            all.push_back(
                {key, shown(from, key), shown(to, key),
                 is_same_kind ? reach_of(key, after.owns_backend()) : Change::Reach::restart});
        }
    };
    for (const auto& [key, value] : new_values) {
        add(key);
    }
    for (const auto& [key, value] : old_values) {
        if (find(new_values, key) == nullptr) {
            add(key);
        }
    }
    return all;
}

std::string to_text(const Change& change) {
    return change.key + " " + change.before + " -> " + change.after;
}

}  // namespace tcplock::config
