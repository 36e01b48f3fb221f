// Starts one backend: fork, prepare, exec. The caller learns either the pid and the pipe with
// everything the child prints, or in words which step failed; there is nothing in between, and
// nothing is thrown.
//
// It never waits for the child and never signals it: a failed start leaves a dead child behind that
// the Reaper collects, like every other. Call it from the thread that lives as long as the program:
// the death signal is tied to the thread that forked.
#pragma once

#include "io/user.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <system_error>
#include <variant>
#include <vector>

namespace tcplock::io {

struct ChildSpec {
    std::vector<std::string> command;  // As typed; command[0] is sought in the child's PATH.
    // Complete: the child gets this and nothing else.
    std::map<std::string, std::string> environment = {};
    std::filesystem::path directory = {};  // Empty: stay where we are.
    std::optional<Identity> user = {};     // Absent: stay who we are.
    int nice = 0;                          // Added to our own, as nice(1) does.
    int oom_score_adjust = 0;
    std::optional<std::uint64_t> open_files = {};  // Absent: inherit ours.
    std::optional<std::uint64_t> address_space = {};
    std::optional<std::uint64_t> core_size = {};
    // Made by the child, as its user, if it is not there; empty: none.
    std::filesystem::path folder = {};
    unsigned mask = 0;  // what its files never allow, beside our own umask
    // What it finds on its standard input, whether it reads or not: at most 4096 bytes, which every
    // pipe holds. Empty: /dev/null.
    std::string input = {};
};

struct Child {
    pid_t pid;                                     // Leads a session and a group of this number.
    boost::asio::posix::stream_descriptor output;  // Standard output and error together.
};

struct SpawnFailure {
    std::string what;  // A whole sentence for the log, the system's reason included.
    std::error_code code;
};

std::variant<Child, SpawnFailure> spawn(boost::asio::io_context& io, const ChildSpec& spec);

}  // namespace tcplock::io
