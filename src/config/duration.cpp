#include "config/duration.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>

namespace tcplock::config {
namespace {

using std::chrono::milliseconds;

struct Unit {
    std::string_view name;
    milliseconds length;
};

constexpr std::array<Unit, 5> units{{{"d", std::chrono::days{1}},
                                     {"h", std::chrono::hours{1}},
                                     {"min", std::chrono::minutes{1}},
                                     {"s", std::chrono::seconds{1}},
                                     {"ms", milliseconds{1}}}};

struct Misspelling {
    std::string_view found;
    std::string_view meant;
};

constexpr std::array<Misspelling, 13> misspellings{{{"m", "min"},
                                                    {"mins", "min"},
                                                    {"minute", "min"},
                                                    {"minutes", "min"},
                                                    {"sec", "s"},
                                                    {"secs", "s"},
                                                    {"second", "s"},
                                                    {"seconds", "s"},
                                                    {"hour", "h"},
                                                    {"hours", "h"},
                                                    {"day", "d"},
                                                    {"days", "d"},
                                                    {"msec", "ms"}}};

constexpr milliseconds longest = std::chrono::days{365};

Wrong unknown_unit(std::string_view text, std::string_view digits, std::string_view unit) {
    const auto known = std::ranges::find(misspellings, unit, &Misspelling::found);
    if (known != misspellings.end()) {
        return wrong(text, "has an unknown unit", std::string{digits}.append(known->meant));
    }
    return wrong(text, "has an unknown unit", "ms, s, min, h or d after the number");
}

}  // namespace

Parsed<core::Duration> parse_duration(std::string_view text) {
    const std::size_t end_of_digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string_view digits = text.substr(0, end_of_digits);
    const std::string_view unit_name = text.substr(end_of_digits);
    if (digits.empty()) {
        return wrong(text, "is not a duration", expected_duration);
    }
    if (unit_name.empty()) {
        return wrong(text, "has no unit",
                     std::string{digits} + "s or " + std::string{digits} + "ms");
    }
    if (unit_name.front() == '.' || unit_name.front() == ',') {
        return wrong(text, "has decimals", "a whole number of a smaller unit, like 1500ms");
    }
    const auto unit = std::ranges::find(units, unit_name, &Unit::name);
    if (unit == units.end()) {
        return unknown_unit(text, digits, unit_name);
    }
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
    if (error != std::errc{} || count > longest / unit->length) {
        return wrong(text, "is too long", "at most 365d");
    }
    return core::Duration{unit->length * count};
}

std::string to_text(core::Duration duration) {
    const auto length = std::chrono::floor<milliseconds>(duration);
    if (length == milliseconds::zero()) {
        return "0s";
    }
    for (const Unit& unit : units) {
        const bool divides = length % unit.length == milliseconds::zero();
        if (divides && (length / unit.length >= 2 || unit.name == "s" || unit.name == "ms")) {
            return std::to_string(length / unit.length).append(unit.name);
        }
    }
    return std::to_string(length.count()) + "ms";
}

}  // namespace tcplock::config
