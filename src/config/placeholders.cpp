#include "config/placeholders.hpp"

#include "config/problem.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

namespace tcplock::config {
namespace {

struct Field {
    std::string_view name;
    std::string Placeholders::*value;
};

constexpr std::array<Field, 7> fields{{{"port", &Placeholders::port},
                                       {"name", &Placeholders::name},
                                       {"instance", &Placeholders::instance},
                                       {"generation", &Placeholders::generation},
                                       {"uid", &Placeholders::uid},
                                       {"directory", &Placeholders::directory},
                                       {"profile", &Placeholders::profile}}};

constexpr std::string_view known =
    "{port}, {name}, {instance}, {generation}, {uid}, {directory} or {profile}";

struct Piece {
    enum class Kind { text, placeholder, stray };
    Kind kind;
    std::string_view text;  // of a placeholder: its name
};

// Takes the next piece off a text that is not empty.
Piece take_piece(std::string_view& rest) {
    const std::size_t brace = std::min(rest.find_first_of("{}"), rest.size());
    if (brace > 0) {
        const std::string_view text = rest.substr(0, brace);
        rest.remove_prefix(brace);
        return {Piece::Kind::text, text};
    }
    if (rest.starts_with("{{") || rest.starts_with("}}")) {
        const std::string_view text = rest.substr(0, 1);
        rest.remove_prefix(2);
        return {Piece::Kind::text, text};
    }
    const std::size_t end = rest.find_first_of("{}", 1);
    if (rest.front() == '}' || end == std::string_view::npos || rest[end] == '{') {
        const std::string_view text = rest.substr(0, 1);
        rest.remove_prefix(1);
        return {Piece::Kind::stray, text};
    }
    const std::string_view name = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    return {Piece::Kind::placeholder, name};
}

}  // namespace

std::vector<std::string_view> placeholder_names() {
    std::vector<std::string_view> names;
    std::ranges::transform(fields, std::back_inserter(names), &Field::name);
    return names;
}

std::optional<std::string> wrong_placeholder(std::string_view text) {
    std::string_view rest = text;
    while (!rest.empty()) {
        const Piece piece = take_piece(rest);
        const std::string found{piece.text};
        switch (piece.kind) {
            case Piece::Kind::text:
                break;
            case Piece::Kind::stray:
                return wrong(text, "has a stray " + found,
                             found + found + " for the character itself")
                    .message;
            case Piece::Kind::placeholder:
                if (std::ranges::find(fields, piece.text, &Field::name) == fields.end()) {
                    return wrong(text, "has the unknown placeholder {" + found + "}",
                                 std::string{known} + ", or doubled braces for plain ones")
                        .message;
                }
                break;
        }
    }
    return std::nullopt;
}

bool has_placeholder(std::string_view text, std::string_view name) {
    while (!text.empty()) {
        const Piece piece = take_piece(text);
        if (piece.kind == Piece::Kind::placeholder && piece.text == name) {
            return true;
        }
    }
    return false;
}

std::string fill(std::string_view text, const Placeholders& values) {
    std::string out;
    while (!text.empty()) {
        const Piece piece = take_piece(text);
        const auto field = std::ranges::find(fields, piece.text, &Field::name);
        if (piece.kind == Piece::Kind::placeholder && field != fields.end()) {
            out += values.*(field->value);
        } else {
            out += piece.text;
        }
    }
    return out;
}

}  // namespace tcplock::config
