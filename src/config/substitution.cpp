#include "config/substitution.hpp"

#include "config/utf8.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

namespace tcplock::config {
namespace {

bool is_variable_name(std::string_view name) {
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
    constexpr std::string_view digits = "0123456789";
    return !name.empty() && digits.find(name.front()) == std::string_view::npos &&
           std::ranges::all_of(name, [=](char c) {
               return letters.find(c) != std::string_view::npos ||
                      digits.find(c) != std::string_view::npos;
           });
}

// The offset of the brace that closes the one `text` is inside of.
std::size_t closing_brace(std::string_view text) {
    std::size_t depth = 1;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '{') {
            ++depth;
        } else if (text[i] == '}' && --depth == 0) {
            return i;
        }
    }
    return std::string_view::npos;
}

// The value of `NAME` or `NAME:-default`.
Parsed<std::string> value_of(std::string_view reference, const Environment& environment) {
    const std::size_t end_of_name = std::min(reference.find(":-"), reference.size());
    const std::string name{reference.substr(0, end_of_name)};
    const bool has_default = end_of_name < reference.size();
    const std::string_view fallback = has_default ? reference.substr(end_of_name + 2) : "";
    if (!is_variable_name(name)) {
        return wrong("${" + std::string{reference} + "}", "is no variable",
                     "${NAME} or ${NAME:-default}, and $$ for a dollar sign");
    }
    if (fallback.find('$') != std::string_view::npos) {
        return wrong("${" + std::string{reference} + "}", "has a variable inside a default",
                     "plain text as a default");
    }
    std::optional<std::string> value = environment(name);
    if (has_default && (!value || value->empty())) {
        return std::string{fallback};
    }
    if (!value) {
        return Wrong{"the environment variable " + name +
                     " is not set, expected it or a default: ${" + name + ":-…}"};
    }
    if (first_not_utf8(*value)) {
        return Wrong{"the environment variable " + name + " is not UTF-8, expected plain text"};
    }
    return std::move(*value);
}

}  // namespace

Environment process_environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        const char* const value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>{value};
    };
}

Parsed<std::string> substitute(std::string_view text, const Environment& environment) {
    std::string out;
    while (true) {
        const std::size_t dollar = text.find('$');
        out += text.substr(0, dollar);
        if (dollar == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(dollar + 1);
        if (text.starts_with('$')) {
            out += '$';
            text.remove_prefix(1);
            continue;
        }
        if (!text.starts_with('{')) {
            return wrong("$" + std::string{text.substr(0, 1)}, "is no variable",
                         "${NAME} or ${NAME:-default}, and $$ for a dollar sign");
        }
        text.remove_prefix(1);
        const std::size_t end = closing_brace(text);
        if (end == std::string_view::npos) {
            return wrong("${" + std::string{text}, "is not closed", "a } at its end");
        }
        auto value = value_of(text.substr(0, end), environment);
        if (std::holds_alternative<Wrong>(value)) {
            return value;
        }
        out += std::get<std::string>(value);
        text.remove_prefix(end + 1);
    }
}

std::string escape_dollars(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out.append(c == '$' ? 2 : 1, c);
    }
    return out;
}

}  // namespace tcplock::config
