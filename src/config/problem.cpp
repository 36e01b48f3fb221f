#include "config/problem.hpp"

#include <cstddef>

namespace tcplock::config {

namespace {

// Whatever somebody wrote there, it stays one line and moves no cursor.
std::string without_controls(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            out += "\\x";
            out += digits[byte / 16];
            out += digits[byte % 16];
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace

std::string to_text(const Problem& problem) {
    std::string text = problem.file;
    if (problem.line > 0) {
        text += ':' + std::to_string(problem.line);
    }
    if (!problem.key.empty()) {
        text += ": " + problem.key;
    }
    return without_controls(text + ": " + problem.message);
}

std::string cited(std::string_view text) {
    constexpr std::size_t longest = 80;
    if (text.size() <= longest) {
        return '"' + without_controls(text) + '"';
    }
    // A code point is not cut in two.
    std::size_t length = longest;
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0U) == 0x80) {
        --length;
    }
    return '"' + without_controls(text.substr(0, length)) + "…\"";
}

Wrong wrong(std::string_view value, std::string_view why, std::string_view expected) {
    std::string message = cited(value);
    message += ' ';
    message += why;
    message += ", expected ";
    message += expected;
    return Wrong{std::move(message)};
}

}  // namespace tcplock::config
