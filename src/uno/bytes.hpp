// Bytes as they travel, and as they read in a sentence.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tcplock::uno {

using Bytes = std::span<const std::uint8_t>;
using Buffer = std::vector<std::uint8_t>;

// The first few: "48 54 54 50 2f 31 2e 31 …".
std::string in_hex(Bytes bytes);

}  // namespace tcplock::uno
