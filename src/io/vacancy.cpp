#include "io/vacancy.hpp"

#include "io/descriptor.hpp"
#include "io/socket_owner.hpp"

#include <cerrno>
#include <sys/socket.h>

namespace tcplock::io {
namespace {

std::error_code last_error() {
    return {errno, std::generic_category()};
}

}  // namespace

std::error_code bind_error(const Endpoint& address) {
    if (is_in_file_system(address)) {
        // To bind would make the file. What a server has left there is for the next to remove.
        const bool is_taken = listens(address) == Listens::yes;
        return is_taken ? std::make_error_code(std::errc::address_in_use) : std::error_code();
    }
    const int family = address.protocol().family();
    const Descriptor socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!socket) {
        return last_error();
    }
    // As servers do: what lingers of past sessions is not in the way, a listener is.
    const int on = 1;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        return last_error();
    }
    if (::bind(socket.get(), address.data(), static_cast<socklen_t>(address.size())) != 0) {
        return last_error();
    }
    return {};
}

}  // namespace tcplock::io
