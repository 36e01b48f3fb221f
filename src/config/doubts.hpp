// What is allowed but probably not meant.
//
// Said by `check`, never in the way of a start. A doubt about two keys stands at the one that was
// written; a configuration of nothing but defaults raises none.
#pragma once

#include "config/config.hpp"
#include "config/problem.hpp"

#include <vector>

namespace tcplock::config {

// Sorted by line.
std::vector<Problem> doubts(const Config& config);

}  // namespace tcplock::config
