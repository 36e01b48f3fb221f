// Blocks are put together from any pieces as they are read from the whole.
#include "conversation.hpp"
#include "recorded.hpp"
#include "target.hpp"
#include "uno/block.hpp"

#include <algorithm>

namespace tcplock::fuzz {
namespace {

using uno::block_head_size;
using uno::BlockReader;
using State = BlockReader::State;

std::size_t big_endian(Bytes bytes) {
    std::size_t value = 0;
    for (const std::uint8_t byte : bytes) {
        value = value * 256 + byte;
    }
    return value;
}

// Reads one block, and compares it with the beginning of the stream. False: it was the last.
bool read_block(BlockReader& blocks, std::size_t body_max, Bytes& stream, Pieces& pieces) {
    const Bytes beginning = stream;
    require(blocks.missing() == block_head_size && blocks.received().empty(), "it begins anew");
    while (blocks.state() == State::incomplete && !stream.empty()) {
        const std::size_t missing = blocks.missing();
        // More than is missing is shown to it, of which it takes what is.
        const Bytes next = stream.first(std::min(pieces.next(), stream.size()));
        const State state = blocks.add(Buffer(next.begin(), next.end()));
        require(state == blocks.state(), "it tells its state");
        stream = stream.subspan(std::min(missing, next.size()));
        require(blocks.received().size() == beginning.size() - stream.size(),
                "it takes what it wanted");
        require(blocks.received().size() <= block_head_size + body_max, "it never holds more");
        require((blocks.missing() == 0) == (state != State::incomplete),
                "it wants what is missing");
    }
    const std::size_t read = blocks.received().size();
    require(std::ranges::equal(blocks.received(), beginning.first(read)), "it keeps what it reads");
    if (read < block_head_size) {
        require(blocks.state() == State::incomplete, "a head is judged once it is there");
        return false;
    }
    const std::size_t size = big_endian(beginning.first(4));
    const std::size_t messages = big_endian(beginning.subspan(4, 4));
    const bool is_possible = messages > 0 && messages <= size && size <= body_max;
    require(is_possible == (blocks.state() != State::impossible), "the head tells what may follow");
    if (!is_possible) {
        require(read == block_head_size, "nothing is taken of what may not be");
        require(blocks.add(beginning) == State::impossible, "it stays impossible");
        require(blocks.received().size() == read, "nothing more is taken");
        return false;
    }
    require((read == block_head_size + size) == (blocks.state() == State::whole),
            "it is whole at its end");
    if (blocks.state() != State::whole) {
        return false;
    }
    require(std::ranges::equal(blocks.body(), beginning.subspan(block_head_size, size)),
            "a body is what follows the head");
    require(blocks.add(beginning) == State::whole && blocks.received().size() == read, "it stays");
    blocks.next();
    return true;
}

Buffer input_of(std::uint8_t body_max, std::uint8_t series, Bytes stream) {
    Buffer input{body_max, series};
    append(input, stream);
    return input;
}

}  // namespace

// The longest body, how it is cut, then blocks.
void try_input(Bytes bytes) {
    Input input(bytes);
    const std::size_t body_max = input.byte();
    Pieces pieces(input.byte());
    Bytes stream = input.rest();
    BlockReader blocks(body_max);
    while (read_block(blocks, body_max, stream, pieces)) {
    }
}

std::vector<Buffer> seeds() {
    Buffer stream;
    for (const auto& turn : uno::recorded::open_documents) {
        append(stream, uno::recorded::bytes_of(turn.office));
    }
    return {input_of(255, 0, stream), input_of(255, 1, stream), input_of(255, 40, stream),
            input_of(64, 3, stream)};
}

}  // namespace tcplock::fuzz
