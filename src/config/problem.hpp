// What is wrong with a configuration, and where.
//
// A problem is one line for the reader: `file:line: key: what is wrong, expected …`. It is text
// made last; nobody decides by it.
#pragma once

#include <string>
#include <string_view>
#include <variant>

namespace tcplock::config {

struct Problem {
    std::string file;
    int line = 0;     // from 1; 0: the whole file
    std::string key;  // "gate.queue_limit"; empty: the whole file
    std::string message;

    bool operator==(const Problem&) const = default;
};

std::string to_text(const Problem& problem);

// Why one value could not be read: a whole message, without file, line and key.
struct Wrong {
    std::string message;
};

template <class T>
using Parsed = std::variant<T, Wrong>;

// A value as it was found, in double quotes: control characters escaped, a long one shortened.
std::string cited(std::string_view text);

// `"value" why, expected expected`.
Wrong wrong(std::string_view value, std::string_view why, std::string_view expected);

}  // namespace tcplock::config
