// A refusal of something that may be a client of UNO's, or anything else.
#include "conversation.hpp"
#include "recorded.hpp"
#include "target.hpp"
#include "uno/message.hpp"
#include "uno/protocol.hpp"
#include "uno/refusal.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace tcplock::fuzz {
namespace {

using uno::Refusal;
using State = Refusal::State;

constexpr std::string_view why = "the line is full";

struct Outcome {
    State state;
    Buffer said;

    bool operator==(const Outcome&) const = default;
};

// It agrees, which has two steps, and if it says why, that comes last.
void check(const Outcome& end) {
    uno::Incoming incoming;
    std::size_t agreed = 0;
    std::size_t refused = 0;
    for (const Buffer& body : bodies_of(end.said)) {
        require(refused == 0, "nothing follows the reason");
        incoming.open(body);
        const auto message = incoming.message();
        const auto* const reply = message ? std::get_if<uno::Reply>(&*message) : nullptr;
        require(reply != nullptr, "it replies");
        if (!reply->is_exception) {
            ++agreed;
            continue;
        }
        ++refused;
        require(incoming.exception_in_any() ==
                    std::string{uno::name::runtime_exception} + ": " + std::string{why},
                "it says why");
        require(incoming.object().empty() && incoming.is_at_end(), "it says no more");
    }
    require(agreed <= 2, "it agrees once");
    require((refused == 1) == (end.state == State::said), "it knows that it has said it");
}

Outcome refuse(Bytes stream, Pieces pieces) {
    Refusal refusal{std::string{why}};
    Buffer said = converse(refusal, stream, pieces);
    return {refusal.state(), std::move(said)};
}

Outcome refuse_beyond_wanted(Bytes stream) {
    Refusal refusal{std::string{why}};
    Buffer said = converse_beyond_wanted(refusal, stream);
    return {refusal.state(), std::move(said)};
}

template <class Turns>
void add_seeds(std::vector<Buffer>& seeds, const Turns& turns) {
    Buffer raw{2};
    Buffer framed{9};
    for (const uno::recorded::Exchange& turn : turns) {
        append(raw, uno::recorded::bytes_of(turn.client));
        append(framed, frames_of(uno::recorded::bytes_of(turn.client)));
    }
    // Once more what it began with.
    Buffer repeated{9};
    append(repeated, frames_of(uno::recorded::bytes_of(turns.front().client)));
    append(repeated, Bytes(framed).subspan(1));
    seeds.insert(seeds.end(), {raw, framed, repeated});
}

}  // namespace

// The form of what follows and how it is cut, then what the client says.
void try_input(Bytes bytes) {
    Input input(bytes);
    const std::uint8_t first = input.byte();
    const Buffer stream = stream_of(input.rest(), static_cast<Form>(first % 2));
    const Outcome at_once = refuse(stream, Pieces(0));
    check(at_once);
    require(refuse(stream, Pieces(first / 2)) == at_once,
            "it does not matter in which pieces bytes come");
    require(refuse_beyond_wanted(stream) == at_once, "no more is taken than was wanted");
}

std::vector<Buffer> seeds() {
    std::vector<Buffer> seeds;
    add_seeds(seeds, uno::recorded::refused_python_client);
    add_seeds(seeds, uno::recorded::refused_java_client);
    return seeds;
}

}  // namespace tcplock::fuzz
