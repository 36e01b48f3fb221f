// Rows and columns for a terminal: each column as wide as it needs to be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tcplock::admin {

class Table {
public:
    explicit Table(std::vector<std::string> heads) { add(std::move(heads)); }

    void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    bool is_empty() const { return rows_.size() <= 1; }

    // Two blanks between columns, none at the end of a line.
    std::vector<std::string> lines() const;

private:
    std::vector<std::vector<std::string>> rows_;
};

// What a terminal would obey becomes a question mark: who answers at a socket in the file system
// may be somebody else, who put it there. Line ends are kept only where there may be several lines.
enum class LineEnds { replaced, kept };
std::string harmless(std::string_view text, LineEnds line_ends);

// "250 ms", "12.3 s", "4 min 5 s", "3 h 12 min", "2 d 7 h".
std::string span_in_words(std::int64_t milliseconds);

// "512 KiB", "54 MiB", "1.2 GiB".
std::string size_in_words(std::uint64_t bytes);

}  // namespace tcplock::admin
