// A YAML text as a tree of texts, lists and mappings that know their lines.
//
// Made from the parser's events and not from its own nodes, so that duplicate keys are seen, depth
// is bounded and an alias never runs in a circle. Says nothing about what the keys mean; every
// scalar is text here, also `off` and `5`.
#pragma once

#include "config/problem.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tcplock::config {

inline constexpr std::size_t document_bytes_max = std::size_t{256} << 10;
inline constexpr int document_depth_max = 32;

struct Value;
using ValuePtr = std::shared_ptr<const Value>;

struct Entry {
    std::string key;
    int line = 0;
    ValuePtr value;
};

struct Value {
    enum class Kind { nothing, text, list, map };
    enum class Encoding { text, base64 };

    Kind kind = Kind::nothing;
    int line = 0;
    int height = 1;  // of the tree below, itself included
    std::string text;
    Encoding encoding = Encoding::text;  // base64: tagged `!!binary`
    std::vector<ValuePtr> items;
    std::vector<Entry> entries;  // in the order written, no key twice
};

// "a list", "a mapping", …
std::string_view describe(Value::Kind kind);

struct Document {
    ValuePtr root;                  // none if the text is not YAML
    std::vector<Problem> problems;  // the one reason why not, or what could be read around
};

// Never throws for anything a text can hold.
Document parse_document(std::string_view text, const std::string& file);

}  // namespace tcplock::config
