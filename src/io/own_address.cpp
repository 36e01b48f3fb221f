#include "io/own_address.hpp"

#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <netinet/in.h>

namespace tcplock::io {

namespace ip = boost::asio::ip;

namespace {

bool is_same(const ip::address& address, const sockaddr* own) {
    if (own == nullptr) {
        return false;
    }
    if (address.is_v4() && own->sa_family == AF_INET) {
        const auto bytes = address.to_v4().to_bytes();
        return std::memcmp(&reinterpret_cast<const sockaddr_in*>(own)->sin_addr, bytes.data(),
                           bytes.size()) == 0;
    }
    if (address.is_v6() && own->sa_family == AF_INET6) {
        const auto bytes = address.to_v6().to_bytes();
        return std::memcmp(&reinterpret_cast<const sockaddr_in6*>(own)->sin6_addr, bytes.data(),
                           bytes.size()) == 0;
    }
    return false;
}

}  // namespace

ip::address reached_by(const ip::address& address) {
    if (!address.is_unspecified()) {
        return address;
    }
    return address.is_v4() ? ip::address{ip::address_v4::loopback()}
                           : ip::address{ip::address_v6::loopback()};
}

bool is_of_this_machine(const ip::address& address) {
    if (address.is_loopback()) {
        return true;  // The whole of 127.0.0.0/8, of which the interface has one.
    }
    ifaddrs* first = nullptr;
    if (::getifaddrs(&first) != 0) {
        return false;
    }
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> interfaces(first, &::freeifaddrs);
    for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
        if (is_same(address, one->ifa_addr)) {
            return true;
        }
    }
    return false;
}

}  // namespace tcplock::io
