// How numbers, texts and references are written: big-endian, texts in UTF-8 behind their size.
//
// The reader never reads beyond its bytes. Once it should have, it is no longer sound, and all it
// reads from then on is zero or empty: whoever reads may ask at the end.
// Source: binaryurp/source/marshal.cxx, unmarshal.cxx.
#pragma once

#include "uno/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tcplock::uno {

// Longer than any name, identity or sentence that matters here; what is longer is not sound.
inline constexpr std::size_t text_max = 4096;

class WireReader {
public:
    WireReader() = default;
    explicit WireReader(Bytes bytes) : left_(bytes) {}

    std::uint8_t byte();
    std::uint16_t word();
    std::uint32_t number();
    std::uint32_t size();
    std::string text();

    bool is_sound() const { return is_sound_; }
    bool is_at_end() const { return left_.empty(); }
    void give_up();

private:
    std::uint32_t big_endian(std::size_t size);

    Bytes left_;
    bool is_sound_ = true;
};

class WireWriter {
public:
    WireWriter& byte(std::uint8_t value);
    WireWriter& word(std::uint16_t value);
    WireWriter& number(std::uint32_t value);
    WireWriter& text(std::string_view value);
    // Named in full each time: nothing is numbered for later.
    WireWriter& type(std::uint8_t its_class, std::string_view name);
    WireWriter& object(std::string_view id);
    WireWriter& no_object();
    WireWriter& thread(std::string_view id);

    // The message in a block of its own.
    Buffer in_block() const;

private:
    Buffer bytes_;
};

}  // namespace tcplock::uno
