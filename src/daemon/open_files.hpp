// How many clients the limit of open files allows for. Each holds a descriptor while it waits, and
// while it is still owed something after its session; a crowd of them must leave enough for the
// backend, or running out would look like a backend that cannot be reached.
#pragma once

#include "core/policy.hpp"
#include "io/descriptor.hpp"

#include <cstddef>

namespace tcplock::daemon {

// To as many as the system lets us have; returns the limit.
std::size_t raise_open_files_limit();

// No longer a line than the limit allows for; says so in the log if that shortens it. Throws
// std::runtime_error if not even one client could wait.
core::Policy fit_line(core::Policy policy, std::size_t open_files, std::size_t listeners);

// Whether this client is one too many, however short the line is: those who are still owed
// something are in no line.
bool is_beyond(const io::Descriptor& client, std::size_t open_files);
// The same for an operator, who must be able to come when clients have all that they may have.
bool is_beyond_reserve(const io::Descriptor& visitor, std::size_t open_files);

}  // namespace tcplock::daemon
