// Messages, as far as we speak: requests to an object, replies, and the few kinds of value that the
// answers to our questions hold.
//
// One Incoming reads one direction of one connection, for it remembers what later messages refer to
// without naming it again. It takes what anybody sends: what is not sound ends in nothing, is
// bounded, and reads no byte that is not there.
// Source: binaryurp/source/reader.cxx (readMessage, readReplyMessage), unmarshal.cxx.
#pragma once

#include "uno/bytes.hpp"
#include "uno/protocol.hpp"
#include "uno/wire.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace tcplock::uno {

struct Request {
    std::uint16_t function = 0;
    std::string type;    // the interface's name
    std::string object;  // its identity
    std::string thread;  // the caller's identity, to be named in the reply; any bytes
};

struct Reply {
    std::string thread;
    bool is_exception = false;
};

using Message = std::variant<Request, Reply>;

class Incoming {
public:
    // From here on the messages of this body are read. It must stay while they are.
    void open(Bytes body) { wire_ = WireReader(body); }

    // The head of the next message; its values follow. None if it is not sound.
    std::optional<Message> message();

    struct Type {
        std::uint8_t type_class = type_class::void_type;
        std::string name;  // of classes that have one
    };
    Type type();
    std::string object();  // an interface; empty: none
    bool boolean();
    std::string text() { return wire_.text(); }
    std::uint32_t number() { return wire_.number(); }
    std::uint32_t size() { return wire_.size(); }
    // An `any` that holds an interface, or nothing.
    std::string object_in_any();
    // The exception that is in an `any`: "com.sun.star.uno.RuntimeException: why".
    std::string exception_in_any();

    bool is_sound() const { return wire_.is_sound(); }
    // All of the body has been read, and was sound.
    bool is_at_end() const { return wire_.is_sound() && wire_.is_at_end(); }

private:
    using Cache = std::array<std::string, cache_size>;

    Request request(std::uint8_t flags);
    std::string named(Cache& cache, std::string name);
    std::string thread();

    WireReader wire_;
    Cache types_;
    Cache objects_;
    Cache threads_;
    std::string last_type_;
    std::string last_object_;
    std::string last_thread_;
};

// A request whose arguments are still to be written.
WireWriter begin_request(std::string_view type, std::string_view object, std::uint8_t function,
                         std::string_view thread);

// A reply whose value is still to be written.
WireWriter begin_reply(std::string_view thread);
WireWriter begin_exception(std::string_view thread);

}  // namespace tcplock::uno
