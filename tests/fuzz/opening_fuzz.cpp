// What a client says first, of whatever protocol.
#include "recorded.hpp"
#include "target.hpp"
#include "uno/block.hpp"
#include "uno/opening.hpp"

#include <string>
#include <string_view>

namespace tcplock::fuzz {

using uno::Opening;
using Verdict = Opening::Verdict;

// The verdict on the whole, reached only by the bytes that were awaited on the way to it.
void try_input(Bytes bytes) {
    const Opening whole = uno::judge_opening(bytes);
    std::size_t seen = 0;
    Opening opening = uno::judge_opening({});
    while (opening.verdict == Verdict::incomplete && opening.wanted <= bytes.size()) {
        require(opening.wanted > seen, "more is awaited than has come");
        require(opening.wanted <= uno::block_head_size + uno::opening_max,
                "no more is awaited than an opening may have");
        seen = opening.wanted;
        opening = uno::judge_opening(bytes.first(seen));
    }
    require(opening.verdict == whole.verdict || whole.verdict == Verdict::foreign,
            "what follows changes nothing, unless it is foreign before it is complete");
    require(opening.verdict != Verdict::uno || whole.verdict == Verdict::uno,
            "one of UNO's stays so, whatever follows");
    require(!uno::describe_opening(bytes).empty(), "it looks like something");
}

std::vector<Buffer> seeds() {
    using namespace std::string_view_literals;
    std::vector<Buffer> seeds{
        uno::recorded::bytes_of(uno::recorded::refused_python_client.front().client),
        uno::recorded::bytes_of(uno::recorded::refused_java_client.front().client)};
    for (const std::string_view text : {"GET / HTTP/1.1\r\n\r\n"sv, "\x16\x03\x01\x02\x00\x01"sv,
                                        "SSH-2.0-x\r\n"sv, "\r\n\r\n\0\r\nQUIT\n\x21"sv}) {
        seeds.emplace_back(text.begin(), text.end());
    }
    return seeds;
}

}  // namespace tcplock::fuzz
