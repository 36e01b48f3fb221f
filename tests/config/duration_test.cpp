#include "config/duration.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace tcplock::config {
namespace {

using namespace std::chrono_literals;

core::Duration read(std::string_view text) {
    const auto parsed = parse_duration(text);
    const auto* const value = std::get_if<core::Duration>(&parsed);
    EXPECT_NE(value, nullptr) << text;
    return value == nullptr ? core::Duration{-1} : *value;
}

std::string refusal(std::string_view text) {
    const auto parsed = parse_duration(text);
    const auto* const wrong = std::get_if<Wrong>(&parsed);
    return wrong == nullptr ? "" : wrong->message;
}

TEST(DurationText, IsANumberAndAUnit) {
    EXPECT_EQ(read("250ms"), 250ms);
    EXPECT_EQ(read("20s"), 20s);
    EXPECT_EQ(read("90s"), 90s);
    EXPECT_EQ(read("5min"), 5min);
    EXPECT_EQ(read("24h"), 24h);
    EXPECT_EQ(read("7d"), 168h);
    EXPECT_EQ(read("0s"), 0s);
    EXPECT_EQ(read("007s"), 7s);
}

TEST(DurationText, EndsAtAYear) {
    EXPECT_EQ(read("365d"), 8760h);
    EXPECT_EQ(refusal("366d"), "\"366d\" is too long, expected at most 365d");
    EXPECT_EQ(refusal("8761h"), "\"8761h\" is too long, expected at most 365d");
    EXPECT_EQ(refusal("99999999999999999999999s"),
              "\"99999999999999999999999s\" is too long, expected at most 365d");
    EXPECT_EQ(refusal("9223372036854775807d"),
              "\"9223372036854775807d\" is too long, expected at most 365d");
}

TEST(DurationText, NamesTheUnitThatWasMeant) {
    EXPECT_EQ(refusal("20"), "\"20\" has no unit, expected 20s or 20ms");
    EXPECT_EQ(refusal("5m"), "\"5m\" has an unknown unit, expected 5min");
    EXPECT_EQ(refusal("5sec"), "\"5sec\" has an unknown unit, expected 5s");
    EXPECT_EQ(refusal("2hours"), "\"2hours\" has an unknown unit, expected 2h");
    EXPECT_EQ(refusal("3weeks"),
              "\"3weeks\" has an unknown unit, expected ms, s, min, h or d after the number");
}

TEST(DurationText, IsNeitherNegativeNorBrokenNorSpaced) {
    EXPECT_EQ(refusal("1.5s"),
              "\"1.5s\" has decimals, expected a whole number of a smaller unit, like 1500ms");
    for (const char* text : {"", "s", "-5s", "+5s", "off", " 5s"}) {
        EXPECT_EQ(refusal(text), "\"" + std::string{text} +
                                     "\" is not a duration, expected a duration like 250ms, 20s, "
                                     "5min or 24h");
    }
    for (const char* text : {"5 s", "5s ", "1h30min", "5S"}) {
        EXPECT_NE(refusal(text), "") << text;
    }
}

TEST(DurationText, IsWrittenAsItIsRead) {
    for (const core::Duration duration :
         {core::Duration{0s}, core::Duration{1ms}, core::Duration{250ms}, core::Duration{1s},
          core::Duration{1001ms}, core::Duration{60s}, core::Duration{90s}, core::Duration{600s},
          core::Duration{3600s}, core::Duration{24h}, core::Duration{8760h}}) {
        EXPECT_EQ(read(to_text(duration)), duration) << to_text(duration);
    }
    EXPECT_EQ(to_text(60s), "60s");
    EXPECT_EQ(to_text(10min), "10min");
    EXPECT_EQ(to_text(24h), "24h");
    EXPECT_EQ(to_text(48h), "2d");
    EXPECT_EQ(to_text(1500ms), "1500ms");
}

}  // namespace
}  // namespace tcplock::config
