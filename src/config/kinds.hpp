// What single values may be: numbers, durations, words, texts, each with the words a problem uses.
//
// Only the form of one value is checked here; what must agree with another key is checked where
// both are known.
#pragma once

#include "config/keys.hpp"
#include "config/section.hpp"
#include "core/types.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tcplock::config {

Kind<core::Duration> duration();          // longer than nothing
Kind<core::Duration> duration_or_zero();  // 0s: at once
Kind<std::uint64_t> size();
Kind<std::uint64_t> size_above_zero();
Kind<std::string> plain_text();     // without NUL, may be empty
Kind<std::string> template_text();  // with placeholders
Kind<std::string> absolute_path();
Kind<std::string> socket_path();  // absolute, and no longer than the kernel takes
Kind<unsigned> file_mode();       // as chmod(1) has it, in octal
Kind<std::string> user_name();    // may be empty
Kind<std::string> group_name();   // may be empty
Kind<std::string> cron_line();
Kind<int> signal_number();

Parsed<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max);

template <class T>
Kind<T> integer(std::int64_t min, std::int64_t max) {
    return {"a number from " + std::to_string(min) + " to " + std::to_string(max),
            [min, max](const std::string& text) -> Parsed<T> {
                auto value = parse_integer(text, min, max);
                if (auto* wrong = std::get_if<Wrong>(&value)) {
                    return std::move(*wrong);
                }
                return static_cast<T>(std::get<std::int64_t>(value));
            }};
}

// Some other kind, or `off`.
template <class T>
Kind<std::optional<T>> or_off(Kind<T> kind) {
    const std::string expected = kind.expected + ", or off";
    return {expected,
            [kind = std::move(kind)](const std::string& text) -> Parsed<std::optional<T>> {
                if (text == "off") {
                    return std::optional<T>{};
                }
                auto value = kind.parse(text);
                if (auto* wrong = std::get_if<Wrong>(&value)) {
                    return Wrong{wrong->message + ", or off"};
                }
                return std::optional<T>{std::get<T>(std::move(value))};
            }};
}

// One of some words.
template <class T>
Kind<T> choice(std::vector<std::pair<std::string_view, T>> choices,
               std::string why = "is not possible") {
    std::string expected;
    std::vector<std::string_view> words;
    for (const auto& [word, value] : choices) {
        expected += words.empty() ? "" : words.size() + 1 == choices.size() ? " or " : ", ";
        expected += word;
        words.push_back(word);
    }
    return {expected, [=](const std::string& text) -> Parsed<T> {
                for (const auto& [word, value] : choices) {
                    if (word == text) {
                        return value;
                    }
                }
                const std::string_view meant = nearest(text, words);
                return wrong(text, why, meant.empty() ? std::string_view{expected} : meant);
            }};
}

}  // namespace tcplock::config
