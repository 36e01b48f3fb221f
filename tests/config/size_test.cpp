#include "config/size.hpp"

#include <gtest/gtest.h>

namespace tcplock::config {
namespace {

std::uint64_t read(std::string_view text) {
    const auto parsed = parse_size(text);
    const auto* const value = std::get_if<std::uint64_t>(&parsed);
    EXPECT_NE(value, nullptr) << text;
    return value == nullptr ? 1 : *value;
}

std::string refusal(std::string_view text) {
    const auto parsed = parse_size(text);
    const auto* const wrong = std::get_if<Wrong>(&parsed);
    return wrong == nullptr ? "" : wrong->message;
}

TEST(SizeText, IsANumberAndABinaryUnit) {
    EXPECT_EQ(read("0"), 0U);
    EXPECT_EQ(read("7B"), 7U);
    EXPECT_EQ(read("2KiB"), 2048U);
    EXPECT_EQ(read("512MiB"), 512U << 20);
    EXPECT_EQ(read("4GiB"), std::uint64_t{4} << 30);
    EXPECT_EQ(read("1024TiB"), std::uint64_t{1024} << 40);
}

TEST(SizeText, NamesTheUnitThatWasMeant) {
    EXPECT_EQ(refusal("5MB"), "\"5MB\" has an unknown unit, expected 5MiB");
    EXPECT_EQ(refusal("5M"), "\"5M\" has an unknown unit, expected 5MiB");
    EXPECT_EQ(refusal("5gb"), "\"5gb\" has an unknown unit, expected 5GiB");
    EXPECT_EQ(refusal("5kib"), "\"5kib\" has an unknown unit, expected 5KiB");
    EXPECT_EQ(refusal("512"), "\"512\" has no unit, expected 512MiB or 512GiB");
    EXPECT_EQ(refusal("5 MiB"),
              "\"5 MiB\" has an unknown unit, expected B, KiB, MiB, GiB or TiB after the number");
    EXPECT_EQ(refusal("5Mega"),
              "\"5Mega\" has an unknown unit, expected B, KiB, MiB, GiB or TiB after the number");
}

TEST(SizeText, IsNeitherNegativeNorBrokenNorEndless) {
    EXPECT_EQ(refusal("1.5GiB"),
              "\"1.5GiB\" has decimals, expected a whole number of a smaller unit, like 1536MiB");
    EXPECT_EQ(refusal("-1B"), "\"-1B\" is not a size, expected a size like 512MiB or 2GiB");
    EXPECT_EQ(refusal(""), "\"\" is not a size, expected a size like 512MiB or 2GiB");
    EXPECT_EQ(refusal("1025TiB"), "\"1025TiB\" is too large, expected at most 1024TiB");
    EXPECT_EQ(refusal("99999999999999999999B"),
              "\"99999999999999999999B\" is too large, expected at most 1024TiB");
}

TEST(SizeText, IsWrittenAsItIsRead) {
    for (const std::uint64_t bytes :
         {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1023}, std::uint64_t{1024},
          std::uint64_t{1536}, std::uint64_t{4} << 30, std::uint64_t{1024} << 40}) {
        EXPECT_EQ(read(size_to_text(bytes)), bytes) << size_to_text(bytes);
    }
    EXPECT_EQ(size_to_text(std::uint64_t{4} << 30), "4GiB");
}

}  // namespace
}  // namespace tcplock::config
