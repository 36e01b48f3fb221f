#include "uno/message.hpp"

#include "recorded.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tcplock::uno {
namespace {

using recorded::bytes_of;

Buffer body(const WireWriter& wire) {
    const Buffer block = wire.in_block();
    return {block.begin() + 8, block.end()};
}

// Reads messages one after the other, each from a body of its own.
class Reading : public testing::Test {
protected:
    std::optional<Message> read(Buffer bytes) {
        bytes_ = std::move(bytes);
        incoming.open(bytes_);
        return incoming.message();
    }
    Request request(Buffer bytes) {
        const auto message = read(std::move(bytes));
        const auto* const found = message ? std::get_if<Request>(&*message) : nullptr;
        EXPECT_NE(found, nullptr);
        return found != nullptr ? *found : Request{};
    }
    Reply reply(Buffer bytes) {
        const auto message = read(std::move(bytes));
        const auto* const found = message ? std::get_if<Reply>(&*message) : nullptr;
        EXPECT_NE(found, nullptr);
        return found != nullptr ? *found : Reply{};
    }

    Incoming incoming;

private:
    Buffer bytes_;
};

TEST_F(Reading, TheGreetingOfARealOffice) {
    Buffer greeting = bytes_of(recorded::open_documents[0].office);
    greeting.erase(greeting.begin(), greeting.begin() + 8);
    const Request asks = request(greeting);
    EXPECT_EQ(asks.function, function::request_change);
    EXPECT_EQ(asks.type, name::properties_type);
    EXPECT_EQ(asks.object, name::properties_object);
    EXPECT_EQ(asks.thread, ".UrpProtocolPropertiesTid");
    (void)incoming.number();
    EXPECT_TRUE(incoming.is_at_end());
}

TEST_F(Reading, OurOwnRequestsAndReplies) {
    const Request asks = request(body(begin_request("a.Type", "object", 7, "thread").text("x")));
    EXPECT_EQ(asks.function, 7);
    EXPECT_EQ(asks.type, "a.Type");
    EXPECT_EQ(asks.object, "object");
    EXPECT_EQ(asks.thread, "thread");
    EXPECT_EQ(incoming.text(), "x");
    EXPECT_TRUE(incoming.is_at_end());
    EXPECT_FALSE(reply(body(begin_reply("thread"))).is_exception);
    EXPECT_TRUE(reply(body(begin_exception("thread"))).is_exception);
    EXPECT_EQ(reply(body(begin_reply("another"))).thread, "another");
}

// A short request is to the object, and from the thread, of the one before it.
TEST_F(Reading, AShortRequest) {
    request(body(begin_request("a.Type", "object", 7, "thread")));
    const Request six_bits = request(bytes_of("05"));
    EXPECT_EQ(six_bits.function, 5);
    EXPECT_EQ(six_bits.object, "object");
    EXPECT_EQ(six_bits.thread, "thread");
    EXPECT_EQ(request(bytes_of("4102")).function, 0x0102) << "fourteen bits";
}

TEST_F(Reading, AShortRequestBeforeAnyOther) {
    EXPECT_FALSE(read(bytes_of("05")));
}

TEST_F(Reading, AWideFunctionAndMoreFlags) {
    EXPECT_EQ(request(body(WireWriter()
                               .byte(flag::long_header | flag::request | flag::new_type |
                                     flag::new_object | flag::new_thread | flag::more_flags |
                                     flag::function_in_16_bits)
                               .byte(0xc0)
                               .word(300)
                               .type(type_class::interface, "a.Type")
                               .object("object")
                               .thread("thread")))
                  .function,
              300);
}

TEST_F(Reading, WhatIsCalledByItsNumber) {
    const auto call = [](std::string_view object) {
        return body(WireWriter()
                        .byte(flag::long_header | flag::request | flag::new_object)
                        .byte(0)
                        .text(object)
                        .word(3));
    };
    request(body(begin_request("a.Type", "first", 0, "thread")));
    request(call("second"));
    request(body(begin_request("a.Type", "third", 0, "thread")));
    EXPECT_EQ(request(call("")).object, "second");
}

TEST_F(Reading, ANumberThatWasNotGivenOrIsOutOfRange) {
    const auto call = [](std::uint16_t number) {
        return body(WireWriter()
                        .byte(flag::long_header | flag::request | flag::new_object)
                        .byte(0)
                        .text("")
                        .word(number));
    };
    request(body(begin_request("a.Type", "object", 0, "thread")));
    EXPECT_FALSE(read(call(3)));
    EXPECT_FALSE(read(call(cache_size)));
}

// The first name that was given a number was taken for one whose number is missing.
TEST_F(Reading, ANumberThatIsMissing) {
    request(body(WireWriter()
                     .byte(flag::long_header | flag::request | flag::new_type | flag::new_object |
                           flag::new_thread)
                     .byte(0)
                     .byte(type_class::interface | type_class::name_follows)
                     .word(0)
                     .text("a.Type")
                     .text("object")
                     .word(0)
                     .thread("thread")));
    EXPECT_EQ(reply(bytes_of("80")).thread, "thread");
    EXPECT_EQ(incoming.object(), "") << "after the end";
    EXPECT_FALSE(incoming.is_sound());
    EXPECT_EQ(reply(bytes_of("8000")).thread, "thread");
    EXPECT_EQ(incoming.object(), "") << "at the end";
    EXPECT_FALSE(incoming.is_sound());
    EXPECT_EQ(reply(bytes_of("8016")).thread, "thread");
    EXPECT_EQ(incoming.type().name, "");
    EXPECT_FALSE(incoming.is_sound());
}

TEST_F(Reading, AReplyBeforeAnyThreadWasNamed) {
    EXPECT_FALSE(read(bytes_of("80")));
}

TEST_F(Reading, Values) {
    const auto values = [this](std::string_view hex) {
        Buffer bytes = body(begin_reply("t"));
        const Buffer more = bytes_of(hex);
        bytes.insert(bytes.end(), more.begin(), more.end());
        reply(bytes);
    };
    values("01");
    EXPECT_TRUE(incoming.boolean());
    EXPECT_TRUE(incoming.is_at_end());
    values("02");
    (void)incoming.boolean();
    EXPECT_FALSE(incoming.is_sound());
    values("00ffff");
    EXPECT_EQ(incoming.object(), "") << "no object";
    EXPECT_TRUE(incoming.is_at_end());
    values("00");
    EXPECT_EQ(incoming.object_in_any(), "") << "nothing";
    EXPECT_TRUE(incoming.is_at_end());
    values("960000016103616263ffff");
    EXPECT_EQ(incoming.object_in_any(), "abc");
    EXPECT_TRUE(incoming.is_at_end());
    values("16000003616263ffff");
    EXPECT_EQ(incoming.object_in_any(), "abc") << "its type by number";
    EXPECT_TRUE(incoming.is_at_end());
    values("160005");
    EXPECT_EQ(incoming.object_in_any(), "");
    EXPECT_FALSE(incoming.is_sound()) << "a type that was not named";
    values("0c0161");
    EXPECT_EQ(incoming.object_in_any(), "");
    EXPECT_FALSE(incoming.is_sound()) << "a text";
    values("80");
    (void)incoming.type();
    EXPECT_FALSE(incoming.is_sound()) << "a simple type with a name";
}

}  // namespace
}  // namespace tcplock::uno
