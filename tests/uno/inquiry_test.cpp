#include "uno/inquiry.hpp"

#include "recorded.hpp"
#include "uno/protocol.hpp"
#include "uno/wire.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>

namespace tcplock::uno {
namespace {

using State = Inquiry::State;
using recorded::bytes_of;
using recorded::open_documents;
using recorded::our_thread;

// Bytes in, in pieces of at most so many; everything it said meanwhile.
Buffer feed(Inquiry& inquiry, Bytes bytes, std::size_t piece) {
    Buffer said;
    while (!bytes.empty() && inquiry.wanted() > 0) {
        const Bytes next = bytes.first(std::min({piece, inquiry.wanted(), bytes.size()}));
        const Buffer reply = inquiry.receive(next);
        said.insert(said.end(), reply.begin(), reply.end());
        bytes = bytes.subspan(next.size());
    }
    EXPECT_TRUE(bytes.empty() || inquiry.state() != State::asking);
    return said;
}

Buffer feed(Inquiry& inquiry, Bytes bytes) {
    return feed(inquiry, bytes, bytes.size());
}

// An inquiry that a real office has answered so many times.
Inquiry after_turns(Question question, std::size_t turns) {
    Inquiry inquiry(question);
    for (std::size_t i = 0; i < turns; ++i) {
        feed(inquiry, bytes_of(open_documents[i].office));
    }
    return inquiry;
}

template <std::size_t Turns>
void expect_as_recorded(Inquiry& inquiry, const std::array<recorded::Turn, Turns>& turns,
                        std::size_t piece) {
    for (const recorded::Turn& turn : turns) {
        EXPECT_EQ(inquiry.state(), State::asking);
        EXPECT_EQ(feed(inquiry, bytes_of(turn.office), piece), bytes_of(turn.ours));
    }
    EXPECT_EQ(inquiry.state(), State::answered) << inquiry.problem();
    EXPECT_EQ(inquiry.wanted(), 0);
}

TEST(Inquiry, SaysWhatARealOfficeTook) {
    for (const std::size_t piece : {1, 3, 1000}) {
        Inquiry inquiry(Question::open_documents);
        expect_as_recorded(inquiry, open_documents, piece);
        EXPECT_EQ(inquiry.documents(), 1);
    }
}

TEST(Inquiry, EndsWithTheAnswerToItsQuestion) {
    const std::pair<Question, std::size_t> last_turns[] = {
        {Question::round_trip, recorded::agreement_turn},
        {Question::root_object, recorded::root_turn},
        {Question::main_lock, recorded::frame_turn},
        {Question::open_documents, open_documents.size() - 1}};
    for (const auto& [question, last] : last_turns) {
        EXPECT_EQ(after_turns(question, last).state(), State::asking);
        EXPECT_EQ(after_turns(question, last + 1).state(), State::answered);
    }
}

TEST(Inquiry, AsksTheOfficeToEnd) {
    Inquiry inquiry(Question::termination);
    expect_as_recorded(inquiry, recorded::termination, 1000);
}

TEST(Inquiry, HearsThatTheOfficeWillNotEnd) {
    Inquiry inquiry = after_turns(Question::termination, recorded::desktop_turn + 1);
    feed(inquiry, begin_reply(our_thread).byte(0).in_block());
    EXPECT_EQ(inquiry.problem(), "greeted, but will not end");
}

// The office serves one thread's calls one after the other, whatever connection they come from:
// a call that waits for a job held up all that later probes asked in the same name.
TEST(Inquiry, CallsInAnotherNameOverEachConnection) {
    const auto first_call = [](std::string_view greeting) {
        Inquiry inquiry(Question::root_object);
        feed(inquiry, bytes_of(greeting));
        return feed(inquiry, bytes_of(open_documents[1].office));
    };
    EXPECT_NE(first_call(open_documents[0].office), first_call(recorded::termination[0].office));
}

TEST(Inquiry, NeverWantsMoreThanTheBlockItIsAt) {
    Inquiry inquiry(Question::round_trip);
    EXPECT_EQ(inquiry.wanted(), block_head_size);
    const Buffer greeting = bytes_of(open_documents[0].office);
    feed(inquiry, Bytes(greeting).first(block_head_size));
    EXPECT_EQ(inquiry.wanted(), greeting.size() - block_head_size);
    feed(inquiry, Bytes(greeting).subspan(block_head_size, 50));
    EXPECT_EQ(inquiry.wanted(), greeting.size() - block_head_size - 50);
}

TEST(Inquiry, TellsWhatItAwaits) {
    EXPECT_EQ(Inquiry(Question::main_lock).awaited(), "accepted but sent nothing");
    Inquiry inquiry(Question::main_lock);
    feed(inquiry, Bytes(bytes_of(open_documents[0].office)).first(50));
    EXPECT_EQ(inquiry.awaited(), "sent only 50 bytes and no more");
    EXPECT_EQ(after_turns(Question::main_lock, 1).awaited(),
              "greeted, but did not answer our reply");
    EXPECT_EQ(after_turns(Question::main_lock, 2).awaited(), "greeted, but did not answer a call");
    EXPECT_EQ(after_turns(Question::main_lock, 3).awaited(),
              "answers, but did not give its main lock");
}

// What comes before the root object waits for no job, so its absence is not a job's doing.
TEST(Inquiry, WaitsForAJobOnlyOnceTheRootObjectIsThere) {
    for (std::size_t turns = 0; turns <= recorded::root_turn; ++turns) {
        EXPECT_FALSE(after_turns(Question::main_lock, turns).is_waiting_for_job()) << turns;
    }
    for (std::size_t turns = recorded::root_turn + 1; turns <= recorded::frame_turn; ++turns) {
        EXPECT_TRUE(after_turns(Question::main_lock, turns).is_waiting_for_job()) << turns;
    }
    EXPECT_FALSE(after_turns(Question::main_lock, recorded::frame_turn + 1).is_waiting_for_job());
}

// ---- What is no office -------------------------------------------------------------------------

std::string problem_with(Inquiry inquiry, Bytes bytes) {
    feed(inquiry, bytes);
    EXPECT_EQ(inquiry.state(), State::failed);
    EXPECT_EQ(inquiry.wanted(), 0);
    EXPECT_EQ(inquiry.receive(bytes), Buffer{}) << "it is over";
    return inquiry.problem();
}

Buffer bytes_of_text(std::string_view text) {
    return {text.begin(), text.end()};
}

TEST(Inquiry, IsNotAnsweredByAnHttpServer) {
    EXPECT_EQ(problem_with(Inquiry(Question::round_trip), bytes_of_text("HTTP/1.1 400 Bad")),
              "sent 48 54 54 50 2f 31 2e 31 instead of a message of UNO's");
}

TEST(Inquiry, TakesNoBlockThatIsTooLongOrEmpty) {
    EXPECT_EQ(problem_with(Inquiry(Question::round_trip), bytes_of("0001000100000001")),
              "sent 00 01 00 01 00 00 00 01 instead of a message of UNO's");
    EXPECT_EQ(problem_with(Inquiry(Question::round_trip), bytes_of("0000001000000000")),
              "sent 00 00 00 10 00 00 00 00 instead of a message of UNO's");
    EXPECT_EQ(problem_with(Inquiry(Question::round_trip), bytes_of("0000000000000001")),
              "sent 00 00 00 00 00 00 00 01 instead of a message of UNO's");
}

TEST(Inquiry, TakesNoNonsenseForAMessage) {
    const Buffer nonsense = WireWriter().text("nnnnnnnnnnnn").in_block();
    EXPECT_EQ(problem_with(Inquiry(Question::round_trip), nonsense),
              "sent 00 00 00 0d 00 00 00 01 …, which is no message of UNO's");
}

TEST(Inquiry, FailsWithTheReasonOfAnException) {
    const Buffer exception = begin_exception(our_thread)
                                 .type(type_class::exception, "com.sun.star.lang.DisposedException")
                                 .text("the office ends")
                                 .no_object()
                                 .in_block();
    EXPECT_EQ(problem_with(after_turns(Question::main_lock, 7), exception),
              "greeted, but answered with com.sun.star.lang.DisposedException: the office ends");
}

TEST(Inquiry, FailsWithoutARootObject) {
    const Buffer nothing = begin_reply(our_thread).byte(type_class::void_type).in_block();
    EXPECT_EQ(problem_with(after_turns(Question::root_object, 2), nothing),
              "greeted, but has none of the objects that every office has");
}

TEST(Inquiry, IsNotAnsweredInSomebodyElsesName) {
    const Buffer reply = begin_reply("another").byte(type_class::void_type).in_block();
    EXPECT_EQ(problem_with(after_turns(Question::root_object, 2), reply),
              "greeted, but answered what was not asked");
}

TEST(Inquiry, IsNotAnsweredByAQuestion) {
    const Buffer question =
        begin_request(name::interface, "an object", function::query_interface, "a thread")
            .in_block();
    EXPECT_EQ(problem_with(after_turns(Question::root_object, 2), question),
              "greeted, but asked something instead of answering");
    EXPECT_EQ(
        problem_with(after_turns(Question::root_object, 2), bytes_of(open_documents[0].office)),
        "greeted, but asked something instead of answering")
        << "a second greeting";
}

TEST(Inquiry, TakesNoAnswerThatIsTooLongOrTooShort) {
    const auto problem_with_answer = [](const WireWriter& answer) {
        return problem_with(after_turns(Question::termination, 7), answer.in_block());
    };
    EXPECT_EQ(problem_with_answer(begin_reply(our_thread).byte(1).byte(0)),
              "greeted, but sent 00 00 00 22 00 00 00 01 …, which is no answer to our call");
    EXPECT_EQ(problem_with_answer(begin_reply(our_thread)),
              "greeted, but sent 00 00 00 20 00 00 00 01 …, which is no answer to our call");
}

TEST(Inquiry, CountsNoMoreDocumentsThanItsMaximum) {
    Inquiry inquiry = after_turns(Question::open_documents, 10);
    const Buffer has_more = begin_reply(our_thread).byte(1).in_block();
    const Buffer element = begin_reply(our_thread).byte(type_class::void_type).in_block();
    for (std::uint32_t i = 0; i < documents_max; ++i) {
        ASSERT_EQ(inquiry.state(), State::asking);
        feed(inquiry, has_more);
        feed(inquiry, element);
    }
    feed(inquiry, has_more);
    EXPECT_EQ(inquiry.state(), State::answered);
    EXPECT_EQ(inquiry.documents(), documents_max);
}

// Whatever an office says, it ends in an answer, in a failure or in a wait.
TEST(Inquiry, SurvivesEveryChangedByte) {
    for (std::size_t turn = 0; turn < open_documents.size(); ++turn) {
        const Buffer right = bytes_of(open_documents[turn].office);
        for (std::size_t at = 0; at < right.size(); ++at) {
            for (const int change : {0x01, 0x10, 0x80, 0xff}) {
                Buffer wrong = right;
                wrong[at] ^= static_cast<std::uint8_t>(change);
                Inquiry inquiry = after_turns(Question::open_documents, turn);
                feed(inquiry, wrong);
                EXPECT_EQ(inquiry.state() == State::failed, !inquiry.problem().empty());
            }
        }
    }
}

TEST(Inquiry, SurvivesNoise) {
    std::mt19937 random(1);
    for (int round = 0; round < 2000; ++round) {
        Inquiry inquiry = after_turns(Question::open_documents, random() % open_documents.size());
        for (int block = 0; block < 20 && inquiry.wanted() > 0; ++block) {
            WireWriter noise;
            for (auto size = 1 + random() % 40; size > 0; --size) {
                noise.byte(static_cast<std::uint8_t>(random()));
            }
            feed(inquiry, noise.in_block());
        }
        EXPECT_NE(inquiry.state(), State::answered);
    }
}

}  // namespace
}  // namespace tcplock::uno
