#include "uno/refusal.hpp"

#include "recorded.hpp"
#include "uno/protocol.hpp"
#include "uno/wire.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

namespace tcplock::uno {
namespace {

using State = Refusal::State;
using recorded::bytes_of;

Buffer feed(Refusal& refusal, Bytes bytes, std::size_t piece) {
    Buffer said;
    while (!bytes.empty() && refusal.wanted() > 0) {
        const Bytes next = bytes.first(std::min({piece, refusal.wanted(), bytes.size()}));
        const Buffer reply = refusal.receive(next);
        said.insert(said.end(), reply.begin(), reply.end());
        bytes = bytes.subspan(next.size());
    }
    return said;
}

template <std::size_t Turns>
void expect_as_recorded(const std::array<recorded::Exchange, Turns>& turns) {
    for (const std::size_t piece : {1, 1000}) {
        Refusal refusal("the line is full");
        for (const recorded::Exchange& turn : turns) {
            EXPECT_EQ(refusal.state(), State::listening);
            EXPECT_EQ(feed(refusal, bytes_of(turn.client), piece), bytes_of(turn.ours));
        }
        EXPECT_EQ(refusal.state(), State::said);
        EXPECT_EQ(refusal.wanted(), 0U);
    }
}

TEST(Refusal, SaysWhatAClientInPythonUnderstood) {
    expect_as_recorded(recorded::refused_python_client);
}

TEST(Refusal, SaysWhatAClientInJavaUnderstood) {
    expect_as_recorded(recorded::refused_java_client);
}

TEST(Refusal, NeedsNoAgreementBeforeTheFirstCall) {
    Refusal refusal("why");
    const Buffer reply =
        feed(refusal, begin_request(name::interface, "an object", 0, "a thread").in_block(), 1000);
    EXPECT_EQ(refusal.state(), State::said);
    EXPECT_EQ(reply, begin_exception("a thread")
                         .type(type_class::exception, name::runtime_exception)
                         .text("why")
                         .no_object()
                         .in_block());
}

TEST(Refusal, IsNotForWhoDoesNotSpeakUno) {
    const std::string_view http = "GET / HTTP/1.1\r\n\r\n";
    Refusal refusal("why");
    EXPECT_EQ(feed(refusal, Buffer(http.begin(), http.end()), 1000), Buffer{});
    EXPECT_EQ(refusal.state(), State::failed);
    EXPECT_EQ(refusal.wanted(), 0U);
}

TEST(Refusal, IsNotForWhoAnswersWhatWasNotAsked) {
    Refusal refusal("why");
    EXPECT_EQ(feed(refusal, begin_reply("a thread").in_block(), 1000), Buffer{});
    EXPECT_EQ(refusal.state(), State::failed);
}

TEST(Refusal, IsNotForWhoAsksForTheAgreementTwice) {
    const Buffer greeting = bytes_of(recorded::refused_python_client[0].client);
    Refusal refusal("why");
    EXPECT_NE(feed(refusal, greeting, 1000), Buffer{});
    EXPECT_EQ(feed(refusal, greeting, 1000), Buffer{});
    EXPECT_EQ(refusal.state(), State::failed);
}

TEST(Refusal, SurvivesEveryChangedByte) {
    for (std::size_t turn = 0; turn < recorded::refused_java_client.size(); ++turn) {
        const Buffer right = bytes_of(recorded::refused_java_client[turn].client);
        for (std::size_t at = 0; at < right.size(); ++at) {
            for (const int change : {0x01, 0x10, 0x80, 0xff}) {
                Refusal refusal("why");
                for (std::size_t before = 0; before < turn; ++before) {
                    feed(refusal, bytes_of(recorded::refused_java_client[before].client), 1000);
                }
                Buffer wrong = right;
                wrong[at] ^= static_cast<std::uint8_t>(change);
                const Buffer reply = feed(refusal, wrong, 1000);
                EXPECT_TRUE(refusal.state() != State::failed || reply.empty());
            }
        }
    }
}

TEST(Refusal, SurvivesNoise) {
    std::mt19937 random(2);
    for (int round = 0; round < 2000; ++round) {
        Refusal refusal("why");
        for (int block = 0; block < 20 && refusal.wanted() > 0; ++block) {
            WireWriter noise;
            for (auto size = 1 + random() % 40; size > 0; --size) {
                noise.byte(static_cast<std::uint8_t>(random()));
            }
            feed(refusal, noise.in_block(), 1000);
        }
        EXPECT_NE(refusal.state(), State::said) << "no object and no thread was ever named";
    }
}

}  // namespace
}  // namespace tcplock::uno
