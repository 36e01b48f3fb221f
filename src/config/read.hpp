// The sections of the configuration, each read into its struct.
//
// Each function gets what its defaults are and notes every problem. What two sections must agree on
// is checked in check_together(), after all of them were read.
#pragma once

#include "config/address.hpp"
#include "config/config.hpp"
#include "config/section.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tcplock::config {

void read_listen(const Section& root, Config& config);
void read_backend(const Section& section, Config& config);
void read_probe(const Section& section, Config& config);
void read_hooks(const Section& section, Config& config);
void read_admin(const Section& section, Config& config);

// Whether somebody else runs the service, unless something is missing or wrong, which has been
// noted. To be asked when read_backend() is done.
bool is_alone(const Config& config);

// Said of a key that only a backend of our own can have.
inline constexpr std::string_view without_command =
    "has no effect without backend.command, expected it to be left out";

// A program and its arguments, in the key `command` of a section that must have it.
void read_command(const Section& section, std::vector<std::string>& command);

// What is to be said of `allow` where an office would be within reach of other machines and nobody
// has said who may connect.
std::string why_allow_is_needed(bool is_written, std::string_view address);

// What is read already and listens there, at the same address or at one of which a part is the
// same: the system would not let both. All are numeric, so that no resolver is asked.
std::optional<Listening> listening_at(const Reading& reading, const std::string& address);

// Whether a gate that listens there would become its own client, or be in the way of a backend that
// we start. Of names `localhost` alone is known: what others stand for is seen when they are looked
// up, which no configuration waits for.
bool is_own_client(const Endpoint& gate, const Backend& backend);

// That the gate would not become its own client, and what only some backends can have.
void check_together(const Section& root, const Config& config);

}  // namespace tcplock::config
