#include "daemon/entry.hpp"

#include "io/printable.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/compile.h>
#include <fmt/format.h>
#include <iterator>

namespace tcplock::daemon {
namespace {

namespace json = boost::json;

constexpr std::size_t usual_line = 256;

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

struct AppendTo {
    std::string& text;

    void operator()(const std::string& value) const {
        const std::string shown = io::printable(value);
        if (!needs_quotes(shown)) {
            text += shown;
            return;
        }
        text += '"';
        for (const char c : shown) {
            if (c == '"' || c == '\\') {
                text += '\\';
            }
            text += c;
        }
        text += '"';
    }
    void operator()(std::uint64_t value) const { text += fmt::format_int(value).c_str(); }
    void operator()(std::chrono::nanoseconds value) const {
        fmt::format_to(std::back_inserter(text), FMT_COMPILE("{:.3f}s"),
                       std::chrono::duration<double>(value).count());
    }
    void operator()(Bytes value) const {
        (*this)((value.count + (1U << 19)) >> 20);
        text += "MiB";
    }
    void operator()(bool value) const { text += value ? "yes" : "no"; }
};

struct Put {
    json::object& object;
    std::string_view key;

    void operator()(const std::string& value) const { object[key] = io::printable(value); }
    void operator()(std::uint64_t value) const { object[key] = value; }
    void operator()(std::chrono::nanoseconds value) const {
        object[with_unit("_ms")] = std::chrono::round<std::chrono::milliseconds>(value).count();
    }
    void operator()(Bytes value) const { object[with_unit("_bytes")] = value.count; }
    void operator()(bool value) const { object[key] = value; }

    std::string with_unit(std::string_view unit) const { return std::string(key).append(unit); }
};

}  // namespace

std::string as_text(const Entry& entry) {
    std::string text;
    text.reserve(usual_line);
    text.append(name_of(entry.level)).append(" ").append(entry.message);
    for (const auto& [key, value] : entry.fields) {
        text.append(" ").append(key).append("=");
        std::visit(AppendTo{text}, value);
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
