#include "meter.hpp"

#include "failure.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <sys/stat.h>
#include <utility>

namespace tcplock::bench {

using std::chrono::nanoseconds;

namespace {

nanoseconds used(clockid_t clock) {
    timespec time{};
    checked(::clock_gettime(clock, &time), "the contender's processor time");
    return std::chrono::seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

std::string proc(pid_t pid, const char* name) {
    return "/proc/" + std::to_string(pid) + "/" + name;
}

}  // namespace

Meter::Meter(std::vector<pid_t> contender) : contender_{std::move(contender)} {
    for (const pid_t pid : contender_) {
        clockid_t clock{};
        if (::clock_getcpuclockid(pid, &clock) != 0)
            throw Failure{"no process " + std::to_string(pid)};
        clocks_.push_back(clock);
    }
}

Meter::Reading Meter::now() const {
    Reading reading{.at = std::chrono::steady_clock::now(),
                    .contender = {},
                    .driver = used(CLOCK_PROCESS_CPUTIME_ID)};
    for (const clockid_t clock : clocks_)
        reading.contender += used(clock);
    return reading;
}

Meter::Memory Meter::memory() const {
    Memory memory;
    for (const pid_t pid : contender_) {
        std::ifstream file{proc(pid, "smaps_rollup")};
        std::string line;
        std::size_t found = 0;
        while (std::getline(file, line)) {
            std::istringstream words{line};
            std::string name;
            std::uint64_t kibibytes = 0;
            words >> name >> kibibytes;
            found += name == "Rss:" || name == "Pss:" ? 1 : 0;
            memory.resident += name == "Rss:" ? kibibytes << 10 : 0;
            memory.proportional += name == "Pss:" ? kibibytes << 10 : 0;
        }
        if (found != 2)
            throw Failure{"cannot read " + proc(pid, "smaps_rollup")};
    }
    return memory;
}

// Since Linux 6.2 the folder's size is their number; counting takes long if they are many.
std::size_t Meter::open_descriptors() const {
    std::size_t count = 0;
    for (const pid_t pid : contender_) {
        const std::string folder = proc(pid, "fd");
        struct stat told {};
        checked(::stat(folder.c_str(), &told), "the contender's descriptors");
        const std::filesystem::directory_iterator open{folder};
        count += static_cast<std::size_t>(told.st_size > 0 ? told.st_size
                                                           : std::distance(begin(open), end(open)));
    }
    return count;
}

// Listening sockets come first in the table, so that little of it is read. Of these the queue is in
// place of what has not been read.
std::size_t accept_queue(const sockaddr_in& listener) {
    constexpr unsigned listening = 0x0a;
    std::ifstream table{"/proc/net/tcp"};
    std::string line;
    std::getline(table, line);
    while (std::getline(table, line)) {
        unsigned address = 0;
        unsigned port = 0;
        unsigned state = 0;
        unsigned queue = 0;
        if (std::sscanf(line.c_str(), " %*u: %x:%x %*x:%*x %x %*x:%x", &address, &port, &state,
                        &queue) != 4)
            throw Failure{"not as expected in /proc/net/tcp: " + line};
        if (state != listening)
            break;
        if (address == listener.sin_addr.s_addr && port == ntohs(listener.sin_port))
            return queue;
    }
    throw Failure{"nobody listens there any more"};
}

}  // namespace tcplock::bench
