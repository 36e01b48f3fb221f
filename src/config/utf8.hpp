// UTF-8, one code point at a time.
//
// The parser below us silently replaces what is not UTF-8; we want it named instead. Overlong
// forms, surrogates and anything above U+10FFFF are not UTF-8.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace tcplock::config {

struct CodePoint {
    char32_t value;
    std::size_t length;  // in bytes, from 1 to 4
};

// The first code point of a text; none if the text is empty or does not begin with one.
std::optional<CodePoint> first_code_point(std::string_view text);

// The offset of the first byte that is not UTF-8.
std::optional<std::size_t> first_not_utf8(std::string_view text);

}  // namespace tcplock::config
