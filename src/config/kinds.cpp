#include "config/kinds.hpp"

#include "config/address.hpp"
#include "config/duration.hpp"
#include "config/placeholders.hpp"
#include "config/signals.hpp"
#include "config/size.hpp"
#include "core/schedule.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>

namespace tcplock::config {
namespace {

Parsed<std::string> without_nul(const std::string& text) {
    if (text.find('\0') != std::string::npos) {
        return wrong(text, "holds a NUL character", "text without one");
    }
    return text;
}

Parsed<std::string> parse_template(const std::string& text) {
    if (auto why = wrong_placeholder(text)) {
        return Wrong{std::move(*why)};
    }
    return without_nul(text);
}

Parsed<std::string> parse_absolute_path(const std::string& text) {
    if (!text.starts_with('/')) {
        return wrong(text, "is not an absolute path", "one that begins with /");
    }
    return without_nul(text);
}

Parsed<std::string> parse_socket_path(const std::string& text) {
    if (auto problem = wrong_socket_path(std::string{unix_prefix} + text)) {
        return text.starts_with('/')
                   ? std::move(*problem)
                   : wrong(text, "is not an absolute path", "one that begins with /");
    }
    return text;
}

Parsed<unsigned> parse_file_mode(const std::string& text) {
    constexpr int octal = 8;
    constexpr unsigned most = 0777;
    unsigned mode = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, mode, octal);
    if (error != std::errc{} || end != last || mode > most) {
        return wrong(text, "is no mode of a file", "three octal digits like \"0660\"");
    }
    return mode;
}

bool is_name(const std::string& text) {
    return std::ranges::none_of(
        text, [](unsigned char c) { return c <= 0x20 || c == 0x7f || c == ':' || c == '/'; });
}

Parsed<std::string> parse_user_name(const std::string& text) {
    if (!is_name(text)) {
        return wrong(text, "is not a user's name", "a name as in /etc/passwd");
    }
    return text;
}

Parsed<std::string> parse_group_name(const std::string& text) {
    if (!is_name(text)) {
        return wrong(text, "is not a group's name", "a name as in /etc/group");
    }
    return text;
}

Parsed<std::string> parse_cron_line(const std::string& text) {
    const auto parsed = core::Schedule::parse(text);
    if (const auto* sentence = std::get_if<std::string>(&parsed)) {
        return Wrong{cited(text) + " is not a cron line: " + *sentence};
    }
    if (!std::get<core::Schedule>(parsed).next(core::CivilTime{})) {
        return wrong(text, "never comes", "a day that exists");
    }
    return text;
}

}  // namespace

Kind<core::Duration> duration_or_zero() {
    return {std::string{expected_duration},
            [](const std::string& text) { return parse_duration(text); }};
}

Kind<core::Duration> duration() {
    return {std::string{expected_duration}, [](const std::string& text) {
                auto parsed = parse_duration(text);
                const auto* const value = std::get_if<core::Duration>(&parsed);
                if (value != nullptr && *value == core::Duration::zero()) {
                    parsed = wrong(text, "is no time at all", expected_duration);
                }
                return parsed;
            }};
}

Kind<std::uint64_t> size() {
    return {std::string{expected_size}, [](const std::string& text) { return parse_size(text); }};
}

Kind<std::uint64_t> size_above_zero() {
    return {std::string{expected_size}, [](const std::string& text) -> Parsed<std::uint64_t> {
                auto bytes = parse_size(text);
                if (const auto* const value = std::get_if<std::uint64_t>(&bytes);
                    value && *value == 0) {
                    return wrong(text, "leaves no memory at all", expected_size);
                }
                return bytes;
            }};
}

Kind<std::string> plain_text() {
    return {"text", without_nul};
}

Kind<std::string> template_text() {
    return {"text", parse_template};
}

Kind<std::string> absolute_path() {
    return {"an absolute path", parse_absolute_path};
}

Kind<std::string> socket_path() {
    return {"an absolute path", parse_socket_path};
}

Kind<unsigned> file_mode() {
    return {"three octal digits like \"0660\"", parse_file_mode};
}

Kind<std::string> group_name() {
    return {"a group's name", parse_group_name};
}

Kind<std::string> user_name() {
    return {"a user's name", parse_user_name};
}

Kind<std::string> cron_line() {
    return {"a cron line like \"30 3 * * *\"", parse_cron_line};
}

Kind<int> signal_number() {
    return {std::string{expected_signal},
            [](const std::string& text) { return parse_signal(text); }};
}

Parsed<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max) {
    const std::string expected =
        "a number from " + std::to_string(min) + " to " + std::to_string(max);
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
        return wrong(text, "is not a whole number", expected);
    }
    if (error != std::errc{} || value < min || value > max) {
        return wrong(text, "is out of range", expected);
    }
    return value;
}

}  // namespace tcplock::config
