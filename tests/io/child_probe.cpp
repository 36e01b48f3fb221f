// Tells what it was given by whoever started it, or behaves badly on purpose. For the tests of
// src/io.
#include "io/child.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fstream>
#include <iterator>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

void wait_for_ever() {
    for (;;) {
        ::pause();
    }
}

void tell_descriptors() {
    DIR* directory = ::opendir("/proc/self/fd");
    while (const dirent* entry = ::readdir(directory)) {
        if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != ::dirfd(directory)) {
            std::printf("%s\n", entry->d_name);
        }
    }
    ::closedir(directory);
}

void tell_environment() {
    for (char** entry = environ; *entry != nullptr; ++entry) {
        std::printf("%s\n", *entry);
    }
}

void tell_session() {
    std::printf("%s\n",
                ::getsid(0) == ::getpid() && ::getpgrp() == ::getpid() ? "own" : "inherited");
}

void tell_limits() {
    for (const auto resource : {RLIMIT_NOFILE, RLIMIT_AS, RLIMIT_CORE}) {
        rlimit limit{};
        ::getrlimit(resource, &limit);
        std::printf("%llu %llu\n", static_cast<unsigned long long>(limit.rlim_cur),
                    static_cast<unsigned long long>(limit.rlim_max));
    }
}

void tell_death_signal() {
    int number = 0;
    ::prctl(PR_GET_PDEATHSIG, &number);
    std::printf("%d\n", number);
}

// Starts a child the way the supervisor does, tells its pid, and waits to be killed.
void be_supervisor() {
    boost::asio::io_context io(1);
    auto spawned = tcplock::io::spawn(io, {.command = {"/bin/sleep", "1000"}});
    if (const auto* child = std::get_if<tcplock::io::Child>(&spawned)) {
        std::printf("%d\n", static_cast<int>(child->pid));
        std::fflush(stdout);
    }
    wait_for_ever();
}

void take_strange_name() {
    ::prctl(PR_SET_NAME, ") (R 1 1\n");
    std::printf("named\n");
    std::fflush(stdout);
    wait_for_ever();
}

void listen_somewhere() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(listener, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(listener, 5);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    wait_for_ever();
}

// Each TERM leaves one more process behind, in a session of its own; all ignore further ones.
void fork_when_told_to_die() {
    const auto multiply = [](int) {
        if (::fork() == 0) {
            ::setsid();
            ::signal(SIGTERM, SIG_IGN);
            wait_for_ever();
        }
    };
    ::signal(SIGTERM, multiply);
    std::printf("ready\n");
    std::fflush(stdout);
    wait_for_ever();
}

// Moves on into a new process and session every 30 ms, for half a minute.
void run_away() {
    std::printf("running\n");
    std::fflush(stdout);
    for (int step = 0; step < 1000; ++step) {
        if (::fork() > 0) {
            ::_exit(0);
        }
        ::setsid();
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
}

void use_memory() {
    std::vector<char> memory(64U << 20U, 'x');
    std::printf("using %d\n", memory[memory.size() / 2]);
    std::fflush(stdout);
    wait_for_ever();
}

constexpr auto allow = SECCOMP_RET_ALLOW;

// A rule of the system's for us and for all we start.
template <std::size_t Size>
bool install(std::array<sock_filter, Size>& rules, unsigned flags) {
    sock_fprog program{static_cast<unsigned short>(rules.size()), rules.data()};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0) {
        std::printf("no filter\n");
        return false;
    }
    return true;
}

// As older kernels and some containers do.
bool refuse_newer_calls() {
    constexpr auto refuse = SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA);
    std::array<sock_filter, 5> rules{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, refuse),
        BPF_STMT(BPF_RET | BPF_K, allow),
    }};
    return install(rules, 0);
}

// As a file system does that has gone: nobody ever answers.
bool hold_up_every_exec() {
    std::array<sock_filter, 4> rules{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, allow),
    }};
    return install(rules, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

// Starts a child and passes on its output, or why there is none.
void start_another() {
    for (int count = 0; count < 10; ++count) {
        [[maybe_unused]] const int kept_open = ::socket(AF_INET, SOCK_STREAM, 0);
    }
    boost::asio::io_context io(1);
    auto spawned = tcplock::io::spawn(io, {.command = {"/proc/self/exe", "descriptors"}});
    if (const auto* failure = std::get_if<tcplock::io::SpawnFailure>(&spawned)) {
        std::printf("%s\n", failure->what.c_str());
        return;
    }
    auto& output = std::get<tcplock::io::Child>(spawned).output;
    std::array<char, 256> told{};
    boost::system::error_code ended;
    while (!ended) {
        output.wait(output.wait_read, ended);
        const auto size = output.read_some(boost::asio::buffer(told), ended);
        std::fwrite(told.data(), 1, size, stdout);
    }
}

void start_behind_a_filter() {
    if (refuse_newer_calls()) {
        start_another();
    }
}

void start_what_hangs() {
    if (hold_up_every_exec()) {
        start_another();
    }
}

void start_what_hangs_behind_a_filter() {
    if (refuse_newer_calls() && hold_up_every_exec()) {
        start_another();
    }
}

// In state D for as long as the child lives, which is for ever.
void wait_for_a_child_by_vfork() {
    if (::vfork() == 0) {
        for (;;) {
            ::pause();
        }
    }
}

// As in the middle of an exec: what it was started with is unmapped, with all of the stack above.
// The thread that needs that never wakes.
void lose_arguments_and_environment(void (*and_then)()) {
    std::thread([and_then] {
        std::ifstream file("/proc/self/stat");
        const std::string stat(std::istreambuf_iterator<char>(file), {});
        std::istringstream fields(stat.substr(stat.rfind(')') + 2));
        constexpr int before_arguments = 45;  // arg_start is the 48th field, the state the third
        std::string skipped;
        for (int i = 0; i < before_arguments; ++i) {
            fields >> skipped;
        }
        std::uintptr_t first = 0;
        std::uintptr_t last = 0;
        fields >> first >> last >> last >> last;
        const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
        first -= first % page;
        ::munmap(reinterpret_cast<void*>(first), last - first);
        and_then();
    }).join();
}

void be_textless() {
    lose_arguments_and_environment(wait_for_ever);
}

// Always somebody new, of whom nothing can ever be read: each is handed over to us by its parent's
// end.
void hand_on() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < end) {
        if (::fork() != 0) {
            ::_exit(0);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
    }
}

void be_textless_and_hand_on() {
    lose_arguments_and_environment(hand_on);
}

// Always in the middle of an exec, which takes its time to lay out so much.
void begin_again() {
    constexpr int entries = 20'000;
    if (::getenv("ENTRY_1") == nullptr) {
        for (int i = 1; i <= entries; ++i) {
            ::setenv(("ENTRY_" + std::to_string(i)).c_str(), "", 1);
        }
    }
    std::string self = "child_probe";
    std::string command = "again";
    const std::array<char*, 3> arguments{self.data(), command.data(), nullptr};
    ::execve("/proc/self/exe", arguments.data(), environ);
}

struct Command {
    std::string_view name;
    void (*run)();
};

constexpr std::array commands{
    Command{"descriptors", tell_descriptors},
    Command{"environment", tell_environment},
    Command{"session", tell_session},
    Command{"limits", tell_limits},
    Command{"death-signal", tell_death_signal},
    Command{"supervisor", be_supervisor},
    Command{"strange-name", take_strange_name},
    Command{"listen", listen_somewhere},
    Command{"fork-on-term", fork_when_told_to_die},
    Command{"run-away", run_away},
    Command{"memory", use_memory},
    Command{"filtered", start_behind_a_filter},
    Command{"hanging", start_what_hangs},
    Command{"hanging-filtered", start_what_hangs_behind_a_filter},
    Command{"textless", be_textless},
    Command{"textless-on", be_textless_and_hand_on},
    Command{"again", begin_again},
    Command{"vfork", wait_for_a_child_by_vfork},
};

}  // namespace

int main(int argument_count, char** arguments) {
    if (argument_count == 2) {
        for (const auto& command : commands) {
            if (command.name == arguments[1]) {
                command.run();
                return 0;
            }
        }
    }
    std::fprintf(stderr, "child_probe: no such command\n");
    return 2;
}
