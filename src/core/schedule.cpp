#include "core/schedule.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <span>
#include <vector>

namespace tcplock::core {
namespace {

using Sentence = std::string;

struct Field {
    std::string_view name;
    std::size_t min;
    std::size_t max;
    std::span<const std::string_view> names;  // of the values from min on
};

constexpr std::array<std::string_view, 12> month_names{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> day_names{"sun", "mon", "tue", "wed",
                                                    "thu", "fri", "sat"};

constexpr std::size_t saturday = 6;
constexpr std::size_t sunday_at_the_end = 7;

const std::array<Field, 5> fields{{{"minute", 0, 59, {}},
                                   {"hour", 0, 23, {}},
                                   {"day of month", 1, 31, {}},
                                   {"month", 1, 12, month_names},
                                   {"day of week", 0, 7, day_names}}};

struct Range {
    std::size_t first;
    std::size_t last;
    std::size_t step;
};

Sentence wrong(const Field& field, std::string_view found, std::string_view why) {
    std::string text{field.name};
    text += ": \"";
    text += found;
    text += "\" ";
    return text += why;
}

std::string allowed(const Field& field) {
    std::string text =
        "a number from " + std::to_string(field.min) + " to " + std::to_string(field.max);
    if (!field.names.empty()) {
        text += " or a name from ";
        text += field.names.front();
        text += " to ";
        text += field.names.back();
    }
    return text;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    std::size_t begin = 0;
    while (true) {
        const std::size_t end = text.find_first_of(separators, begin);
        parts.push_back(text.substr(begin, end - begin));
        if (end == std::string_view::npos) {
            return parts;
        }
        begin = end + 1;
    }
}

std::optional<std::size_t> number_in(std::string_view text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

bool is_same_word(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](unsigned char a, unsigned char b) {
        return std::tolower(a) == std::tolower(b);
    });
}

std::optional<std::size_t> value_in(const Field& field, std::string_view text) {
    for (std::size_t i = 0; i < field.names.size(); ++i) {
        if (is_same_word(field.names[i], text)) {
            return field.min + i;
        }
    }
    const auto value = number_in(text);
    if (!value || *value < field.min || *value > field.max) {
        return std::nullopt;
    }
    return value;
}

std::variant<Range, Sentence> parse_bounds(const Field& field, std::string_view text) {
    if (text == "*") {
        return Range{field.min, field.max, 1};
    }
    const auto ends = split(text, "-");
    if (ends.size() > 2) {
        return wrong(field, text, "has more than one dash, expected a range like 1-5");
    }
    const auto first = value_in(field, ends.front());
    if (!first) {
        return wrong(field, ends.front(), "is not possible, expected " + allowed(field));
    }
    auto last = value_in(field, ends.back());
    if (!last) {
        return wrong(field, ends.back(), "is not possible, expected " + allowed(field));
    }
    // A week may end on Sunday by name as well as by the number 7.
    if (field.max == sunday_at_the_end && ends.size() == 2 && *first > 0 && *last == 0) {
        last = sunday_at_the_end;
    }
    if (*first > *last) {
        return wrong(field, text, "runs backwards, expected the smaller end first");
    }
    return Range{*first, *last, 1};
}

std::variant<Range, Sentence> parse_range(const Field& field, std::string_view text) {
    if (text.empty()) {
        return Sentence{field.name} + ": an entry is empty, expected " + allowed(field);
    }
    const auto parts = split(text, "/");
    if (parts.size() > 2) {
        return wrong(field, text, "has more than one step, expected one like */5");
    }
    const bool is_range = parts.front() == "*" || parts.front().find('-') != std::string_view::npos;
    if (parts.size() == 2 && !is_range) {
        return wrong(field, text, "steps from a single value, expected * or a range before the /");
    }
    auto bounds = parse_bounds(field, parts.front());
    Range* const range = std::get_if<Range>(&bounds);
    if (range == nullptr || parts.size() == 1) {
        return bounds;
    }
    const auto step = number_in(parts.back());
    const std::size_t longest = field.max - field.min + 1;
    if (!step || *step == 0 || *step > longest) {
        return wrong(field, text,
                     "has an impossible step, expected 1 to " + std::to_string(longest));
    }
    range->step = *step;
    return bounds;
}

std::variant<std::vector<bool>, Sentence> parse_field(const Field& field, std::string_view text) {
    std::vector<bool> values(field.max + 1);
    for (const std::string_view entry : split(text, ",")) {
        const auto parsed = parse_range(field, entry);
        if (const auto* sentence = std::get_if<Sentence>(&parsed)) {
            return *sentence;
        }
        const auto& range = std::get<Range>(parsed);
        for (std::size_t value = range.first; value <= range.last; value += range.step) {
            values[value] = true;
        }
    }
    return values;
}

template <std::size_t size>
std::bitset<size> to_bits(const std::vector<bool>& values) {
    std::bitset<size> bits;
    for (std::size_t value = 0; value < values.size(); ++value) {
        if (values[value]) {
            bits.set(value % size);  // Only Sunday's 7 is ever folded.
        }
    }
    return bits;
}

std::chrono::local_days first_of_next_month(const std::chrono::year_month_day& date) {
    const auto next = date.year() / date.month() + std::chrono::months{1};
    return std::chrono::local_days{next / std::chrono::day{1}};
}

}  // namespace

std::variant<Schedule, std::string> Schedule::parse(std::string_view line) {
    auto words = split(line, " \t");
    std::erase(words, std::string_view{});
    if (words.size() != fields.size()) {
        return "found " + std::to_string(words.size()) +
               (words.size() == 1 ? " field" : " fields") +
               ", expected five: minute, hour, day of month, month, day of week";
    }
    std::array<std::vector<bool>, fields.size()> values;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        auto parsed = parse_field(fields[i], words[i]);
        if (auto* sentence = std::get_if<Sentence>(&parsed)) {
            return std::move(*sentence);
        }
        values[i] = std::get<std::vector<bool>>(std::move(parsed));
    }
    Schedule schedule;
    schedule.minutes_ = to_bits<60>(values[0]);
    schedule.hours_ = to_bits<24>(values[1]);
    schedule.days_of_month_ = to_bits<32>(values[2]);
    schedule.months_ = to_bits<13>(values[3]);
    schedule.days_of_week_ = to_bits<saturday + 1>(values[4]);
    // As in cron: a day field that begins with a star does not count as restricted, even with a
    // step.
    schedule.any_hour_ = words[1].starts_with('*');
    schedule.any_day_of_month_ = words[2].starts_with('*');
    schedule.any_day_of_week_ = words[4].starts_with('*');
    return schedule;
}

bool Schedule::matches_day(std::chrono::local_days day) const {
    const std::chrono::year_month_day date{day};
    const bool by_month = days_of_month_[static_cast<unsigned>(date.day())];
    const bool by_week = days_of_week_[std::chrono::weekday{day}.c_encoding()];
    if (any_day_of_month_ || any_day_of_week_) {
        return by_month && by_week;
    }
    return by_month || by_week;
}

std::optional<CivilTime> Schedule::next(CivilTime now) const {
    // The Gregorian calendar, weekdays included, repeats after exactly 400 years.
    constexpr std::chrono::days calendar_cycle{146097};

    const auto from = std::chrono::floor<std::chrono::minutes>(now) + std::chrono::minutes{1};
    const auto first_day = std::chrono::floor<std::chrono::days>(from);
    auto day = first_day;
    while (day <= first_day + calendar_cycle) {
        const std::chrono::year_month_day date{day};
        if (!months_[static_cast<unsigned>(date.month())]) {
            day = first_of_next_month(date);
            continue;
        }
        if (matches_day(day)) {
            auto minute = std::max<std::chrono::local_time<std::chrono::minutes>>(day, from);
            for (; minute < day + std::chrono::days{1}; minute += std::chrono::minutes{1}) {
                const auto of_day = static_cast<std::size_t>((minute - day).count());
                if (hours_[of_day / 60] && minutes_[of_day % 60]) {
                    return minute;
                }
            }
        }
        day += std::chrono::days{1};
    }
    return std::nullopt;
}

}  // namespace tcplock::core
