// Makes a process unkillable, as far as its parent can see: it may die, but cannot be reaped.
//
// Attaches to the process given as argument, says "attached" and waits until standard input ends.
// While a tracer does not look, the kernel tells a dead tracee's parent nothing.
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <sys/ptrace.h>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: tracer PID\n";
        return 2;
    }
    const auto pid = static_cast<pid_t>(std::atoi(argv[1]));
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, nullptr) < 0) {
        std::cerr << "tracer: " << std::strerror(errno) << '\n';
        return 1;
    }
    std::cout << "attached" << std::endl;
    std::string ignored;
    while (std::getline(std::cin, ignored)) {
    }
    // The end of a tracer is the end of its tracing: the parent hears of the death now.
    return 0;
}
