#include "io/printable.hpp"

#include <array>
#include <cstdint>

namespace tcplock::io {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

unsigned byte_at(std::string_view bytes, std::size_t index) {
    return static_cast<unsigned char>(bytes[index]);
}

bool is_continuation(unsigned byte) {
    return (byte & 0xC0U) == 0x80U;
}

// The smallest code point that may be written in so many bytes: a longer spelling is not valid.
constexpr std::array<std::uint32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};

// How many bytes the first byte of a character announces; 0 if it cannot be a first byte.
std::size_t announced_length(unsigned first) {
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return 2;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        return 3;
    }
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

// Length of the valid character at the beginning, or 0.
std::size_t character_length(std::string_view bytes) {
    const unsigned first = byte_at(bytes, 0);
    const std::size_t length = announced_length(first);
    if (length == 0 || length > bytes.size()) {
        return 0;
    }
    std::uint32_t code = length == 1 ? first : first & (0x7FU >> length);
    for (std::size_t index = 1; index < length; ++index) {
        const unsigned next = byte_at(bytes, index);
        if (!is_continuation(next)) {
            return 0;
        }
        code = (code << 6U) | (next & 0x3FU);
    }
    const bool is_surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < smallest[length] || is_surrogate || code > 0x10FFFF ? 0 : length;
}

void append_escaped(std::string& text, unsigned byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += "\\x";
    text += digits[byte >> 4U];
    text += digits[byte & 0xFU];
}

}  // namespace

std::string printable(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    while (!bytes.empty()) {
        const std::size_t length = character_length(bytes);
        const unsigned first = byte_at(bytes, 0);
        if (length == 0) {
            text += replacement;
        } else if (first == '\t') {
            text += ' ';
        } else if (first < 0x20 || first == 0x7F) {
            append_escaped(text, first);
        } else if (length == 2 && first == 0xC2 && byte_at(bytes, 1) < 0xA0) {
            // Control characters of eight bits: terminals obey.
            append_escaped(text, byte_at(bytes, 1));
        } else {
            text += bytes.substr(0, length);
        }
        bytes.remove_prefix(length == 0 ? 1 : length);
    }
    return text;
}

std::string_view whole_characters(std::string_view bytes, std::size_t limit) {
    if (bytes.size() <= limit) {
        return bytes;
    }
    std::size_t end = limit;
    // No character has more than three continuation bytes; more of them are not text anyway.
    while (end > 0 && limit - end < 4 && is_continuation(byte_at(bytes, end))) {
        --end;
    }
    return bytes.substr(0, limit - end < 4 ? end : limit);
}

}  // namespace tcplock::io
