#include "uno/refusal.hpp"

#include "uno/protocol.hpp"

#include <variant>

namespace tcplock::uno {

Buffer Refusal::receive(Bytes bytes) {
    if (state_ != State::listening) {
        return {};
    }
    switch (blocks_.add(bytes)) {
        case BlockReader::State::incomplete:
            return {};
        case BlockReader::State::impossible:
            state_ = State::failed;
            return {};
        case BlockReader::State::whole:
            break;
    }
    Buffer reply = take_block();
    if (reply.empty()) {
        state_ = State::failed;
    }
    blocks_.next();
    return reply;
}

// Of a block with several messages only the first is read: it is answered, and that is the end.
Buffer Refusal::take_block() {
    incoming_.open(blocks_.body());
    const auto message = incoming_.message();
    const auto* const request = message ? std::get_if<Request>(&*message) : nullptr;
    if (request == nullptr) {
        return {};
    }
    if (Negotiation::concerns(*request)) {
        return negotiation_.answer(*request, incoming_);
    }
    state_ = State::said;
    return begin_exception(request->thread)
        .type(type_class::exception, name::runtime_exception)
        .text(why_)
        .no_object()
        .in_block();
}

}  // namespace tcplock::uno
