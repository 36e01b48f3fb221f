// JSON as a person reads it: what fits stands on one line, the rest is indented.
#pragma once

#include <boost/json/value.hpp>

#include <string>

namespace tcplock::config {

std::string indented(const boost::json::value& value);

}  // namespace tcplock::config
