#include "uno/opening.hpp"

#include "recorded.hpp"
#include "uno/block.hpp"
#include "uno/message.hpp"
#include "uno/protocol.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string_view>

namespace tcplock::uno {
namespace {

using namespace std::string_view_literals;
using Verdict = Opening::Verdict;
using recorded::bytes_of;

Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Verdict judged(std::string_view text) {
    return judge_opening(as_bytes(text)).verdict;
}

// Whole it is UNO's; of each beginning nothing can be said yet, and what is awaited comes.
void expect_uno(const Buffer& message) {
    EXPECT_EQ(judge_opening(message).verdict, Verdict::uno);
    for (std::size_t size = 0; size < message.size(); ++size) {
        const Opening opening = judge_opening(Bytes(message).first(size));
        ASSERT_EQ(opening.verdict, Verdict::incomplete) << size;
        ASSERT_GT(opening.wanted, size);
        ASSERT_LE(opening.wanted, message.size());
    }
}

TEST(Opening, OfClientsInPythonAndJavaIsUnos) {
    expect_uno(bytes_of(recorded::refused_python_client[0].client));
    expect_uno(bytes_of(recorded::refused_java_client[0].client));
}

TEST(Opening, MayBeAnyFirstRequest) {
    expect_uno(begin_request(name::interface, "an object", 0, "a thread").in_block());
}

TEST(Opening, IsFollowedByWhateverTheClientLikes) {
    Buffer message = bytes_of(recorded::refused_python_client[0].client);
    message.insert(message.end(), {'G', 'E', 'T', ' '});
    EXPECT_EQ(judge_opening(message).verdict, Verdict::uno);
}

TEST(Opening, IsWokenForTheHeadAndForTheBody) {
    const Buffer message = bytes_of(recorded::refused_python_client[0].client);
    EXPECT_EQ(judge_opening({}).wanted, 1U);
    EXPECT_EQ(judge_opening(Bytes(message).first(1)).wanted, block_head_size);
    EXPECT_EQ(judge_opening(Bytes(message).first(block_head_size)).wanted, message.size());
}

TEST(Opening, OfOthersIsSeenByTheirFirstByte) {
    EXPECT_EQ(judged("G"), Verdict::foreign);
    EXPECT_EQ(judged("\x16"), Verdict::foreign);
    EXPECT_EQ(judged("\r"), Verdict::foreign);
}

TEST(Opening, IsNoBlockWithoutMessagesOrWithTooManyBytes) {
    EXPECT_EQ(judged("\0\0\0\x65\0\0\0\0"sv), Verdict::foreign);
    EXPECT_EQ(judged("\0\x01\0\x01\0\0\0\x01"sv), Verdict::foreign);
    EXPECT_EQ(judged("\0\x01\0\0\0\0\0\x01"sv), Verdict::incomplete);
}

// The first has nothing to refer to.
TEST(Opening, IsNoMessageThatLeavesSomethingOut) {
    const std::string_view head = "\0\0\0\x65\0\0\0\x01"sv;
    for (const unsigned flags : {0x00U, 0x05U, 0x80U, 0x88U, 0xc8U, 0xd8U, 0xe8U, 0xf0U}) {
        const std::string text = std::string{head} + static_cast<char>(flags);
        EXPECT_EQ(judged(text), Verdict::foreign) << flags;
    }
    EXPECT_EQ(judged(std::string{head} + '\xf8'), Verdict::incomplete);
}

TEST(Opening, IsNoMessageWhoseNamesAreMissing) {
    Buffer message = bytes_of(recorded::refused_python_client[0].client);
    message[2] = 0;
    message[3] = 40;  // It ends in the name of its type.
    message.resize(block_head_size + 40);
    EXPECT_EQ(judge_opening(message).verdict, Verdict::foreign);
}

TEST(Opening, SaysWhatAForeignOneLooksLike) {
    const auto described = [](std::string_view text) { return describe_opening(as_bytes(text)); };
    EXPECT_EQ(described("GET / HTTP/1.1\r\n"), "an HTTP request (47 45 54 20 2f 20 48 54 …)");
    EXPECT_EQ(described("PRI * HTTP/2.0\r\n"), "an HTTP/2 client (50 52 49 20 2a 20 48 54 …)");
    EXPECT_EQ(described("\x16\x03\x01"), "a TLS handshake (16 03 01)");
    EXPECT_EQ(described("SSH-2.0-x"), "an SSH client (53 53 48 2d 32 2e 30 2d …)");
    EXPECT_EQ(described("PROXY TCP4"), "a PROXY protocol header (50 52 4f 58 59 20 54 43 …)");
    EXPECT_EQ(described("\r\n\r\n\0\r\nQUIT\n\x21"sv),
              "a PROXY protocol header (0d 0a 0d 0a 00 0d 0a 51 …)");
    EXPECT_EQ(described("G"), "no message of UNO's (47)");
}

// Whatever is sent: an end comes, and a verdict stands whatever follows.
TEST(Opening, OfRandomBytesIsJudgedOnceAndForAll) {
    std::mt19937 random(1);
    std::uniform_int_distribution<int> byte(0, 255);
    for (int round = 0; round < 2000; ++round) {
        Buffer bytes(200);
        for (auto& one : bytes) {
            one = static_cast<std::uint8_t>(byte(random));
        }
        if (round % 2 == 0) {
            const Buffer begin = bytes_of("0000001000000001f8");
            std::copy(begin.begin(), begin.end(), bytes.begin());
        }
        Verdict last = Verdict::incomplete;
        for (std::size_t size = 0; size <= bytes.size(); ++size) {
            const Verdict verdict = judge_opening(Bytes(bytes).first(size)).verdict;
            ASSERT_TRUE(last == Verdict::incomplete || verdict == last) << size;
            last = verdict;
        }
        ASSERT_NE(last, Verdict::incomplete);
    }
}

}  // namespace
}  // namespace tcplock::uno
