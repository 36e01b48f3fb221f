#include "config/size.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace tcplock::config {
namespace {

struct Unit {
    std::string_view name;
    std::uint64_t bytes;
};

constexpr std::array<Unit, 5> units{{{"TiB", std::uint64_t{1} << 40},
                                     {"GiB", std::uint64_t{1} << 30},
                                     {"MiB", std::uint64_t{1} << 20},
                                     {"KiB", std::uint64_t{1} << 10},
                                     {"B", 1}}};

// Far below where the kernel's limits mean "infinite".
constexpr std::uint64_t largest = std::uint64_t{1024} << 40;

// The binary unit somebody meant who wrote `MB`, `M`, `Mi`, `mib`; empty if nobody knows.
std::string_view meant_unit(std::string_view found) {
    const auto initial = static_cast<char>(std::toupper(static_cast<unsigned char>(found.front())));
    const std::string_view rest = found.substr(1);
    const bool is_common =
        rest.empty() || rest == "b" || rest == "B" || rest == "i" || rest == "ib" || rest == "iB";
    const auto unit = std::ranges::find_if(
        units, [initial](const Unit& candidate) { return candidate.name.front() == initial; });
    return is_common && unit != units.end() ? unit->name : std::string_view{};
}

Wrong unknown_unit(std::string_view text, std::string_view digits, std::string_view unit) {
    const std::string_view meant = meant_unit(unit);
    if (meant.empty()) {
        return wrong(text, "has an unknown unit", "B, KiB, MiB, GiB or TiB after the number");
    }
    return wrong(text, "has an unknown unit", std::string{digits}.append(meant));
}

}  // namespace

Parsed<std::uint64_t> parse_size(std::string_view text) {
    const std::size_t end_of_digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string_view digits = text.substr(0, end_of_digits);
    const std::string_view unit_name = text.substr(end_of_digits);
    if (digits.empty()) {
        return wrong(text, "is not a size", expected_size);
    }
    if (text == "0") {
        return std::uint64_t{0};
    }
    if (unit_name.empty()) {
        return wrong(text, "has no unit",
                     std::string{digits} + "MiB or " + std::string{digits} + "GiB");
    }
    if (unit_name.front() == '.' || unit_name.front() == ',') {
        return wrong(text, "has decimals", "a whole number of a smaller unit, like 1536MiB");
    }
    const auto unit = std::ranges::find(units, unit_name, &Unit::name);
    if (unit == units.end()) {
        return unknown_unit(text, digits, unit_name);
    }
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (error != std::errc{} || count > largest / unit->bytes) {
        return wrong(text, "is too large", "at most 1024TiB");
    }
    return count * unit->bytes;
}

std::string size_to_text(std::uint64_t bytes) {
    if (bytes == 0) {
        return "0";
    }
    const auto unit = std::ranges::find_if(
        units, [bytes](const Unit& candidate) { return bytes % candidate.bytes == 0; });
    return std::to_string(bytes / unit->bytes).append(unit->name);
}

}  // namespace tcplock::config
