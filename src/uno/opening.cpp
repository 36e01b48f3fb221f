#include "uno/opening.hpp"

#include "uno/block.hpp"
#include "uno/message.hpp"
#include "uno/protocol.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

namespace tcplock::uno {
namespace {

using Verdict = Opening::Verdict;

// Nothing has been named yet that a message could leave out.
constexpr std::uint8_t first_flags =
    flag::long_header | flag::request | flag::new_type | flag::new_object | flag::new_thread;

// The most significant byte of the size, and the flags: told without waiting for the rest, which
// may never come.
bool is_impossible(Bytes received) {
    const bool is_too_long = !received.empty() && received.front() != 0;
    const bool is_no_first_request = received.size() > block_head_size &&
                                     (received[block_head_size] & first_flags) != first_flags;
    return is_too_long || is_no_first_request;
}

bool begins_with_request(Bytes body) {
    Incoming incoming;
    incoming.open(body);
    const auto message = incoming.message();
    return message && std::holds_alternative<Request>(*message);
}

struct Known {
    std::string_view beginning;
    std::string_view name;
};

using namespace std::string_view_literals;

constexpr std::array known{
    Known{"GET ", "an HTTP request"},
    Known{"HEAD ", "an HTTP request"},
    Known{"POST ", "an HTTP request"},
    Known{"PUT ", "an HTTP request"},
    Known{"PATCH ", "an HTTP request"},
    Known{"DELETE ", "an HTTP request"},
    Known{"OPTIONS ", "an HTTP request"},
    Known{"CONNECT ", "an HTTP request"},
    Known{"PRI * HTTP/2", "an HTTP/2 client"},
    Known{"\x16\x03", "a TLS handshake"},
    Known{"SSH-", "an SSH client"},
    Known{"PROXY ", "a PROXY protocol header"},
    Known{"\r\n\r\n\0\r\nQUIT\n"sv, "a PROXY protocol header"},
};

std::string_view name_of(Bytes received) {
    const std::string_view text(reinterpret_cast<const char*>(received.data()), received.size());
    const auto* const found = std::find_if(known.begin(), known.end(), [text](const Known& one) {
        return text.starts_with(one.beginning);
    });
    return found == known.end() ? "no message of UNO's" : found->name;
}

}  // namespace

Opening judge_opening(Bytes received) {
    if (is_impossible(received)) {
        return {Verdict::foreign, 0};
    }
    BlockReader block(opening_max);
    block.add(received);  // the head
    block.add(received.subspan(block.received().size()));
    switch (block.state()) {
        case BlockReader::State::impossible:
            return {Verdict::foreign, 0};
        case BlockReader::State::whole:
            return {begins_with_request(block.body()) ? Verdict::uno : Verdict::foreign, 0};
        case BlockReader::State::incomplete:
            break;
    }
    // A first byte is much to go by.
    const std::size_t wanted = received.empty() ? 1 : received.size() + block.missing();
    return {Verdict::incomplete, wanted};
}

std::string describe_opening(Bytes received) {
    return std::string{name_of(received)} + " (" + in_hex(received) + ")";
}

}  // namespace tcplock::uno
