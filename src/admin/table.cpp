#include "admin/table.hpp"

#include <algorithm>
#include <cstdint>

namespace tcplock::admin {
namespace {

std::string two_units(std::int64_t larger, const char* name, std::int64_t smaller,
                      const char* smaller_name) {
    return std::to_string(larger) + " " + name + " " + std::to_string(smaller) + " " + smaller_name;
}

}  // namespace

std::vector<std::string> Table::lines() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) {
            widths[i] = std::max(widths[i], row[i].size());
        }
    }
    std::vector<std::string> lines;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        lines.push_back(std::move(line));
    }
    return lines;
}

std::string harmless(std::string_view text, LineEnds line_ends) {
    std::string shown(text);
    unsigned char before = 0;
    for (char& letter : shown) {
        const auto byte = static_cast<unsigned char>(letter);
        const bool is_line_end = byte == '\n' && line_ends == LineEnds::kept;
        const bool is_control = (byte < 0x20 && !is_line_end) || byte == 0x7f;
        // U+0080 to U+009F, in UTF-8 or by itself, and not as the end of another character.
        const bool is_upper_control =
            byte >= 0x80 && byte < 0xa0 && (before < 0x80 || before == 0xc2);
        if (is_control || is_upper_control) {
            letter = '?';
        }
        before = byte;
    }
    return shown;
}

std::string span_in_words(std::int64_t milliseconds) {
    constexpr std::int64_t second = 1000;
    constexpr std::int64_t minute = 60;
    constexpr std::int64_t hour = 60 * minute;
    constexpr std::int64_t day = 24 * hour;
    if (milliseconds < second) {
        return std::to_string(milliseconds) + " ms";
    }
    const std::int64_t whole = milliseconds / second;
    if (whole < minute) {
        return std::to_string(whole) + "." + std::to_string(milliseconds % second / 100) + " s";
    }
    if (whole < hour) {
        return two_units(whole / minute, "min", whole % minute, "s");
    }
    if (whole < day) {
        return two_units(whole / hour, "h", whole % hour / minute, "min");
    }
    return two_units(whole / day, "d", whole % day / hour, "h");
}

std::string size_in_words(std::uint64_t bytes) {
    constexpr std::uint64_t kibi = 1024;
    constexpr std::uint64_t mebi = kibi * kibi;
    constexpr std::uint64_t gibi = mebi * kibi;
    if (bytes < mebi) {
        return std::to_string(bytes / kibi) + " KiB";
    }
    if (bytes < gibi) {
        return std::to_string(bytes / mebi) + " MiB";
    }
    return std::to_string(bytes / gibi) + "." + std::to_string(bytes % gibi * 10 / gibi) + " GiB";
}

}  // namespace tcplock::admin
