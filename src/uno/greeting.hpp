// The first bytes of UNO's remote protocol (URP), as pure functions: what an office says when
// somebody connects, and the one exchange that shows it reads and answers.
//
// Nothing here knows sockets. LibreOffice sends its greeting at once, without waiting for ours, and
// all but its last four bytes are constant: reading it is a probe that needs no writing.
// Sources in LibreOffice: binaryurp/source/{bridge,writer,marshal,reader}.cxx.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tcplock::uno {

using Bytes = std::span<const std::uint8_t>;

// The office's request to change the protocol: 105 constant bytes and a random 32-bit number.
inline constexpr std::size_t greeting_size = 109;
inline constexpr std::size_t greeting_constant_size = 105;
inline constexpr std::size_t reply_size = 41;
inline constexpr std::size_t commit_change_size = 26;

// The 105 bytes every greeting begins with.
Bytes greeting_constant();

// Whether this may be the beginning of a greeting; true of nothing at all.
bool begins_greeting(Bytes bytes);

// Whether this is one whole greeting and nothing else.
bool is_greeting(Bytes bytes);

// What a client that made no request of its own replies: "1", go ahead and change.
Bytes reply_go_ahead();

// Whether this is what the office sends after that reply: the change is made.
bool is_commit_change(Bytes bytes);

}  // namespace tcplock::uno
