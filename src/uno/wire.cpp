#include "uno/wire.hpp"

#include "uno/protocol.hpp"

namespace tcplock::uno {

// ---- Reading -----------------------------------------------------------------------------------

void WireReader::give_up() {
    is_sound_ = false;
    left_ = {};
}

std::uint32_t WireReader::big_endian(std::size_t size) {
    if (left_.size() < size) {
        give_up();
        return 0;
    }
    std::uint32_t value = 0;
    for (const std::uint8_t byte : left_.first(size)) {
        value = value << 8 | byte;
    }
    left_ = left_.subspan(size);
    return value;
}

std::uint8_t WireReader::byte() {
    return static_cast<std::uint8_t>(big_endian(1));
}

std::uint16_t WireReader::word() {
    return static_cast<std::uint16_t>(big_endian(2));
}

std::uint32_t WireReader::number() {
    return big_endian(4);
}

std::uint32_t WireReader::size() {
    const std::uint8_t small = byte();
    return small == size_in_32_bits ? number() : small;
}

std::string WireReader::text() {
    const std::uint32_t length = size();
    if (length > left_.size() || length > text_max) {
        give_up();
        return {};
    }
    const Bytes bytes = left_.first(length);
    left_ = left_.subspan(length);
    return {bytes.begin(), bytes.end()};
}

// ---- Writing -----------------------------------------------------------------------------------

WireWriter& WireWriter::byte(std::uint8_t value) {
    bytes_.push_back(value);
    return *this;
}

WireWriter& WireWriter::word(std::uint16_t value) {
    return byte(static_cast<std::uint8_t>(value >> 8)).byte(static_cast<std::uint8_t>(value));
}

WireWriter& WireWriter::number(std::uint32_t value) {
    return word(static_cast<std::uint16_t>(value >> 16)).word(static_cast<std::uint16_t>(value));
}

WireWriter& WireWriter::text(std::string_view value) {
    if (value.size() < size_in_32_bits) {
        byte(static_cast<std::uint8_t>(value.size()));
    } else {
        byte(size_in_32_bits).number(static_cast<std::uint32_t>(value.size()));
    }
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
}

WireWriter& WireWriter::type(std::uint8_t its_class, std::string_view name) {
    return byte(its_class | type_class::name_follows).word(no_cache).text(name);
}

WireWriter& WireWriter::object(std::string_view id) {
    return text(id).word(no_cache);
}

WireWriter& WireWriter::no_object() {
    return object({});
}

WireWriter& WireWriter::thread(std::string_view id) {
    return text(id).word(no_cache);
}

Buffer WireWriter::in_block() const {
    WireWriter block;
    block.number(static_cast<std::uint32_t>(bytes_.size())).number(1);
    block.bytes_.insert(block.bytes_.end(), bytes_.begin(), bytes_.end());
    return block.bytes_;
}

}  // namespace tcplock::uno
