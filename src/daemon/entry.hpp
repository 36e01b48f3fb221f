// What one line of the log says, and how that is written: as text, or as a JSON object.
//
// Both have the same fields in the same order, and hold whatever bytes a stranger has sent without
// being broken by them: no line end inside, and valid UTF-8. The time is not part of it: that is
// put before it where the line is written.
#pragma once

#include "config/config.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tcplock::daemon {

// A size in memory.
struct Bytes {
    std::uint64_t count = 0;
};

using Value = std::variant<std::string, std::uint64_t, std::chrono::nanoseconds, Bytes, bool>;

struct Entry {
    config::LogLevel level;
    std::string message;
    // In their order, each key once; a key is a literal.
    std::vector<std::pair<std::string_view, Value>> fields;
};

// info backend ready instance=0 after=2.136s
std::string as_text(const Entry& entry);

// {"level":"info","message":"backend ready","instance":"0","after_ms":2136}
// What has a unit in the text has it in its key, as in what operators are answered.
std::string as_json(const Entry& entry);

}  // namespace tcplock::daemon
