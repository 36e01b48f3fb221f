#include "uno/negotiation.hpp"

#include "uno/protocol.hpp"

#include <utility>

namespace tcplock::uno {
namespace {

constexpr std::uint32_t go_ahead = 1;

// A sequence of one property, which has no value.
bool asks_for_current_context(Incoming& arguments) {
    const bool is_one = arguments.size() == 1;
    const bool is_it = arguments.text() == name::current_context;
    const bool is_void = arguments.type().type_class == type_class::void_type;
    return is_one && is_it && is_void && arguments.is_at_end();
}

}  // namespace

bool Negotiation::concerns(const Request& request) {
    return request.object == name::properties_object && request.type == name::properties_type;
}

Buffer Negotiation::answer(const Request& request, Incoming& arguments) {
    if (request.function == function::request_change && stage_ == Stage::silence) {
        number_ = arguments.number();  // When both ask, the greater wins; we do not ask.
        if (!arguments.is_at_end()) {
            return {};
        }
        stage_ = Stage::greeted;
        return begin_reply(request.thread).number(go_ahead).in_block();
    }
    if (request.function == function::commit_change && stage_ == Stage::greeted &&
        asks_for_current_context(arguments)) {
        stage_ = Stage::agreed;
        return begin_reply(request.thread).in_block();
    }
    return {};
}

}  // namespace tcplock::uno
