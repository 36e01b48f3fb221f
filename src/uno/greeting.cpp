#include "uno/greeting.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace tcplock::uno {
namespace {

// Message flags, binaryurp/source/writer.cxx (sendRequest, sendReply).
constexpr std::uint8_t long_header = 0x80;
constexpr std::uint8_t is_request = 0x40;
constexpr std::uint8_t new_type = 0x20;
constexpr std::uint8_t new_object = 0x10;
constexpr std::uint8_t new_thread = 0x08;

// Functions of XProtocolProperties, binaryurp/source/specialfunctionids.hxx.
constexpr std::uint8_t request_change = 4;
constexpr std::uint8_t commit_change = 5;

// typelib_TypeClass_INTERFACE, include/typelib/typeclass.h; binaryurp/source/marshal.cxx sets the
// high bit when the type's name follows.
constexpr std::uint8_t interface_type = 0x16;
constexpr std::uint8_t name_follows = 0x80;

// Names, binaryurp/source/bridge.cxx (Bridge's constructor) and writer.cxx.
constexpr std::string_view properties_type = "com.sun.star.bridge.XProtocolProperties";
constexpr std::string_view properties_object = "UrpProtocolProperties";
constexpr std::string_view properties_thread = ".UrpProtocolPropertiesTid";
constexpr std::string_view current_context = "CurrentContext";

// A block: the size of its body, the number of messages in it, the messages; fills itself up from
// the front and must come out full.
template <std::size_t Size>
struct Block {
    std::array<std::uint8_t, Size> bytes{};
    std::size_t used = 0;

    constexpr Block& byte(std::uint8_t value) {
        bytes.at(used++) = value;
        return *this;
    }
    constexpr Block& number(std::uint32_t value) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            byte(static_cast<std::uint8_t>(value >> shift));
        }
        return *this;
    }
    constexpr Block& head(std::uint32_t body_size) { return number(body_size).number(1); }
    constexpr Block& text(std::string_view value) {
        byte(static_cast<std::uint8_t>(value.size()));
        for (const char c : value) {
            byte(static_cast<std::uint8_t>(c));
        }
        return *this;
    }
    constexpr Block& cache_slot(std::uint8_t index) { return byte(0).byte(index); }
};

constexpr std::uint32_t head_size = 8;

// Bridge::sendRequestChangeRequest; the random number that follows is not part of it.
constexpr auto greeting = Block<greeting_constant_size>{}
                              .head(greeting_size - head_size)
                              .byte(long_header | is_request | new_type | new_object | new_thread)
                              .byte(request_change)
                              .byte(interface_type | name_follows)
                              .cache_slot(0)
                              .text(properties_type)
                              .text(properties_object)
                              .cache_slot(0)
                              .text(properties_thread)
                              .cache_slot(0);
static_assert(greeting.used == greeting_constant_size);

// The reply to requestChange is a 32-bit 1, bridge.cxx (handleRequestChangeReply).
constexpr auto go_ahead = Block<reply_size>{}
                              .head(reply_size - head_size)
                              .byte(long_header | new_thread)
                              .text(properties_thread)
                              .cache_slot(0)
                              .number(1);
static_assert(go_ahead.used == reply_size);

// Bridge::sendCommitChangeRequest: a short request, for object, type and thread are as before,
// whose argument is a sequence of one property without a value (type void, 0).
constexpr auto commit = Block<commit_change_size>{}
                            .head(commit_change_size - head_size)
                            .byte(commit_change)
                            .byte(1)
                            .text(current_context)
                            .byte(0);
static_assert(commit.used == commit_change_size);

}  // namespace

Bytes greeting_constant() {
    return greeting.bytes;
}

bool begins_greeting(Bytes bytes) {
    const std::size_t known = std::min(bytes.size(), greeting_constant_size);
    return bytes.size() <= greeting_size &&
           std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(known),
                      greeting.bytes.begin());
}

bool is_greeting(Bytes bytes) {
    return bytes.size() == greeting_size && begins_greeting(bytes);
}

Bytes reply_go_ahead() {
    return go_ahead.bytes;
}

bool is_commit_change(Bytes bytes) {
    return std::ranges::equal(bytes, commit.bytes);
}

}  // namespace tcplock::uno
