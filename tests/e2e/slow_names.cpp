// Preloaded, it makes a program's look-up of names take as long as one of a name service that
// hangs.
#include <netdb.h>
#include <unistd.h>

extern "C" int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) {
    constexpr unsigned long_seconds = 60;
    ::sleep(long_seconds);
    return EAI_AGAIN;
}
