// What single values may be, for the schema: the same kinds as kinds.hpp has for the reader.
//
// A kind is the part of a key's schema that judges the value. An unquoted number or `off` is no
// text for every YAML parser; the reader takes all of these for text, so the kinds take both.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tcplock::config::schema_kinds {

using Kind = boost::json::object;

// What the kinds refer to: the schema's `definitions`.
boost::json::object definitions();

Kind defined(std::string_view name);  // or a variable in its place
Kind integer(std::int64_t min, std::int64_t max);
Kind choice(const std::vector<std::string_view>& words);
Kind stop_signal();
Kind or_off(Kind kind);
Kind off();

Kind template_text();
Kind list_of(const Kind& item);
Kind command();
Kind environment();
Kind ports();
Kind allow();

// The address of a listener that other machines can reach; not true of one with a variable in it,
// or of sockets that are passed.
Kind beyond_loopback();

}  // namespace tcplock::config::schema_kinds
