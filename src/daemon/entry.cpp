#include "daemon/entry.hpp"

#include "io/printable.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>
#include <string_view>

namespace tcplock::daemon {
namespace {

namespace json = boost::json;

// As the configuration calls them.
std::string_view name_of(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::debug:
            return "debug";
        case config::LogLevel::info:
            return "info";
        case config::LogLevel::warn:
            return "warn";
        case config::LogLevel::error:
            return "error";
    }
    return "info";
}

bool needs_quotes(std::string_view value) {
    return value.empty() || value.find_first_of(" \"=\\") != std::string_view::npos;
}

std::string in_quotes(std::string_view value) {
    std::string text = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') {
            text += '\\';
        }
        text += c;
    }
    return text += '"';
}

struct InText {
    std::string operator()(const std::string& value) const {
        const std::string shown = io::printable(value);
        return needs_quotes(shown) ? in_quotes(shown) : shown;
    }
    std::string operator()(std::uint64_t value) const { return std::to_string(value); }
    std::string operator()(std::chrono::nanoseconds value) const {
        return fmt::format("{:.3f}s", std::chrono::duration<double>(value).count());
    }
    std::string operator()(Bytes value) const {
        return std::to_string((value.count + (1U << 19)) >> 20) + "MiB";
    }
    std::string operator()(bool value) const { return value ? "yes" : "no"; }
};

struct Put {
    json::object& object;
    const std::string& key;

    void operator()(const std::string& value) const { object[key] = io::printable(value); }
    void operator()(std::uint64_t value) const { object[key] = value; }
    void operator()(std::chrono::nanoseconds value) const {
        object[key + "_ms"] = std::chrono::round<std::chrono::milliseconds>(value).count();
    }
    void operator()(Bytes value) const { object[key + "_bytes"] = value.count; }
    void operator()(bool value) const { object[key] = value; }
};

}  // namespace

std::string as_text(const Entry& entry) {
    std::string text = std::string(name_of(entry.level)) + " " + entry.message;
    for (const auto& [key, value] : entry.fields) {
        text.append(" ").append(key).append("=").append(std::visit(InText{}, value));
    }
    return text;
}

std::string as_json(const Entry& entry) {
    json::object object{{"level", name_of(entry.level)}, {"message", io::printable(entry.message)}};
    for (const auto& [key, value] : entry.fields) {
        std::visit(Put{object, key}, value);
    }
    return json::serialize(object);
}

}  // namespace tcplock::daemon
