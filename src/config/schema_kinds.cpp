#include "config/schema_kinds.hpp"

#include "config/address.hpp"
#include "config/kinds.hpp"
#include "config/placeholders.hpp"
#include "config/signals.hpp"

#include <csignal>
#include <initializer_list>
#include <utility>

namespace tcplock::config::schema_kinds {
namespace {

namespace json = boost::json;

// ${NAME} and ${NAME:-default}; a default may hold placeholders.
constexpr std::string_view variable = R"(\$\{[A-Za-z_][A-Za-z0-9_]*(:-([^${}]|\{[^${}]*\})*)?\})";
constexpr std::string_view above_zero = "0*[1-9][0-9]*";
constexpr std::string_view time_unit = "(ms|s|min|h|d)";
constexpr std::string_view size_unit = "(B|KiB|MiB|GiB|TiB)";
constexpr std::string_view port = "0*[1-9][0-9]{0,4}";

using Parts = std::initializer_list<std::string_view>;

std::string joined(Parts parts) {
    std::string out;
    for (const std::string_view part : parts) {
        out += part;
    }
    return out;
}

// The whole of a text.
json::object pattern(Parts parts) {
    return {{"type", "string"}, {"pattern", "^(" + joined(parts) + ")$"}};
}

// Unquoted, a text of digits is a number, and some words are truth values. A pattern judges texts.
json::object any_scalar(Parts parts) {
    return {{"type", {"string", "number", "boolean"}}, {"pattern", "^(" + joined(parts) + ")$"}};
}

json::value referred(std::string_view name) {
    return json::object{{"$ref", "#/definitions/" + std::string{name}}};
}

// With a variable in a value nothing can be said of it before it is loaded.
Kind one_of(json::array alternatives) {
    alternatives.push_back(referred("variable"));
    return {{"anyOf", std::move(alternatives)}};
}

std::string placeholder() {
    std::string names;
    for (const std::string_view name : placeholder_names()) {
        names += (names.empty() ? "" : "|") + std::string{name};
    }
    return R"(\{()" + names + R"()\})";
}

json::object described(json::object form, std::string_view description) {
    form["description"] = description;
    return form;
}

}  // namespace

json::object definitions() {
    const std::string filled = placeholder();
    json::object all;
    const auto add = [&all](std::string_view name, json::object form, std::string_view what) {
        all[name] = described(std::move(form), what);
    };
    add("variable", {{"type", "string"}, {"pattern", variable}},
        "a value that is taken from the environment");
    add("duration", pattern({above_zero, time_unit}), duration().expected);
    add("duration_or_zero", pattern({"[0-9]+", time_unit}), duration_or_zero().expected);
    add("size", {{"anyOf", {pattern({"[0-9]+", size_unit, "|0"}), {{"const", 0}}}}},
        size().expected);
    add("size_above_zero", pattern({above_zero, size_unit}), size().expected);
    add("template", any_scalar({R"(([^${}\u0000]|\$\$|\{\{|\}\}|)", filled, "|", variable, ")*"}),
        "text, with placeholders like {port}");
    add("bytes", any_scalar({R"(([^$]|\$\$|)", variable, ")+"}), "text, or !!binary and base64");
    add("profile_template", pattern({"default|none|/.*"}),
        "default, none, or a folder's absolute path");
    add("absolute_path", pattern({"/.*"}), absolute_path().expected);
    add("user", any_scalar({R"([^\s:/]*)"}), user_name().expected);
    add("group", any_scalar({R"([^\s:/]*)"}), group_name().expected);
    json::object mode = any_scalar({"0*[0-7]{1,3}"});
    mode["maximum"] = 777;  // of one without quotes, which is a number
    add("file_mode", std::move(mode), file_mode().expected);
    add("cron_line", pattern({R"(\s*[0-9A-Za-z*,/-]+(\s+[0-9A-Za-z*,/-]+){4}\s*)"}),
        cron_line().expected);
    add("endpoint", pattern({R"((([0-9]+\.){3}[0-9]+|\[[0-9A-Fa-f:.]+\]):)", port}),
        expected_endpoint);
    add("listener", {{"anyOf", {referred("endpoint"), {{"const", passed_sockets}}}}},
        expected_listener);
    add("backend_address", {{"anyOf", {referred("own_address"), referred("service")}}},
        "a numeric address and a port like 127.0.0.1:{port}, or unix: and a socket's path");
    add("own_address", {{"anyOf", {referred("numeric_address"), referred("socket_path")}}},
        "a numeric address and a port like 127.0.0.1:{port}, or unix: and a socket's path");
    add("socket_path", pattern({R"(unix:(/|\{(directory|profile)\})([^${}\u0000]|)", filled, ")*"}),
        "unix: and an absolute path");
    add("service", pattern({"(?=[^:]*[A-Za-z])[A-Za-z0-9_.][A-Za-z0-9._-]*:", port}),
        expected_service);
    add("numeric_address",
        pattern({"([0-9.]|", filled, R"()+:([0-9]|)", filled, R"()+|\[([0-9A-Fa-f:.]|)", filled,
                 R"()+\]:([0-9]|)", filled, ")+"}),
        "a numeric address and a port like 127.0.0.1:{port}");
    add("network", pattern({R"([0-9.]+(/[0-9]+)?|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(/[0-9]+)?)"}),
        expected_network);
    add("http_path", pattern({"/[!-~]*"}), "a path like /health");
    return all;
}

Kind defined(std::string_view name) {
    return one_of({referred(name)});
}

Kind integer(std::int64_t min, std::int64_t max) {
    return one_of(
        {{{"type", "integer"}, {"minimum", min}, {"maximum", max}}, pattern({"-?[0-9]+"})});
}

Kind choice(const std::vector<std::string_view>& words) {
    return one_of({{{"enum", json::array(words.begin(), words.end())}}});
}

Kind stop_signal() {
    std::vector<std::string_view> names;
    std::string long_names;
    for (int number = 1; number <= SIGRTMAX; ++number) {
        if (const std::string_view name = signal_name(number); !name.empty()) {
            names.push_back(name);
            long_names += (long_names.empty() ? "" : "|") + std::string{name};
        }
    }
    return one_of(
        {{{"enum", json::array(names.begin(), names.end())}}, pattern({"SIG(", long_names, ")"})});
}

Kind or_off(Kind kind) {
    json::array& alternatives = kind["anyOf"].get_array();
    alternatives.insert(alternatives.begin(), json::object{{"enum", {"off", false}}});
    return kind;
}

Kind off() {
    return or_off(one_of({}));
}

Kind template_text() {
    return {{"allOf", {referred("template")}}};
}

Kind list_of(const Kind& item) {
    return {{"type", "array"}, {"items", item}};
}

Kind command() {
    const json::object program{{"allOf", {referred("template"), {{"not", {{"const", ""}}}}}}};
    return {{"type", "array"},
            {"minItems", 1},
            {"items", {program}},
            {"additionalItems", template_text()}};
}

Kind environment() {
    return {{"type", {"object", "null"}},
            {"propertyNames", {{"pattern", R"(^[^=\u0000]+$)"}}},
            {"additionalProperties", template_text()}};
}

Kind ports() {
    constexpr int last = 65535;
    return one_of({pattern({port, "(-", port, ")?"}),
                   {{"type", "integer"}, {"minimum", 1}, {"maximum", last}}});
}

Kind allow() {
    const json::object any = one_of({{{"const", "any"}}});
    return {{"type", "array"}, {"anyOf", {{{"items", any}}, {{"items", defined("network")}}}}};
}

Kind beyond_loopback() {
    // IPv4's, IPv6's, and IPv4's in the notation of IPv6.
    constexpr std::string_view loopback =
        R"(^127\.|^\[[0:]*1\]:|^\[[0:]*:[Ff]{4}:(127\.|7[Ff][0-9A-Fa-f]{2}:))";
    return {{"not", {{"pattern", joined({loopback, R"(|^systemd$|\$)"})}}}};
}

}  // namespace tcplock::config::schema_kinds
