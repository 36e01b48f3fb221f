#include "io/farewell.hpp"

#include <array>
#include <sys/socket.h>

namespace tcplock::io {

void say_farewell(Descriptor client) {
    constexpr int reads_max = 16;
    std::array<char, 4096> dropped;
    for (int i = 0; i < reads_max; ++i) {
        if (::recv(client.get(), dropped.data(), dropped.size(), MSG_DONTWAIT) <= 0) {
            break;
        }
    }
    (void)::shutdown(client.get(), SHUT_WR);  // It may be gone already.
}

}  // namespace tcplock::io
