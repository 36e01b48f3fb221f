// The configuration in force, as YAML with every default filled in.
//
// In the order of the documentation, only keys that are available. Loading the text gives the same
// Config again: dollar signs are doubled, and what is not plain text is escaped.
#pragma once

#include "config/config.hpp"

#include <string>

namespace tcplock::config {

std::string show(const Config& config);

}  // namespace tcplock::config
