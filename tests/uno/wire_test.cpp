#include "uno/wire.hpp"

#include "recorded.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tcplock::uno {
namespace {

// What follows the head of its block.
Buffer body(const WireWriter& wire) {
    const Buffer block = wire.in_block();
    return {block.begin() + 8, block.end()};
}

TEST(Wire, IsBigEndian) {
    EXPECT_EQ(body(WireWriter().byte(1).word(0x0203).number(0x04050607)),
              recorded::bytes_of("01020304050607"));
    const Buffer bytes = recorded::bytes_of("01020304050607");
    WireReader reader(bytes);
    EXPECT_EQ(reader.byte(), 1);
    EXPECT_EQ(reader.word(), 0x0203);
    EXPECT_EQ(reader.number(), 0x04050607U);
    EXPECT_TRUE(reader.is_sound());
    EXPECT_TRUE(reader.is_at_end());
}

TEST(Wire, WritesSizesInOneByteOrInFive) {
    for (const std::size_t size : {0U, 1U, 254U, 255U, 256U, 4096U}) {
        const std::string text(size, 'x');
        const Buffer bytes = body(WireWriter().text(text));
        EXPECT_EQ(bytes.size(), size + (size < 255 ? 1 : 5));
        WireReader reader(bytes);
        EXPECT_EQ(reader.text(), text);
        EXPECT_TRUE(reader.is_sound() && reader.is_at_end());
    }
}

TEST(Wire, ReadsNoByteThatIsNotThere) {
    const Buffer bytes = recorded::bytes_of("0102");
    WireReader reader(bytes);
    EXPECT_EQ(reader.number(), 0U);
    EXPECT_FALSE(reader.is_sound());
    EXPECT_EQ(reader.byte(), 0) << "once is enough";
    EXPECT_EQ(reader.text(), "");
    EXPECT_FALSE(reader.is_sound());
}

TEST(Wire, ReadsNoTextThatIsLongerThanItsBytesOrThanTexts) {
    const Buffer claims_more = recorded::bytes_of("03616263");
    WireReader whole(claims_more);
    EXPECT_EQ(whole.text(), "abc");
    WireReader cut(Bytes(claims_more).first(3));
    EXPECT_EQ(cut.text(), "");
    EXPECT_FALSE(cut.is_sound());
    const Buffer too_long = body(WireWriter().text(std::string(text_max + 1, 'x')));
    WireReader endless(too_long);
    EXPECT_EQ(endless.text(), "");
    EXPECT_FALSE(endless.is_sound());
}

}  // namespace
}  // namespace tcplock::uno
