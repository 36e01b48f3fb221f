#include "config/json.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include <cstddef>

namespace tcplock::config {
namespace {

namespace json = boost::json;

constexpr std::size_t line_max = 100;
constexpr std::size_t step = 2;

std::string key_of(const json::key_value_pair& pair) {
    return json::serialize(json::string{pair.key()}) + ": ";
}

std::string on_one_line(const json::value& value) {
    std::string out;
    if (const auto* const object = value.if_object()) {
        for (const json::key_value_pair& pair : *object) {
            out += (out.empty() ? "" : ", ") + key_of(pair) + on_one_line(pair.value());
        }
        return "{" + out + "}";
    }
    if (const auto* const array = value.if_array()) {
        for (const json::value& item : *array) {
            out += (out.empty() ? "" : ", ") + on_one_line(item);
        }
        return "[" + out + "]";
    }
    return json::serialize(value);
}

// `begun`: what stands on the line before the value.
std::string broken(const json::value& value, std::size_t indent, std::size_t begun) {
    std::string line = on_one_line(value);
    if (begun + line.size() < line_max || (!value.is_object() && !value.is_array())) {
        return line;
    }
    const std::string edge = "\n" + std::string(indent + step, ' ');
    std::string out;
    if (const auto* const object = value.if_object()) {
        for (const json::key_value_pair& pair : *object) {
            const std::string key = key_of(pair);
            out += out.empty() ? "" : ",";
            out.append(edge).append(key);
            out += broken(pair.value(), indent + step, indent + step + key.size());
        }
        return "{" + out + "\n" + std::string(indent, ' ') + "}";
    }
    for (const json::value& item : value.get_array()) {
        out += out.empty() ? "" : ",";
        out += edge;
        out += broken(item, indent + step, indent + step);
    }
    return "[" + out + "\n" + std::string(indent, ' ') + "]";
}

}  // namespace

std::string indented(const boost::json::value& value) {
    return broken(value, 0, 0) + "\n";
}

}  // namespace tcplock::config
