// How much memory there is for us: the machine's, or less where a control group limits it.
//
// Of every group from ours to the outermost that can be seen the smallest limit counts: versions 1
// and 2 of Linux's control groups, also in a container that shows its own group as the root.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace tcplock::io {

// In bytes.
struct MachineMemory {
    std::uint64_t total = 0;
    // What could be had without pushing anybody out: free, or a cache that can be dropped.
    std::uint64_t available = 0;
};

// Nothing if /proc/meminfo cannot be read. `root` is where /proc and /sys are.
std::optional<MachineMemory> machine_memory(const std::filesystem::path& root = "/");

}  // namespace tcplock::io
