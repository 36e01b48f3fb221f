// One mapping of the configuration while it is read: hands out its values, notes every problem.
//
// A value that is missing or wrong leaves its target as it was, so that reading always goes on and
// all problems are found at once. Who reads names the keys; keys nobody may write are noted when a
// section is made.
#pragma once

#include "config/config.hpp"
#include "config/document.hpp"
#include "config/problem.hpp"
#include "config/substitution.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tcplock::config {

// An address where we are going to listen, and where that was said: "in line 3", "by default".
struct Listening {
    std::string address;
    std::string where;
};

// What all sections of one reading share.
struct Reading {
    Environment environment;
    Positions positions;
    std::vector<Problem> problems;
    std::vector<Listening> listening = {};  // so far
    // If not, what only one protocol demands or forbids is not said.
    bool is_protocol_known = true;

    bool is_written(std::string_view key) const { return positions.lines.contains(key); }
    void note(int line, std::string_view key, std::string_view message);
    // At the line of a key, or of the nearest section around it that was written.
    void note(std::string_view key, std::string_view message);
};

// What one value may be.
template <class T>
struct Kind {
    std::string expected;
    std::function<Parsed<T>(const std::string& text)> parse;
};

// A single value, with variables put in.
std::variant<std::string, Wrong> read_text(const Reading& reading, const Value& node,
                                           std::string_view expected);

class Section {
public:
    Section(Reading& reading, std::string path, ValuePtr node);

    Section section(std::string_view name) const;
    // The mappings of a list; one that is not a mapping is a problem and is left out.
    std::vector<Section> sections(std::string_view name) const;

    bool has(std::string_view name) const;
    ValuePtr value(std::string_view name) const;  // none if it was not written
    std::string path_of(std::string_view name) const;

    template <class T>
    void read(std::string_view name, T& target, const Kind<std::type_identity_t<T>>& kind) const;

    // A list of single values.
    template <class T>
    void read_list(std::string_view name, std::vector<T>& target, const Kind<T>& kind) const;

    // A list, if that is what was written; anything else is a problem.
    const std::vector<ValuePtr>* list(std::string_view name, std::string_view expected) const;

    void note(std::string_view name, std::string_view message) const;
    // Where no section around it was written either, at the protocol that demands the key.
    void note_missing(std::string_view name, std::string_view message) const;
    Reading& reading() const { return *reading_; }

private:
    Reading* reading_;
    std::string path_;
    ValuePtr node_;
};

template <class T>
Parsed<T> read_value(const Reading& reading, const Value& node, const Kind<T>& kind) {
    auto text = read_text(reading, node, kind.expected);
    if (auto* wrong = std::get_if<Wrong>(&text)) {
        return std::move(*wrong);
    }
    return kind.parse(std::get<std::string>(text));
}

template <class T>
void Section::read(std::string_view name, T& target,
                   const Kind<std::type_identity_t<T>>& kind) const {
    const ValuePtr node = value(name);
    if (!node) {
        return;
    }
    auto parsed = read_value<T>(*reading_, *node, kind);
    if (auto* wrong = std::get_if<Wrong>(&parsed)) {
        note(name, wrong->message);
        return;
    }
    target = std::get<T>(std::move(parsed));
}

template <class T>
void Section::read_list(std::string_view name, std::vector<T>& target, const Kind<T>& kind) const {
    const auto* const items = list(name, "a list, each item " + kind.expected);
    if (items == nullptr) {
        return;
    }
    target.clear();
    for (std::size_t i = 0; i < items->size(); ++i) {
        const Value& item = *(*items)[i];
        auto parsed = read_value<T>(*reading_, item, kind);
        if (auto* wrong = std::get_if<Wrong>(&parsed)) {
            reading_->note(item.line, path_of(name) + "[" + std::to_string(i) + "]",
                           wrong->message);
            continue;
        }
        target.push_back(std::get<T>(std::move(parsed)));
    }
}

}  // namespace tcplock::config
