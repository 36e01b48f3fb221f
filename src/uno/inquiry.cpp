#include "uno/inquiry.hpp"

#include "uno/protocol.hpp"

#include <string_view>
#include <utility>
#include <variant>

namespace tcplock::uno {
namespace {

constexpr std::string_view our_threads = "tcplock-supervisor-";

}  // namespace

Buffer Inquiry::fail(std::string problem) {
    state_ = State::failed;
    problem_ = step_ == Step::greeting ? std::move(problem) : "greeted, but " + problem;
    return {};
}

Buffer Inquiry::receive(Bytes bytes) {
    if (state_ != State::asking) {
        return {};
    }
    switch (blocks_.add(bytes)) {
        case BlockReader::State::incomplete:
            return {};
        case BlockReader::State::impossible:
            return fail("sent " + in_hex(blocks_.received()) + " instead of a message of UNO's");
        case BlockReader::State::whole:
            break;
    }
    Buffer reply = take_block();
    blocks_.next();
    return reply;
}

Buffer Inquiry::take_block() {
    incoming_.open(blocks_.body());
    const auto message = incoming_.message();
    if (!message) {
        return fail("sent " + in_hex(blocks_.received()) + ", which is no message of UNO's");
    }
    if (const auto* const request = std::get_if<Request>(&*message)) {
        return take_request(*request);
    }
    if (std::get<Reply>(*message).thread != thread_) {
        return fail("answered what was not asked");
    }
    if (std::get<Reply>(*message).is_exception) {
        const std::string what = incoming_.exception_in_any();
        return fail(incoming_.is_sound() ? "answered with " + what
                                         : "answered with an exception that cannot be read");
    }
    Buffer next = take_answer();
    if (!incoming_.is_at_end()) {
        return fail("sent " + in_hex(blocks_.received()) + ", which is no answer to our call");
    }
    return next;
}

// Only the agreement is asked for: our calls pass no object of ours that it could call.
Buffer Inquiry::take_request(const Request& request) {
    Buffer reply =
        Negotiation::concerns(request) ? negotiation_.answer(request, incoming_) : Buffer{};
    if (reply.empty()) {
        return fail("asked something instead of answering");
    }
    step_ = Step::agreement;
    thread_ = std::string{our_threads} + std::to_string(negotiation_.number());
    if (negotiation_.stage() == Negotiation::Stage::agreed) {
        const Buffer call = go_on();
        reply.insert(reply.end(), call.begin(), call.end());
    }
    return reply;
}

// Objects that must be there are kept; of a frame and of documents it is enough to be told.
Buffer Inquiry::take_answer() {
    switch (step_) {
        case Step::greeting:
        case Step::agreement:
            return fail("answered what was not asked");
        case Step::root:
        case Step::context:
            return keep(context_, incoming_.object_in_any());
        case Step::service_manager:
            return keep(service_manager_, incoming_.object());
        case Step::desktop_object:
            return keep(desktop_, incoming_.object());
        case Step::desktop:
            return keep(desktop_, incoming_.object_in_any());
        case Step::frame:
            (void)incoming_.object();
            return go_on();
        case Step::components:
            return keep(components_, incoming_.object());
        case Step::enumeration:
            return keep(enumeration_, incoming_.object());
        case Step::has_more:
            has_more_ = incoming_.boolean();
            return go_on();
        case Step::element:
            (void)incoming_.object_in_any();
            ++documents_;
            return go_on();
        case Step::termination:
            return incoming_.boolean() ? go_on() : fail("will not end");
    }
    return {};
}

Buffer Inquiry::keep(std::string& object, std::string told) {
    object = std::move(told);
    return object.empty() ? fail("has none of the objects that every office has") : go_on();
}

Buffer Inquiry::go_on() {
    const auto next = next_step();
    if (!next) {
        state_ = State::answered;
        return {};
    }
    step_ = *next;
    return ask();
}

// None: the question is answered.
std::optional<Inquiry::Step> Inquiry::next_step() const {
    const auto unless = [this](Question last, Step next) {
        return question_ == last ? std::nullopt : std::optional(next);
    };
    switch (step_) {
        case Step::greeting:
            return Step::agreement;
        case Step::agreement:
            return unless(Question::round_trip, Step::root);
        case Step::root:
            return unless(Question::root_object, Step::context);
        case Step::context:
            return Step::service_manager;
        case Step::service_manager:
            return Step::desktop_object;
        case Step::desktop_object:
            return Step::desktop;
        case Step::desktop:
            return question_ == Question::termination ? Step::termination : Step::frame;
        case Step::frame:
            return unless(Question::main_lock, Step::components);
        case Step::components:
            return Step::enumeration;
        case Step::enumeration:
        case Step::element:
            return Step::has_more;
        case Step::has_more:
            return has_more_ && documents_ < documents_max ? std::optional(Step::element)
                                                           : std::nullopt;
        case Step::termination:
            return std::nullopt;
    }
    return std::nullopt;
}

// A call in the current context of nobody, its arguments still to be written.
WireWriter Inquiry::call(std::string_view type, std::string_view object,
                         std::uint8_t function) const {
    return begin_request(type, object, function, thread_).no_object();
}

Buffer Inquiry::query_interface(std::string_view object, std::string_view wanted) const {
    return call(name::interface, object, function::query_interface)
        .type(type_class::interface, wanted)
        .in_block();
}

Buffer Inquiry::ask() const {
    switch (step_) {
        case Step::greeting:
        case Step::agreement:
            return {};
        case Step::root:
            return query_interface(name::root_object, name::interface);
        case Step::context:
            return query_interface(context_, name::component_context);
        case Step::service_manager:
            return call(name::component_context, context_, function::get_service_manager)
                .in_block();
        case Step::desktop_object:
            return call(name::component_factory, service_manager_, function::create_with_context)
                .text(name::desktop_service)
                .object(context_)
                .in_block();
        case Step::desktop:
            return query_interface(desktop_, name::desktop);
        case Step::frame:
            return call(name::desktop, desktop_, function::get_current_frame).in_block();
        case Step::components:
            return call(name::desktop, desktop_, function::get_components).in_block();
        case Step::enumeration:
            return call(name::enumeration_access, components_, function::create_enumeration)
                .in_block();
        case Step::has_more:
            return call(name::enumeration, enumeration_, function::has_more_elements).in_block();
        case Step::element:
            return call(name::enumeration, enumeration_, function::next_element).in_block();
        case Step::termination:
            return call(name::desktop, desktop_, function::terminate).in_block();
    }
    return {};
}

bool Inquiry::is_waiting_for_job() const {
    return state_ == State::asking && step_ > Step::root;
}

std::string Inquiry::awaited() const {
    if (step_ > Step::frame) {
        return question_ == Question::termination ? "answers, but not whether it will end"
                                                  : "answers, but did not list its documents";
    }
    if (step_ > Step::root) {
        return "answers, but did not give its main lock";
    }
    switch (step_) {
        case Step::greeting:
            return blocks_.received().empty()
                       ? "accepted but sent nothing"
                       : "sent only " + std::to_string(blocks_.received().size()) +
                             " bytes and no more";
        case Step::agreement:
            return "greeted, but did not answer our reply";
        default:
            return "greeted, but did not answer a call";
    }
}

}  // namespace tcplock::uno
