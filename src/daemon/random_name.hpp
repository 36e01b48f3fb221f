// Names that nobody else has, and nobody can guess: 128 random bits as 32 hexadecimal digits.
#pragma once

#include <string>
#include <string_view>

namespace tcplock::daemon {

// Throws std::system_error if the kernel has no random bytes for us.
std::string random_name();

bool is_random_name(std::string_view text);

}  // namespace tcplock::daemon
