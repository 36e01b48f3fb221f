// Whether several generations of a backend can live beside each other: each needs an address of its
// own, and an office a profile of its own, for two with one profile destroy each other's.
#pragma once

#include "config/config.hpp"

#include <cstddef>
#include <string_view>

namespace tcplock::config {

bool is_socket_path(const Backend& backend);

// Whether the command or the environment holds this placeholder, given without its braces.
bool is_told(const Backend& backend, std::string_view placeholder);

// By what the command says of it, or if it does not, by where else it may be told.
bool has_own_profiles(const Backend& backend);

// At how many different addresses it may listen, at once.
std::size_t count_addresses(const Backend& backend);

// Whether an office may have a standby unasked: another one can live beside it, with an address to
// spare; its profile begins as the built-in one, and so it leaves no lock files that only the same
// profile forgives; and no hook guards what both would share.
bool bears_standby(const Config& config);

}  // namespace tcplock::config
