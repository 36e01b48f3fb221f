#include "config/utf8.hpp"

#include <array>

namespace tcplock::config {
namespace {

// The length a lead byte announces, 0 for a byte that cannot lead (Unicode 15, table 3-7).
std::size_t announced_length(unsigned char lead) {
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return 3;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

}  // namespace

std::optional<CodePoint> first_code_point(std::string_view text) {
    // Smaller values have a shorter form, which is the only one allowed.
    constexpr std::array<char32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    constexpr std::array<unsigned, 5> lead_mask{0, 0x7f, 0x1f, 0x0f, 0x07};

    if (text.empty()) {
        return std::nullopt;
    }
    const auto lead = static_cast<unsigned char>(text.front());
    const std::size_t length = announced_length(lead);
    if (length == 0 || length > text.size()) {
        return std::nullopt;
    }
    char32_t value = lead & lead_mask[length];
    for (const char c : text.substr(1, length - 1)) {
        const auto byte = static_cast<unsigned char>(c);
        if ((byte & 0xc0U) != 0x80) {
            return std::nullopt;
        }
        value = (value << 6) | (byte & 0x3fU);
    }
    const bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
    if (value < smallest[length] || value > 0x10ffff || is_surrogate) {
        return std::nullopt;
    }
    return CodePoint{value, length};
}

std::optional<std::size_t> first_not_utf8(std::string_view text) {
    std::size_t offset = 0;
    while (offset < text.size()) {
        const auto code_point = first_code_point(text.substr(offset));
        if (!code_point) {
            return offset;
        }
        offset += code_point->length;
    }
    return std::nullopt;
}

}  // namespace tcplock::config
