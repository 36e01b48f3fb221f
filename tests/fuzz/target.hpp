// What a fuzz target is: a file `<name>_fuzz.cpp` that defines try_input() and seeds(), and its
// name in CMakeLists.txt. main.cpp makes a program of it.
//
// A target tries what reads bytes of strangers on any input and checks what must hold whatever they
// are; crashes and reads beyond the end are the sanitizers' business.
#pragma once

#include "uno/bytes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace tcplock::fuzz {

using uno::Buffer;
using uno::Bytes;

// Must return for every input for which all is well, and is a function of the input alone.
void try_input(Bytes input);

// Inputs to begin with: what parties that mean well say.
std::vector<Buffer> seeds();

// Ends the program if something does not hold.
inline void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "DOES NOT HOLD: %s\n", what);
        std::abort();
    }
}

// An input, read from its beginning. At its end bytes are zero, and parts are shorter than asked.
class Input {
public:
    explicit Input(Bytes bytes) : left_(bytes) {}

    std::uint8_t byte() {
        const Bytes one = part(1);
        return one.empty() ? std::uint8_t{0} : one.front();
    }
    Bytes part(std::size_t size) {
        const Bytes taken = left_.first(std::min(size, left_.size()));
        left_ = left_.subspan(taken.size());
        return taken;
    }
    Bytes rest() { return part(left_.size()); }
    bool is_at_end() const { return left_.empty(); }

private:
    Bytes left_;
};

inline void append(Buffer& buffer, Bytes bytes) {
    buffer.insert(buffer.end(), bytes.begin(), bytes.end());
}

}  // namespace tcplock::fuzz
