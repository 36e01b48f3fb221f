// Messages and all values that can be read, in any order, of any bytes.
#include "conversation.hpp"
#include "recorded.hpp"
#include "target.hpp"
#include "uno/message.hpp"
#include "uno/protocol.hpp"
#include "uno/wire.hpp"

#include <string>
#include <utility>
#include <variant>

namespace tcplock::fuzz {
namespace {

using uno::Incoming;
using uno::text_max;

// An exception's name and message.
constexpr std::size_t sentence_max = 2 * text_max + 2;

enum class Reading : std::uint8_t {
    message,
    type,
    object,
    boolean,
    text,
    number,
    size,
    object_in_any,
    exception_in_any,
};
constexpr std::uint8_t readings = 9;

// What we write of it reads as it.
void check_rewritten(const uno::Request& request) {
    if (request.function > 0xff) {
        return;
    }
    const Buffer block =
        uno::begin_request(request.type, request.object,
                           static_cast<std::uint8_t>(request.function), request.thread)
            .in_block();
    Incoming incoming;
    incoming.open(Bytes(block).subspan(uno::block_head_size));
    const auto message = incoming.message();
    const auto* const again = message ? std::get_if<uno::Request>(&*message) : nullptr;
    require(again != nullptr && incoming.is_at_end(), "a request that we write is a request");
    require(again->function == request.function && again->type == request.type &&
                again->object == request.object && again->thread == request.thread,
            "a request that we write is the same");
}

void check(const uno::Request& request) {
    require(!request.type.empty() && request.type.size() <= text_max, "a request has a type");
    require(!request.object.empty() && request.object.size() <= text_max,
            "a request has an object");
    require(!request.thread.empty() && request.thread.size() <= text_max, "a request has a thread");
    check_rewritten(request);
}

void check(const uno::Reply& reply) {
    require(!reply.thread.empty() && reply.thread.size() <= text_max, "a reply has a thread");
}

void check(const Incoming& incoming, const Incoming::Type& type) {
    require(type.type_class < uno::type_class::name_follows, "the name is not part of the class");
    require(type.name.size() <= text_max, "a name is bounded");
    if (incoming.is_sound()) {
        require(type.name.empty() == (type.type_class <= uno::type_class::any),
                "types have a name if their class has");
    }
}

// Whether it was anything but zero, empty or none.
bool is_anything(Incoming& incoming, Reading reading) {
    const auto is_text = [](const std::string& text) {
        require(text.size() <= sentence_max, "texts are bounded");
        return !text.empty();
    };
    const auto is_sound_text = [&](const std::string& text) {
        require(incoming.is_sound() || text.empty(), "what is not sound ends in nothing");
        return is_text(text);
    };
    switch (reading) {
        case Reading::message: {
            const auto message = incoming.message();
            require(message.has_value() == incoming.is_sound(),
                    "a message is sound, or there is none");
            if (message) {
                std::visit([](const auto& kind) { check(kind); }, *message);
            }
            return message.has_value();
        }
        case Reading::type: {
            const Incoming::Type type = incoming.type();
            check(incoming, type);
            return type.type_class != uno::type_class::void_type || !type.name.empty();
        }
        case Reading::object:
            return is_sound_text(incoming.object());
        case Reading::boolean:
            return incoming.boolean();
        case Reading::text:
            return is_sound_text(incoming.text());
        case Reading::number:
            return incoming.number() != 0;
        case Reading::size:
            return incoming.size() != 0;
        case Reading::object_in_any:
            return is_sound_text(incoming.object_in_any());
        case Reading::exception_in_any:
            return is_text(incoming.exception_in_any());
    }
    return false;
}

void read(Incoming& incoming, Reading reading) {
    const bool was_sound = incoming.is_sound();
    const bool was_at_end = incoming.is_at_end();
    const bool found = is_anything(incoming, reading);
    require(was_sound || !incoming.is_sound(), "it does not become sound again");
    require(was_sound || !found, "there is nothing in what is not sound");
    require(!was_at_end || !incoming.is_sound(), "there is nothing after the end");
    require(!incoming.is_at_end() || incoming.is_sound(), "what is not sound has no end");
}

}  // namespace

// Frames, each followed by how many values are read of it after its first message, and which.
void try_input(Bytes bytes) {
    Incoming incoming;
    for (Input input(bytes); !input.is_at_end();) {
        const std::size_t size = std::size_t{input.byte()} * 256 + input.byte();
        const Bytes part = input.part(size);
        const Buffer body(part.begin(), part.end());  // With nothing behind it.
        incoming.open(body);
        require(incoming.is_sound(), "a body is sound at first");
        read(incoming, Reading::message);
        for (const std::uint8_t reading : input.part(input.byte())) {
            read(incoming, static_cast<Reading>(reading % readings));
        }
    }
}

// All that an office sent, and after each message one kind of value.
std::vector<Buffer> seeds() {
    std::vector<Buffer> seeds;
    for (std::uint8_t reading = 0; reading < readings; ++reading) {
        Buffer seed;
        for (const auto& turn : uno::recorded::open_documents) {
            for (const Buffer& body : bodies_of(uno::recorded::bytes_of(turn.office))) {
                seed.insert(seed.end(), {static_cast<std::uint8_t>(body.size() / 256),
                                         static_cast<std::uint8_t>(body.size() % 256)});
                append(seed, body);
                seed.insert(seed.end(), {1, reading});
            }
        }
        seeds.push_back(std::move(seed));
    }
    return seeds;
}

}  // namespace tcplock::fuzz
