#include "admin/table.hpp"

#include <gtest/gtest.h>

namespace tcplock::admin {
namespace {

TEST(Table, HasColumnsAsWideAsTheyNeedToBe) {
    Table table({"A", "LONGER", "C"});
    EXPECT_TRUE(table.is_empty());
    table.add({"first", "x", "y"});
    table.add({"b"});
    EXPECT_FALSE(table.is_empty());
    EXPECT_EQ(table.lines(),
              (std::vector<std::string>{"A      LONGER  C", "first  x       y", "b"}));
}

TEST(Harmless, IsWhatATerminalDoesNotObey) {
    EXPECT_EQ(harmless("\x1b]0;title\x07 a\tb\r\n\x7f", LineEnds::replaced), "?]0;title? a?b???");
    EXPECT_EQ(harmless("one\ntwo\x1b[2J\n", LineEnds::kept), "one\ntwo?[2J\n");
    EXPECT_EQ(harmless("\xc2\x9b"
                       "31m \x9b",
                       LineEnds::kept),
              "\xc2?31m ?");
}

TEST(Harmless, LeavesWhatIsText) {
    const std::string text = "Größe 漢字 \xe2\x80\x93 \xc2\xa0 ~";
    EXPECT_EQ(harmless(text, LineEnds::replaced), text);
}

TEST(Spans, AreInTheTwoUnitsThatMatter) {
    EXPECT_EQ(span_in_words(0), "0 ms");
    EXPECT_EQ(span_in_words(999), "999 ms");
    EXPECT_EQ(span_in_words(1000), "1.0 s");
    EXPECT_EQ(span_in_words(59'999), "59.9 s");
    EXPECT_EQ(span_in_words(60'000), "1 min 0 s");
    EXPECT_EQ(span_in_words(3'599'000), "59 min 59 s");
    EXPECT_EQ(span_in_words(3'600'000), "1 h 0 min");
    EXPECT_EQ(span_in_words(86'400'000LL * 9 + 3'600'000), "9 d 1 h");
}

TEST(Sizes, AreInTheUnitThatFits) {
    EXPECT_EQ(size_in_words(0), "0 KiB");
    EXPECT_EQ(size_in_words(1 << 20), "1 MiB");
    EXPECT_EQ(size_in_words((std::uint64_t{1} << 30) - 1), "1023 MiB");
    EXPECT_EQ(size_in_words(std::uint64_t{3} << 29), "1.5 GiB");
}

}  // namespace
}  // namespace tcplock::admin
