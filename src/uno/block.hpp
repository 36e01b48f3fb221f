// The framing: everything travels in blocks, each a head of eight bytes (how many bytes the body
// has, and how many messages), then the body.
//
// Puts blocks together from whatever pieces they arrive in, and never takes a byte beyond the block
// it is at. A body that is too long is told by its head, before room is made for it.
// Source: binaryurp/source/reader.cxx (Reader::execute), writer.cxx (Writer::sendMessage).
#pragma once

#include "uno/bytes.hpp"

#include <cstddef>

namespace tcplock::uno {

inline constexpr std::size_t block_head_size = 8;

class BlockReader {
public:
    enum class State {
        incomplete,
        whole,
        impossible,  // no messages in it, or more bytes than may be; nothing more is taken
    };

    explicit BlockReader(std::size_t body_max) : body_max_(body_max) {}

    // How many bytes are missing to the end of the head, or of the body; 0 unless incomplete.
    std::size_t missing() const;
    // At most missing() bytes.
    State add(Bytes bytes);
    State state() const { return state_; }

    // Of a whole block. It stays until next().
    Bytes body() const;
    void next();

    // What has come of the block so far, its head included.
    Bytes received() const { return bytes_; }

private:
    void judge();

    std::size_t body_max_;
    std::size_t body_size_ = 0;  // known once the head is there
    Buffer bytes_;
    State state_ = State::incomplete;
};

}  // namespace tcplock::uno
