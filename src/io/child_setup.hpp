// What the forked child does before it becomes the backend, and how it says what went wrong.
//
// Between fork and exec only async-signal-safe calls are made: everything that looks something up
// or allocates was done by the parent. The child ends in execve or _exit, never in exit: it holds a
// copy of the parent's unwritten output and of its objects, and neither may be flushed or destroyed
// twice.
#pragma once

#include "io/user.hpp"

#include <boost/system/error_code.hpp>

#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>

namespace tcplock::io {

enum class SetupStage : int {
    fork,
    session,
    standard_streams,
    descriptors,
    open_files,
    address_space,
    core_size,
    nice,
    user,
    directory,
    folder,
    death_signal,
    program,
    in_time,  // Found by the parent.
};

// One of these arrives at the parent if the start failed, and none if the program runs.
struct SetupFailure {
    SetupStage stage;
    int error;
};

bool close_range_works();
int highest_open_descriptor();

// An initializer for Boost.Process; it takes over in the child and does not come back.
struct ChildSetup {
    pid_t parent;
    int input;  // All four descriptors are above 2, so that none is in the way of another.
    int output;
    int failures;
    int highest_descriptor;  // Only where close_range does not work; otherwise -1.
    const char* program;
    char* const* arguments;
    char* const* environment;
    const char* directory;     // Null: stay.
    const char* folder;        // Null: none.
    unsigned mask;             // added to the umask
    const Identity* identity;  // Null: stay who we are.
    int nice_value;
    std::string oom_score_adjust;
    std::optional<rlim_t> open_files;
    std::optional<rlim_t> address_space;
    std::optional<rlim_t> core_size;

    // The launcher's last words before the fork: all that it opens is open by now.
    template <class Launcher, class Path>
    boost::system::error_code on_setup(Launcher&, const Path&, const char* const*&) {
        highest_descriptor = close_range_works() ? -1 : highest_open_descriptor();
        return {};
    }

    template <class Launcher, class Path>
    boost::system::error_code on_exec_setup(Launcher&, const Path&, const char* const*&) const {
        become_program();
    }

    [[noreturn]] void become_program() const;
    void make_folder() const;
    [[noreturn]] void give_up(SetupStage stage, int error) const;

private:
    void connect_standard_streams() const;
    void hide_descriptors() const;
    void limit_resources() const;
    void change_user() const;
    void die_with_parent() const;
};

}  // namespace tcplock::io
