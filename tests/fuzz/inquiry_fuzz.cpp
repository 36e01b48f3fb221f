// An inquiry of something that may be an office, or anything else.
#include "conversation.hpp"
#include "recorded.hpp"
#include "target.hpp"
#include "uno/inquiry.hpp"
#include "uno/message.hpp"
#include "uno/protocol.hpp"

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <variant>

namespace tcplock::fuzz {
namespace {

using uno::Inquiry;
using uno::Question;
using State = Inquiry::State;

constexpr std::array questions{Question::round_trip, Question::root_object, Question::main_lock,
                               Question::open_documents, Question::termination};
constexpr std::size_t forms = 2;

// An input's first byte: the question, the form of the others, and how they are cut.
constexpr std::uint8_t choice(Question question, Form form, std::size_t series) {
    return static_cast<std::uint8_t>((series * forms + static_cast<std::size_t>(form)) *
                                         questions.size() +
                                     static_cast<std::size_t>(question));
}

struct Outcome {
    State state;
    Buffer said;
    std::string problem;
    std::string awaited;
    bool is_waiting_for_job;
    std::uint32_t documents;

    bool operator==(const Outcome&) const = default;
};

Outcome outcome(const Inquiry& inquiry, Buffer said) {
    return {inquiry.state(),
            std::move(said),
            inquiry.problem(),
            inquiry.awaited(),
            inquiry.is_waiting_for_job(),
            inquiry.documents()};
}

// Whatever it was told, it says what an office can read, and asks for what was to be asked for.
void check_said(Question question, Bytes said) {
    uno::Incoming incoming;
    std::size_t replies = 0;
    for (const Buffer& body : bodies_of(said)) {
        incoming.open(body);
        const auto message = incoming.message();
        require(message.has_value(), "it speaks UNO");
        const auto* const request = std::get_if<uno::Request>(&*message);
        if (request == nullptr) {
            ++replies;
            continue;
        }
        require(replies == 2, "it asks once there is an agreement");
        require(question != Question::round_trip, "a round trip needs no call");
        const bool is_about_end =
            request->type == uno::name::desktop && request->function == uno::function::terminate;
        require(!is_about_end || question == Question::termination,
                "only what is to end is told so");
    }
    require(replies <= 2, "there is one agreement");
}

void check(Question question, const Outcome& end) {
    require((end.state == State::failed) == !end.problem.empty(), "it fails with a reason");
    require(!end.awaited.empty(), "it knows what it waits for");
    require(!end.is_waiting_for_job || end.state == State::asking,
            "who has an answer does not wait");
    require(end.documents <= uno::documents_max, "it counts to its maximum");
    require(end.documents == 0 || question == Question::open_documents, "it counts when asked to");
    check_said(question, end.said);
}

template <class Turns>
Buffer said_by_office(const Turns& turns) {
    Buffer stream;
    for (const uno::recorded::Turn& turn : turns) {
        append(stream, uno::recorded::bytes_of(turn.office));
    }
    return stream;
}

Buffer input_of(std::uint8_t first, Bytes stream) {
    Buffer input{first};
    append(input, stream);
    return input;
}

// As recorded up to the documents, of which there are more than are counted.
Buffer many_documents() {
    const std::size_t turns = uno::recorded::open_documents.size() - 3;
    Buffer stream = said_by_office(std::span(uno::recorded::open_documents).first(turns));
    for (std::uint32_t i = 0; i <= uno::documents_max; ++i) {
        append(stream, uno::recorded::bytes_of("0000000200000001"
                                               "8001"
                                               "0000000200000001"
                                               "8000"));
    }
    return stream;
}

// Turns of an office in an order that none takes.
Buffer out_of_order(std::initializer_list<std::size_t> turns) {
    Buffer stream;
    for (const std::size_t turn : turns) {
        append(stream, uno::recorded::bytes_of(uno::recorded::open_documents[turn].office));
    }
    return stream;
}

Buffer exception() {
    Buffer stream = said_by_office(std::span(uno::recorded::open_documents).first(2));
    append(stream, uno::begin_exception(uno::recorded::our_thread)
                       .type(uno::type_class::exception, uno::name::runtime_exception)
                       .text("why")
                       .no_object()
                       .in_block());
    return stream;
}

}  // namespace

void try_input(Bytes bytes) {
    Input input(bytes);
    const std::size_t first = input.byte();
    const Question question = questions[first % questions.size()];
    const auto form = static_cast<Form>(first / questions.size() % forms);
    const auto series = static_cast<std::uint8_t>(first / questions.size() / forms);
    const Buffer stream = stream_of(input.rest(), form);

    Inquiry inquiry(question);
    const Outcome at_once = outcome(inquiry, converse(inquiry, stream, Pieces(0)));
    check(question, at_once);

    Inquiry in_pieces(question);
    require(outcome(in_pieces, converse(in_pieces, stream, Pieces(series))) == at_once,
            "it does not matter in which pieces bytes come");

    Inquiry beyond(question);
    require(outcome(beyond, converse_beyond_wanted(beyond, stream)) == at_once,
            "no more is taken than was wanted");
}

std::vector<Buffer> seeds() {
    const Buffer open_documents = said_by_office(uno::recorded::open_documents);
    const Buffer termination = said_by_office(uno::recorded::termination);
    std::vector<Buffer> seeds;
    for (const Question question : questions) {
        const Buffer& stream = question == Question::termination ? termination : open_documents;
        seeds.push_back(input_of(choice(question, Form::raw, 1), stream));
        seeds.push_back(input_of(choice(question, Form::frames, 20), frames_of(stream)));
    }
    const std::uint8_t framed = choice(Question::open_documents, Form::frames, 0);
    seeds.push_back(input_of(framed, frames_of(many_documents())));
    using uno::recorded::agreement_turn;
    using uno::recorded::root_turn;
    seeds.push_back(input_of(framed, frames_of(out_of_order({0, root_turn}))));
    seeds.push_back(input_of(framed, frames_of(out_of_order({0, 0, agreement_turn, root_turn}))));
    seeds.push_back(input_of(framed, frames_of(exception())));
    return seeds;
}

}  // namespace tcplock::fuzz
