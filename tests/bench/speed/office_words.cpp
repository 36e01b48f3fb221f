#include "office_words.hpp"

#include "failure.hpp"
#include "uno/block.hpp"
#include "uno/message.hpp"
#include "uno/protocol.hpp"

#include <algorithm>
#include <cstdint>

namespace tcplock::bench {

namespace {

constexpr std::uint32_t by_chance = 0x295dec11;
constexpr std::size_t longest = 4096;

}  // namespace

uno::Buffer greeting() {
    return uno::begin_request(uno::name::properties_type, uno::name::properties_object,
                              uno::function::request_change, ".UrpProtocolPropertiesTid")
        .number(by_chance)
        .in_block();
}

std::string opening() {
    const uno::Buffer block = greeting();
    return {block.begin(), block.end()};
}

bool is_whole(const std::string& heard) {
    uno::BlockReader blocks{longest};
    const uno::Buffer bytes{heard.begin(), heard.end()};
    uno::Bytes left{bytes};
    while (blocks.state() == uno::BlockReader::State::incomplete && !left.empty()) {
        const auto size = std::min(blocks.missing(), left.size());
        blocks.add(left.first(size));
        left = left.subspan(size);
    }
    if (blocks.state() == uno::BlockReader::State::impossible || !left.empty())
        throw Broken{"a client was answered something that no office says"};
    return blocks.state() == uno::BlockReader::State::whole;
}

}  // namespace tcplock::bench
