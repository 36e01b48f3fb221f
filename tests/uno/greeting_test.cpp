#include "uno/greeting.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace tcplock::uno {
namespace {

// Recorded from LibreOffice 7.4.7.2 (Debian 12): what it sent when we connected, what we replied,
// and what it sent then.
constexpr std::string_view recorded_greeting =
    "0000006500000001f80496000027636f6d2e73756e2e737461722e6272696467652e5850726f746f636f6c50726f70"
    "6572746965731555727050726f746f636f6c50726f706572746965730000192e55727050726f746f636f6c50726f70"
    "6572746965735469640000fdf3c2f7";
constexpr std::string_view accepted_reply =
    "00000021000000018819"
    "2e55727050726f746f636f6c50726f70657274696573546964"
    "000000000001";
constexpr std::string_view recorded_commit_change =
    "000000120000000105010e43757272656e74436f6e7465787400";

int digit(char c) {
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

std::vector<std::uint8_t> bytes_of(std::string_view hex) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
        bytes.push_back(static_cast<std::uint8_t>(digit(hex[at]) * 16 + digit(hex[at + 1])));
    }
    return bytes;
}

TEST(Greeting, OfARealOfficeIsRecognised) {
    const auto greeting = bytes_of(recorded_greeting);
    ASSERT_EQ(greeting.size(), greeting_size);
    EXPECT_TRUE(is_greeting(greeting));
    EXPECT_TRUE(
        std::equal(greeting_constant().begin(), greeting_constant().end(), greeting.begin()));
}

TEST(Greeting, MayEndInAnyNumber) {
    auto greeting = bytes_of(recorded_greeting);
    for (std::size_t at = greeting_constant_size; at < greeting_size; ++at) {
        greeting[at] = static_cast<std::uint8_t>(~greeting[at]);
    }
    EXPECT_TRUE(is_greeting(greeting));
}

TEST(Greeting, IsRefusedWithAnyConstantByteChanged) {
    for (std::size_t at = 0; at < greeting_constant_size; ++at) {
        auto greeting = bytes_of(recorded_greeting);
        greeting[at] ^= 1;
        EXPECT_FALSE(is_greeting(greeting)) << "byte " << at;
    }
}

TEST(Greeting, IsRecognisedByEachOfItsBeginningsButOnlyWholeIsItOne) {
    const auto greeting = bytes_of(recorded_greeting);
    for (std::size_t size = 0; size < greeting_size; ++size) {
        EXPECT_TRUE(begins_greeting(Bytes(greeting).first(size))) << size;
        EXPECT_FALSE(is_greeting(Bytes(greeting).first(size))) << size;
    }
    auto longer = greeting;
    longer.push_back(0);
    EXPECT_FALSE(begins_greeting(longer));
    EXPECT_FALSE(is_greeting(longer));
}

TEST(Greeting, IsNotWhatAnHttpServerSays) {
    constexpr std::string_view http = "HTTP/1.1 400 Bad Request\r\n";
    EXPECT_FALSE(begins_greeting(std::vector<std::uint8_t>(http.begin(), http.end())));
}

TEST(Reply, IsWhatTheRealOfficeAccepted) {
    EXPECT_TRUE(std::ranges::equal(reply_go_ahead(), bytes_of(accepted_reply)));
}

TEST(CommitChange, OfARealOfficeIsRecognised) {
    auto commit = bytes_of(recorded_commit_change);
    EXPECT_TRUE(is_commit_change(commit));
    commit.back() ^= 1;
    EXPECT_FALSE(is_commit_change(commit));
    commit.pop_back();
    EXPECT_FALSE(is_commit_change(commit));
    EXPECT_FALSE(is_commit_change({}));
}

}  // namespace
}  // namespace tcplock::uno
