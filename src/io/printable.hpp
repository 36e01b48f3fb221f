// Text of unknown origin, made fit for one line of a log: no control bytes, no invalid UTF-8, no
// line ends. It does not quote: where the text ends in the line is the log's affair.
#pragma once

#include <string>
#include <string_view>

namespace tcplock::io {

// Control characters become \x1b and the like, a tab a blank, and what is not UTF-8 the replacement
// character. Everything else stays.
std::string printable(std::string_view bytes);

// The longest beginning of at most `limit` bytes that does not end inside a character.
std::string_view whole_characters(std::string_view bytes, std::size_t limit);

}  // namespace tcplock::io
