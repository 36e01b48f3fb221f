#include "io/passed_sockets.hpp"

#include "io/address.hpp"
#include "io/reach.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace tcplock::io {
namespace {

constexpr int first_passed = STDERR_FILENO + 1;  // SD_LISTEN_FDS_START

std::string_view from_environment(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

int number_of(std::string_view text) {
    int number = 0;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, number);
    return error == std::errc{} && end == last ? number : 0;
}

std::string next_name(std::string_view& names) {
    const std::string name(names.substr(0, names.find(':')));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    return name;
}

std::optional<int> option(const Descriptor& socket, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(socket.get(), SOL_SOCKET, name, &value, &size) != 0) {
        return std::nullopt;
    }
    return value;
}

bool is_of_ip(const Descriptor& socket) {
    const auto family = option(socket, SO_DOMAIN);
    return family == AF_INET || family == AF_INET6;
}

std::optional<Endpoint> address_of(const Descriptor& socket) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    const bool has_address = is_of_ip(socket) || option(socket, SO_DOMAIN) == AF_UNIX;
    if (!has_address ||
        ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return std::nullopt;
    }
    return Endpoint(&address, size);
}

std::string why_not(const Descriptor& socket) {
    const auto type = option(socket, SO_TYPE);
    if (!type) {
        return "is no socket, expected one of TCP: ListenStream= with an address and a port";
    }
    if (type != SOCK_STREAM || !is_of_ip(socket) || option(socket, SO_PROTOCOL) != IPPROTO_TCP) {
        return "is no socket of TCP, expected ListenStream= with an address and a port";
    }
    if (option(socket, SO_ACCEPTCONN) != 1) {
        return "does not listen, it is one client's connection perhaps, expected Accept=no";
    }
    return {};
}

PassedSocket look_at(Descriptor descriptor, std::string name) {
    PassedSocket passed;
    passed.why_not = why_not(descriptor);
    passed.no_socket = option(descriptor, SO_TYPE) ? "" : "is no socket";
    const auto address = address_of(descriptor);
    if (address && passed.why_not.empty()) {
        passed.address = as_tcp(*address);
        passed.endpoints = endpoints_of(descriptor);
    }
    passed.what = address ? describe(*address) : "descriptor " + std::to_string(descriptor.get());
    passed.what += name.empty() ? "" : " (" + name + ")";
    passed.name = std::move(name);
    passed.socket = std::move(descriptor);
    return passed;
}

PassedSocket missing(int descriptor) {
    PassedSocket passed;
    passed.what = "descriptor " + std::to_string(descriptor);
    passed.no_socket = "is not open";
    passed.why_not = "is not open, expected as many sockets as LISTEN_FDS says";
    return passed;
}

bool take_over(int descriptor) {
    const int flags = ::fcntl(descriptor, F_GETFL);
    return flags >= 0 && ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 &&
           ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0;
}

}  // namespace

std::vector<PassedSocket> take_passed_sockets() {
    std::vector<PassedSocket> passed;
    if (number_of(from_environment("LISTEN_PID")) != ::getpid()) {
        return passed;
    }
    const int count = number_of(from_environment("LISTEN_FDS"));
    std::string_view names = from_environment("LISTEN_FDNAMES");
    for (int i = 0; i < count; ++i) {
        const int descriptor = first_passed + i;
        std::string name = next_name(names);
        if (!take_over(descriptor)) {
            passed.push_back(missing(descriptor));
            break;  // There would be as many as somebody says.
        }
        passed.push_back(look_at(Descriptor(descriptor), std::move(name)));
    }
    return passed;
}

}  // namespace tcplock::io
