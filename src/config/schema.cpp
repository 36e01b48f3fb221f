#include "config/schema.hpp"

#include "config/defaults.hpp"
#include "config/document.hpp"
#include "config/json.hpp"
#include "config/keys.hpp"
#include "config/probe_kinds.hpp"
#include "config/schema_forms.hpp"
#include "config/schema_kinds.hpp"
#include "config/show.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace tcplock::config {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 5> always_needed{
    "listen[].address", "hooks.before_admission.command", "hooks.session_timeout.command",
    "hooks.backend_ready.command", "hooks.backend_stopped.command"};
constexpr std::array<std::string_view, 3> needed_with_tcp{"listen", "backend", "backend.address"};

// The name of a key that stands directly in a section; empty for any other.
std::string_view name_in(std::string_view section, std::string_view path) {
    const std::string start = section.empty() ? "" : std::string{section} + ".";
    if (!path.starts_with(start)) {
        return {};
    }
    path.remove_prefix(start.size());
    return path.find('.') == std::string_view::npos ? path : std::string_view{};
}

bool has_keys(std::string_view section) {
    return std::ranges::any_of(
        keys(), [section](const Key& key) { return !name_in(section, key.path).empty(); });
}

json::array needed_in(std::string_view section, std::span<const std::string_view> needed) {
    json::array names;
    for (const std::string_view path : needed) {
        if (const std::string_view name = name_in(section, path); !name.empty()) {
            names.emplace_back(name);
        }
    }
    return names;
}

// As YAML has it: unquoted digits are a number.
json::value as_json(const Value& value) {
    switch (value.kind) {
        case Value::Kind::nothing:
            return nullptr;
        case Value::Kind::text:
            break;
        case Value::Kind::list: {
            json::array items;
            for (const ValuePtr& item : value.items) {
                items.push_back(as_json(*item));
            }
            return items;
        }
        case Value::Kind::map: {
            json::object entries;
            for (const Entry& entry : value.entries) {
                entries[entry.key] = as_json(*entry.value);
            }
            return entries;
        }
    }
    std::int64_t number = 0;
    const char* const last = value.text.data() + value.text.size();
    const auto [end, error] = std::from_chars(value.text.data(), last, number);
    return error == std::errc{} && end == last ? json::value(number) : json::value(value.text);
}

// The defaults, as an operator would write them.
class Defaults {
public:
    Defaults() : uno_(shown(defaults(Protocol::uno))) {
        Config tcp = defaults(Protocol::tcp);
        tcp_ = shown(tcp);
        tcp_.get_object().erase("protocol");  // No other default, but the question itself.
        tcp.probe.kind = HttpProbe{};
        http_ = shown(tcp);
    }

    const json::value* of(std::string_view path) const {
        const json::value* const value = at(uno_, path);
        return value != nullptr ? value : at(http_, path);
    }

    // What is to be said where protocol tcp has another.
    std::string with_tcp(std::string_view path) const {
        const json::value* const value = at(tcp_, path);
        if (value == nullptr || of(path) == nullptr || *value == *of(path)) {
            return "";
        }
        if (value->is_null() || *value == "") {
            return " With protocol tcp there is no default.";
        }
        const std::string written =
            value->is_string() ? json::value_to<std::string>(*value) : json::serialize(*value);
        return " The default with protocol tcp is " + written + ".";
    }

private:
    static json::value shown(const Config& config) {
        return as_json(*parse_document(show(config), "").root);
    }

    // An item of a list has no default of its own.
    static const json::value* at(const json::value& root, std::string_view path) {
        const json::value* value = &root;
        while (value != nullptr && !path.empty()) {
            const std::size_t dot = std::min(path.find('.'), path.size());
            const auto* const object = value->if_object();
            value = object == nullptr ? nullptr : object->if_contains(path.substr(0, dot));
            path.remove_prefix(std::min(dot + 1, path.size()));
        }
        return value;
    }

    json::value uno_;
    json::value tcp_;
    json::value http_;
};

class Builder {
public:
    json::object mapping(std::string_view section) const {
        json::object properties;
        for (const Key& key : keys()) {
            const std::string_view name = name_in(section, key.path);
            if (!name.empty() && key.standing == Key::Standing::available) {
                properties[name] = property(key.path);
            }
        }
        json::object out{{"type", {"object", "null"}},
                         {"additionalProperties", false},
                         {"properties", std::move(properties)}};
        if (json::array needed = needed_in(section, always_needed); !needed.empty()) {
            out["type"] = "object";
            out["required"] = std::move(needed);
        }
        return out;
    }

    // What one protocol demands or forbids.
    json::object rules(Protocol protocol) const {
        const bool is_tcp = protocol == Protocol::tcp;
        json::object condition{{"properties", {{"protocol", {{"const", is_tcp ? "tcp" : "uno"}}}}}};
        if (is_tcp) {
            condition["required"] = json::array{"protocol"};  // Where it is not written it is uno.
        }
        json::object properties{{"probe", probe_rules(protocol)}};
        if (is_tcp) {
            properties["backend"] = {{"type", "object"},
                                     {"required", needed_in("backend", needed_with_tcp)},
                                     {"if", {{"required", {"command"}}}},
                                     {"then", own_address()}};
        } else {
            properties["listen"] = {{"items", answer_beyond_loopback()}};
            properties["backend"] = own_address();
        }
        json::object then{{"properties", std::move(properties)}};
        if (is_tcp) {
            then["required"] = needed_in("", needed_with_tcp);
        }
        return {{"if", std::move(condition)}, {"then", std::move(then)}};
    }

private:
    json::object property(std::string_view path) const {
        const auto form = std::ranges::find(forms_, path, &Form::path);
        if (form == forms_.end()) {
            throw std::logic_error{"the schema has no form for " + std::string{path}};
        }
        const bool is_section = has_keys(path);
        json::object out{{"description", form->description}};
        if (const json::value* value = defaults_.of(path); value != nullptr && !is_section) {
            out["description"] = std::string{form->description} + defaults_.with_tcp(path);
            out["default"] = *value;
        }
        const std::string item = std::string{path} + "[]";
        json::object kind = form->kind;
        if (is_section && !kind.empty()) {
            kind = {{"if", {{"type", "object"}}}, {"then", mapping(path)}, {"else", kind}};
        } else if (is_section) {
            kind = mapping(path);
        } else if (has_keys(item)) {
            kind = {{"type", "array"}, {"minItems", 1}, {"items", mapping(item)}};
        }
        for (json::key_value_pair& pair : kind) {
            out[pair.key()] = std::move(pair.value());
        }
        return out;
    }

    json::object probe_rules(Protocol protocol) const {
        const std::string_view barred = barred_probe_kind(protocol);
        json::array rules;
        for (const std::string_view kind : probe_kind_names) {
            if (kind != barred) {
                rules.push_back(rule_of_kind(kind, protocol));
            }
        }
        return {{"properties", {{"kind", {{"not", {{"const", barred}}}}}}},
                {"allOf", std::move(rules)}};
    }

    json::object rule_of_kind(std::string_view kind, Protocol protocol) const {
        json::object condition{{"properties", {{"kind", {{"const", kind}}}}}};
        if (kind != probe_kind_names[defaults(protocol).probe.kind.index()]) {
            condition["required"] = json::array{"kind"};  // It is not what an absent one means.
        }
        json::object properties;
        json::array required;
        for (const OwnKey& own : probe_own_keys) {
            const std::string path = "probe." + std::string{own.key};
            if (!is_own(own.key, kind)) {
                properties[own.key] = false;
            } else if (own.kind == kind && defaults_.of(path) == nullptr) {
                required.emplace_back(own.key);
            }
        }
        if (kind == "connect") {
            properties["admission"] = schema_kinds::off();  // Who accepts need not be free.
        }
        json::object then{{"properties", std::move(properties)}};
        if (!required.empty()) {
            then["required"] = std::move(required);
        }
        return {{"if", std::move(condition)}, {"then", std::move(then)}};
    }

    static bool is_own(std::string_view key, std::string_view kind) {
        return std::ranges::any_of(
            probe_own_keys, [=](const OwnKey& own) { return own.key == key && own.kind == kind; });
    }

    // A name will do only for a service that somebody else runs.
    static json::object own_address() {
        return {{"properties", {{"address", schema_kinds::defined("own_address")}}}};
    }

    static json::object answer_beyond_loopback() {
        return {
            {"if",
             {{"required", {"address"}},
              {"properties", {{"address", schema_kinds::beyond_loopback()}}}}},
            {"then", {{"required", {"allow"}}, {"properties", {{"allow", {{"minItems", 1}}}}}}}};
    }

    std::vector<Form> forms_ = schema_forms();
    Defaults defaults_;
};

}  // namespace

std::string schema() {
    const Builder builder;
    json::object out{{"$schema", "http://json-schema.org/draft-07/schema#"},
                     {"title", "Configuration of tcplock-supervisor"}};
    for (json::key_value_pair& pair : builder.mapping("")) {
        out[pair.key()] = std::move(pair.value());
    }
    out["allOf"] = {builder.rules(Protocol::tcp), builder.rules(Protocol::uno)};
    out["definitions"] = schema_kinds::definitions();
    return indented(out);
}

}  // namespace tcplock::config
