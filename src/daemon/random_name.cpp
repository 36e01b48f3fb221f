#include "daemon/random_name.hpp"

#include <array>
#include <cerrno>
#include <sys/random.h>
#include <system_error>

namespace tcplock::daemon {
namespace {

constexpr std::size_t name_bytes = 16;
constexpr std::string_view hex_digits = "0123456789abcdef";

}  // namespace

std::string random_name() {
    std::array<unsigned char, name_bytes> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw std::system_error(errno, std::generic_category(), "no random bytes");
    }
    std::string name;
    for (const unsigned char byte : bytes) {
        name += hex_digits[byte >> 4];
        name += hex_digits[byte & 15];
    }
    return name;
}

bool is_random_name(std::string_view text) {
    return text.size() == 2 * name_bytes &&
           text.find_first_not_of(hex_digits) == std::string_view::npos;
}

}  // namespace tcplock::daemon
