// TCP over loopback, as far as clients, backend and yardstick need it. Every socket has
// TCP_NODELAY.
#pragma once

#include <netinet/in.h>
#include <string>

namespace tcplock::bench {

// "127.0.0.1:7000"
sockaddr_in to_address(const std::string& text);

// Never blocks in accept.
int listen_at(const sockaddr_in& address);
// Blocks until it is connected, which over loopback it is at once: who connects first is first.
int connect_to(const sockaddr_in& address);
void send_at_once(int fd);

}  // namespace tcplock::bench
