#include "uno/message.hpp"

#include <utility>

namespace tcplock::uno {

std::optional<Message> Incoming::message() {
    const std::uint8_t flags = wire_.byte();
    Message message;
    if ((flags & flag::long_header) != 0 && (flags & flag::request) == 0) {
        if ((flags & flag::new_thread) != 0) {
            last_thread_ = thread();
        }
        message = Reply{last_thread_, (flags & flag::exception) != 0};
    } else {
        message = request(flags);
    }
    if (last_thread_.empty()) {
        wire_.give_up();
    }
    return is_sound() ? std::optional(std::move(message)) : std::nullopt;
}

Request Incoming::request(std::uint8_t flags) {
    Request request;
    if ((flags & flag::long_header) == 0) {
        const std::uint8_t low = flags & flag::short_function;
        const bool is_long = (flags & flag::short_function_in_14_bits) != 0;
        request.function = is_long ? static_cast<std::uint16_t>(low << 8 | wire_.byte()) : low;
    } else {
        if ((flags & flag::more_flags) != 0) {
            (void)wire_.byte();  // Whether a call without an answer is to be answered all the same.
        }
        const bool is_wide = (flags & flag::function_in_16_bits) != 0;
        request.function = is_wide ? wire_.word() : wire_.byte();
        if ((flags & flag::new_type) != 0) {
            last_type_ = type().name;
        }
        if ((flags & flag::new_object) != 0) {
            last_object_ = object();
        }
        if ((flags & flag::new_thread) != 0) {
            last_thread_ = thread();
        }
    }
    if (last_type_.empty() || last_object_.empty()) {
        wire_.give_up();
    }
    request.type = last_type_;
    request.object = last_object_;
    request.thread = last_thread_;
    return request;
}

// A name that may be given a number, or be called by it.
std::string Incoming::named(Cache& cache, std::string name) {
    const std::uint16_t index = wire_.word();
    if (!is_sound()) {
        return {};  // The 0 that was read is nobody's number.
    }
    if (index == no_cache) {
        return name;
    }
    if (index >= cache_size) {
        wire_.give_up();
        return {};
    }
    if (!name.empty()) {
        cache[index] = name;
    } else if (cache[index].empty()) {
        wire_.give_up();
    }
    return cache[index];
}

std::string Incoming::thread() {
    return named(threads_, wire_.text());
}

std::string Incoming::object() {
    return named(objects_, wire_.text());
}

// Unlike the others, a type says its number before its name.
Incoming::Type Incoming::type() {
    const std::uint8_t byte = wire_.byte();
    Type type{static_cast<std::uint8_t>(byte & ~type_class::name_follows), {}};
    if (type.type_class <= type_class::any) {
        if (byte != type.type_class) {
            wire_.give_up();
        }
        return type;
    }
    const std::uint16_t index = wire_.word();
    if (!is_sound()) {
        return {};
    }
    const bool is_numbered = index < cache_size;
    if ((byte & type_class::name_follows) != 0) {
        type.name = wire_.text();
        if (is_numbered) {
            types_[index] = type.name;
        }
    } else if (is_numbered) {
        type.name = types_[index];
    }
    if (type.name.empty() || (!is_numbered && index != no_cache)) {
        wire_.give_up();
    }
    return type;
}

bool Incoming::boolean() {
    const std::uint8_t value = wire_.byte();
    if (value > 1) {
        wire_.give_up();
    }
    return value == 1;
}

std::string Incoming::object_in_any() {
    switch (type().type_class) {
        case type_class::void_type:
            return {};
        case type_class::interface:
            return object();
        default:
            wire_.give_up();
            return {};
    }
}

// Every exception begins with its message, com/sun/star/uno/Exception.idl.
std::string Incoming::exception_in_any() {
    const Type what = type();
    if (what.type_class != type_class::exception) {
        wire_.give_up();
        return {};
    }
    const std::string why = wire_.text();
    return why.empty() ? what.name : what.name + ": " + why;
}

WireWriter begin_request(std::string_view type, std::string_view object, std::uint8_t function,
                         std::string_view thread) {
    WireWriter wire;
    wire.byte(flag::long_header | flag::request | flag::new_type | flag::new_object |
              flag::new_thread)
        .byte(function)
        .type(type_class::interface, type)
        .object(object)
        .thread(thread);
    return wire;
}

WireWriter begin_reply(std::string_view thread) {
    WireWriter wire;
    wire.byte(flag::long_header | flag::new_thread).thread(thread);
    return wire;
}

WireWriter begin_exception(std::string_view thread) {
    WireWriter wire;
    wire.byte(flag::long_header | flag::new_thread | flag::exception).thread(thread);
    return wire;
}

}  // namespace tcplock::uno
