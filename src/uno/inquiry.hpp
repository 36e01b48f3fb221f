// A question to an office, from its greeting to its answer: takes the bytes it sends, gives the
// bytes to send.
//
// It knows no socket and no clock: whoever carries the bytes has a limit, and asks what was awaited
// when it is reached. One question is asked once, over a connection of its own. What the office
// holds for us it lets go when that is closed.
//
// The questions by what an answer proves; each but the last asks all that the ones before it ask:
//
//   round_trip      its acceptor, reader and writer live, whatever job is running
//   root_object     and those of its threads that serve calls
//   main_lock       and no job runs: XDesktop.getCurrentFrame needs the lock that all jobs hold
//   open_documents  and so many documents are open
//   termination     it ends, as it was asked to, unless somebody in it objects. One that ends may
//                   close before it has said so
#pragma once

#include "uno/block.hpp"
#include "uno/bytes.hpp"
#include "uno/message.hpp"
#include "uno/negotiation.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tcplock::uno {

enum class Question { round_trip, root_object, main_lock, open_documents, termination };

// More are not counted.
inline constexpr std::uint32_t documents_max = 1000;

class Inquiry {
public:
    enum class State { asking, answered, failed };

    explicit Inquiry(Question question) : question_(question) {}

    // How many bytes to receive next, at most; 0 when it is over.
    std::size_t wanted() const { return state_ == State::asking ? blocks_.missing() : 0; }

    // Takes them, and gives what to send, which may be nothing.
    Buffer receive(Bytes bytes);

    State state() const { return state_; }
    // And nothing else is awaited: from here on it is an answer, too, if it closes.
    bool is_asked_to_end() const { return step_ == Step::termination; }
    // All has been answered that does not wait for a job; what has not may be waiting for one.
    bool is_waiting_for_job() const;
    // What has not happened so far: "greeted, but did not answer our reply".
    std::string awaited() const;
    // Why it failed, in words.
    const std::string& problem() const { return problem_; }

    std::uint32_t documents() const { return documents_; }

private:
    // What is awaited. From `context` on, a job may be waited for.
    enum class Step {
        greeting,
        agreement,
        root,
        context,
        service_manager,
        desktop_object,
        desktop,
        frame,
        components,
        enumeration,
        has_more,
        element,
        termination,
    };

    Buffer take_block();
    Buffer take_request(const Request& request);
    Buffer take_answer();
    Buffer keep(std::string& object, std::string told);
    Buffer go_on();
    std::optional<Step> next_step() const;
    Buffer ask() const;
    WireWriter call(std::string_view type, std::string_view object, std::uint8_t function) const;
    Buffer query_interface(std::string_view object, std::string_view wanted) const;
    Buffer fail(std::string problem);

    const Question question_;
    State state_ = State::asking;
    Step step_ = Step::greeting;
    std::string problem_;
    BlockReader blocks_{block_max};
    Incoming incoming_;
    Negotiation negotiation_;
    // In whose name we call: another one for each connection. The office serves the calls of one
    // thread one after the other, over all connections, so that one that waits would hold up the
    // calls of every later inquiry. cppu/source/threadpool/threadpool.cxx (ThreadPool::addJob).
    std::string thread_;

    // The office's objects, by their identities.
    std::string context_;
    std::string service_manager_;
    std::string desktop_;
    std::string components_;
    std::string enumeration_;

    bool has_more_ = false;
    std::uint32_t documents_ = 0;

    // Its answers hold a name or two; an exception's message may be longer.
    static constexpr std::size_t block_max = 65536;
};

}  // namespace tcplock::uno
