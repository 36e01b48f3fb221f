// What is to be seen, as JSON: its shape is written in README and kept by a test.
//
// Times of day are RFC 3339 in UTC, spans are milliseconds, sizes are bytes; what is not known or
// does not apply is null.
#pragma once

#include "admin/view.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>

namespace tcplock::admin {

// At a glance: whoever is inside, and of those who wait the first few.
boost::json::object status(const View& view);

// Every client.
boost::json::object clients(const View& view);

boost::json::object recycle(const Recycle& recycle);

std::int64_t milliseconds(core::Duration span);
std::string time_of_day(WallTime when);

}  // namespace tcplock::admin
