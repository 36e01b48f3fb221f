// Sizes in bytes as they are written: a whole number and a binary unit, `512MiB 2GiB`.
//
// Only 0 needs no unit. Decimal units are refused with the binary one named, because half of the
// world means the other thing by MB.
#pragma once

#include "config/problem.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tcplock::config {

inline constexpr std::string_view expected_size = "a size like 512MiB or 2GiB";

Parsed<std::uint64_t> parse_size(std::string_view text);

// In the largest unit that divides it.
std::string size_to_text(std::uint64_t bytes);

}  // namespace tcplock::config
