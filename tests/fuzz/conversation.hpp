// Carries bytes to whoever asks for them by wanted() and takes them by receive(), as a socket does,
// in pieces of any size, and checks what holds for all that are made so.
#pragma once

#include "target.hpp"
#include "uno/block.hpp"
#include "uno/wire.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace tcplock::fuzz {

// The sizes of the pieces in which bytes come: a series for each number, from "all that is wanted"
// (0) and "one by one" (1) to series that vary.
class Pieces {
public:
    explicit Pieces(std::uint8_t series) : series_(series), random_(series) {}

    std::size_t next() {
        return series_ == 0 ? std::numeric_limits<std::size_t>::max() : 1 + random_() % series_;
    }

private:
    std::size_t series_;
    std::minstd_rand random_;
};

// How the bytes of an input become those that are received. What changes an input at random rarely
// makes a block whose head is right; frames are given theirs: a byte that says how many follow.
enum class Form : std::uint8_t { raw, frames };

inline Buffer stream_of(Bytes bytes, Form form) {
    if (form == Form::raw) {
        return {bytes.begin(), bytes.end()};
    }
    Buffer stream;
    for (Input frames(bytes); !frames.is_at_end();) {
        const Bytes body = frames.part(frames.byte());
        stream.insert(stream.end(), {0, 0, 0, static_cast<std::uint8_t>(body.size()), 0, 0, 0, 1});
        append(stream, body);
    }
    return stream;
}

// The bodies of whole blocks.
inline std::vector<Buffer> bodies_of(Bytes stream) {
    std::vector<Buffer> bodies;
    uno::BlockReader blocks(std::numeric_limits<std::uint32_t>::max());
    while (!stream.empty()) {
        const Bytes piece = stream.first(std::min(blocks.missing(), stream.size()));
        stream = stream.subspan(piece.size());
        require(blocks.add(piece) != uno::BlockReader::State::impossible,
                "every block is possible");
        if (blocks.state() == uno::BlockReader::State::whole) {
            bodies.emplace_back(blocks.body().begin(), blocks.body().end());
            blocks.next();
        }
    }
    require(blocks.received().empty(), "every block is whole");
    return bodies;
}

inline Buffer frames_of(Bytes stream) {
    Buffer frames;
    for (const Buffer& body : bodies_of(stream)) {
        require(body.size() <= std::numeric_limits<std::uint8_t>::max(), "a body fits in a frame");
        frames.push_back(static_cast<std::uint8_t>(body.size()));
        append(frames, body);
    }
    return frames;
}

// None of ours takes a longer block, nor says more at once.
inline constexpr std::size_t wanted_max = 65536;
inline constexpr std::size_t reply_max = 4 * uno::text_max;

// Gives a party the stream until it is over (its state is no longer its first) or there is no more.
// All that it said.
template <class Party>
Buffer converse(Party& party, Bytes stream, Pieces pieces) {
    const auto first_state = party.state();
    Buffer said;
    while (party.wanted() > 0 && !stream.empty()) {
        const std::size_t wanted = party.wanted();
        require(wanted <= wanted_max, "it wants no more than its longest block");
        const Bytes next = stream.first(std::min({pieces.next(), wanted, stream.size()}));
        stream = stream.subspan(next.size());
        // With nothing behind it, so that a read beyond it is seen.
        const Buffer reply = party.receive(Buffer(next.begin(), next.end()));
        if (next.size() < wanted) {
            require(reply.empty(), "it says nothing before all that it wanted is there");
            require(party.wanted() == wanted - next.size(), "it wants what is missing");
        }
        require((party.wanted() == 0) == (party.state() != first_state),
                "it wants something exactly until it is over");
        require(reply.size() <= reply_max, "it says no more at once than its longest sentence");
        append(said, reply);
    }
    const auto last_state = party.state();
    if (last_state != first_state) {
        require(party.receive(stream).empty() && party.receive(said).empty(),
                "it says nothing after the end");
        require(party.state() == last_state && party.wanted() == 0, "the end is the end");
    }
    return said;
}

// The same, but shows it all that is left each time. It takes of that what it wanted.
template <class Party>
Buffer converse_beyond_wanted(Party& party, Bytes stream) {
    Buffer said;
    while (party.wanted() > 0 && !stream.empty()) {
        const std::size_t taken = std::min(party.wanted(), stream.size());
        append(said, party.receive(stream));
        stream = stream.subspan(taken);
    }
    return said;
}

}  // namespace tcplock::fuzz
