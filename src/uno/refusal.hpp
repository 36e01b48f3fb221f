// Turns a client away in its own language: its first call ends in a RuntimeException that says why.
//
// Takes the bytes a client sends, gives the bytes to send; no socket, no clock. It plays an office
// as far as to the agreement with which a connection begins, and not a step further: whatever is
// called then, the answer is the exception. A client that only sees its connection closed takes it
// for a crashed office.
#pragma once

#include "uno/block.hpp"
#include "uno/bytes.hpp"
#include "uno/message.hpp"
#include "uno/negotiation.hpp"

#include <cstddef>
#include <string>

namespace tcplock::uno {

class Refusal {
public:
    enum class State {
        listening,
        said,    // the client has been told
        failed,  // it does not speak UNO
    };

    explicit Refusal(std::string why) : why_(std::move(why)) {}

    // How many bytes to receive next, at most; 0 when it is over.
    std::size_t wanted() const { return state_ == State::listening ? blocks_.missing() : 0; }
    // Takes them, and gives what to send, which may be nothing.
    Buffer receive(Bytes bytes);
    State state() const { return state_; }

private:
    Buffer take_block();

    const std::string why_;
    State state_ = State::listening;
    BlockReader blocks_{block_max};
    Incoming incoming_;
    Negotiation negotiation_;

    // A first call names an object and little more.
    static constexpr std::size_t block_max = 65536;
};

}  // namespace tcplock::uno
