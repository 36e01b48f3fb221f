// What we write is what is read.
#include "conversation.hpp"
#include "target.hpp"
#include "uno/block.hpp"
#include "uno/message.hpp"
#include "uno/protocol.hpp"
#include "uno/wire.hpp"

#include <functional>
#include <string>
#include <utility>
#include <variant>

namespace tcplock::fuzz {
namespace {

using uno::Incoming;
using uno::WireWriter;

// A few bytes of the input, repeated so that texts of all lengths occur.
std::string text(Input& input) {
    const std::size_t size = (std::size_t{input.byte()} * 256 + input.byte()) % (uno::text_max + 1);
    const Bytes some = input.part(1 + input.byte() % 16);
    std::string text;
    while (!some.empty() && text.size() < size) {
        text.push_back(static_cast<char>(some[text.size() % some.size()]));
    }
    return text;
}

// Names and identities are never empty.
std::string name(Input& input) {
    std::string name = text(input);
    return name.empty() ? "-" : name;
}

struct Written {
    WireWriter wire;
    std::vector<std::function<bool(Incoming&)>> checks;  // each reads one thing, and compares it
};

Written begin(Input& input) {
    const std::uint8_t kind = input.byte() % 3;
    const std::string thread = name(input);
    if (kind != 0) {
        const bool is_exception = kind == 2;
        return {is_exception ? uno::begin_exception(thread) : uno::begin_reply(thread),
                {[=](Incoming& incoming) {
                    const auto message = incoming.message();
                    const auto* const reply =
                        message ? std::get_if<uno::Reply>(&*message) : nullptr;
                    return reply != nullptr && reply->thread == thread &&
                           reply->is_exception == is_exception;
                }}};
    }
    const std::string type = name(input);
    const std::string object = name(input);
    const std::uint8_t function = input.byte();
    return {uno::begin_request(type, object, function, thread), {[=](Incoming& incoming) {
                const auto message = incoming.message();
                const auto* const request =
                    message ? std::get_if<uno::Request>(&*message) : nullptr;
                return request != nullptr && request->type == type && request->object == object &&
                       request->function == function && request->thread == thread;
            }}};
}

void add_value(Written& written, Input& input) {
    switch (input.byte() % 7) {
        case 0: {
            const std::string value = text(input);
            written.wire.text(value);
            written.checks.emplace_back(
                [=](Incoming& incoming) { return incoming.text() == value; });
            break;
        }
        case 1: {
            const std::string value = text(input);
            written.wire.object(value);
            written.checks.emplace_back(
                [=](Incoming& incoming) { return incoming.object() == value; });
            break;
        }
        case 2: {
            const std::uint32_t value = std::uint32_t{input.byte()} << 24 | input.byte();
            written.wire.number(value);
            written.checks.emplace_back(
                [=](Incoming& incoming) { return incoming.number() == value; });
            break;
        }
        case 3: {
            const bool value = input.byte() % 2 == 1;
            written.wire.byte(value ? 1 : 0);
            written.checks.emplace_back(
                [=](Incoming& incoming) { return incoming.boolean() == value; });
            break;
        }
        case 4: {
            const std::string value = name(input);
            written.wire.type(uno::type_class::interface, uno::name::interface).object(value);
            written.checks.emplace_back(
                [=](Incoming& incoming) { return incoming.object_in_any() == value; });
            break;
        }
        case 5: {
            const std::string what = name(input);
            const std::string why = text(input);
            written.wire.type(uno::type_class::exception, what).text(why);
            written.checks.emplace_back([=](Incoming& incoming) {
                return incoming.exception_in_any() == (why.empty() ? what : what + ": " + why);
            });
            break;
        }
        default:
            written.wire.no_object();
            written.checks.emplace_back(
                [](Incoming& incoming) { return incoming.object().empty(); });
            break;
    }
}

}  // namespace

// Messages of one connection: what begins it, how many values follow, and each of them.
void try_input(Bytes bytes) {
    Incoming incoming;
    for (Input input(bytes); !input.is_at_end();) {
        Written written = begin(input);
        for (int values = input.byte() % 8; values > 0; --values) {
            add_value(written, input);
        }
        const std::vector<Buffer> bodies = bodies_of(written.wire.in_block());
        require(bodies.size() == 1, "a message is one block");
        incoming.open(bodies.front());
        for (const auto& is_read : written.checks) {
            require(is_read(incoming), "what is read is what was written");
            require(incoming.is_sound(), "what was written is sound");
        }
        require(incoming.is_at_end(), "all that was written is read");
    }
}

// Each kind of message with each kind of value. What a value leaves over begins another message.
std::vector<Buffer> seeds() {
    const Buffer word{0, 7, 2, 'a', 'b', 'c'};
    std::vector<Buffer> seeds;
    for (std::uint8_t kind = 0; kind < 3; ++kind) {
        for (std::uint8_t value = 0; value < 7; ++value) {
            Buffer seed{kind};
            for (int words = kind == 0 ? 3 : 1; words > 0; --words) {
                append(seed, word);
            }
            if (kind == 0) {
                seed.push_back(uno::function::query_interface);
            }
            seed.insert(seed.end(), {1, value});
            append(seed, word);
            append(seed, word);
            seeds.push_back(std::move(seed));
        }
    }
    return seeds;
}

}  // namespace tcplock::fuzz
