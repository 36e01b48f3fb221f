// What an office and its client say to each other first, each without waiting for the other.
#pragma once

#include "uno/bytes.hpp"

#include <string>

namespace tcplock::bench {

// Asks to change the protocol: one block, the same for both.
uno::Buffer greeting();
std::string opening();
// One block is there, to its end.
bool is_whole(const std::string& heard);

}  // namespace tcplock::bench
