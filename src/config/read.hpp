// The sections of the configuration, each read into its struct.
//
// Each function gets what its defaults are and notes every problem. What two sections must agree on
// is checked in check_together(), after all of them were read.
#pragma once

#include "config/config.hpp"
#include "config/section.hpp"

#include <optional>

namespace tcplock::config {

void read_listen(const Section& root, Config& config);
void read_backend(const Section& section, Config& config);
void read_probe(const Section& section, Config& config);

// That the gate would not become its own client.
void check_together(const Section& root, const Config& config);

}  // namespace tcplock::config
