#include "uno/bytes.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>

namespace tcplock::uno {

std::string in_hex(Bytes bytes) {
    constexpr std::size_t shown_max = 8;
    std::string text;
    for (const std::uint8_t byte : bytes.first(std::min(bytes.size(), shown_max))) {
        std::array<char, 4> digits{};
        std::snprintf(digits.data(), digits.size(), "%02x ", static_cast<unsigned>(byte));
        text += digits.data();
    }
    if (bytes.size() > shown_max) {
        return text + "…";
    }
    return text.substr(0, text.empty() ? 0 : text.size() - 1);
}

}  // namespace tcplock::uno
