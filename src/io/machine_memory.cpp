#include "io/machine_memory.hpp"

#include "io/proc.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <string_view>

namespace tcplock::io {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_file = 65536;

std::string read(const fs::path& path) {
    return read_small_file(path.string(), longest_file).value_or(std::string{});
}

std::optional<std::uint64_t> number_in(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} ? std::optional(value) : std::nullopt;
}

// The number behind a word at the beginning of a line.
std::optional<std::uint64_t> entry(const std::string& text, const std::string& word) {
    const std::size_t found = ("\n" + text).find("\n" + word);
    return found == std::string::npos
               ? std::nullopt
               : number_in(std::string_view{text}.substr(found + word.size()));
}

// The names of a version's files.
struct Version {
    const char* mount;
    const char* limit;    // a number, or "max"
    const char* used;     // caches included
    const char* dropped;  // of those, what can be dropped, in memory.stat
};
constexpr Version version_1{"sys/fs/cgroup/memory", "memory.limit_in_bytes",
                            "memory.usage_in_bytes", "total_inactive_file "};
constexpr Version version_2{"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "};

void limit_by(const fs::path& group, const Version& version, MachineMemory& memory) {
    const auto limit = number_in(read(group / version.limit));
    const auto used = number_in(read(group / version.used));
    if (!limit || !used) {
        return;  // There is no limit, or no such group to be seen.
    }
    const std::uint64_t cached = entry(read(group / "memory.stat"), version.dropped).value_or(0);
    const std::uint64_t needed = *used - std::min(cached, *used);
    memory.total = std::min(memory.total, *limit);
    memory.available = std::min(memory.available, *limit - std::min(needed, *limit));
}

void limit_by_all(const fs::path& root, const Version& version, fs::path group,
                  MachineMemory& memory) {
    const fs::path mount = root / version.mount;
    group = group.relative_path();
    while (!group.empty()) {
        limit_by(mount / group, version, memory);
        group = group.parent_path();
    }
    limit_by(mount, version, memory);
}

}  // namespace

std::optional<MachineMemory> machine_memory(const fs::path& root) {
    constexpr std::uint64_t kibibyte = 1024;
    const std::string meminfo = read(root / "proc/meminfo");
    const auto total = entry(meminfo, "MemTotal:");
    const auto available = entry(meminfo, "MemAvailable:");
    if (!total || !available) {
        return std::nullopt;
    }
    MachineMemory memory{*total * kibibyte, *available * kibibyte};
    // Lines like "0::/path" (version 2) and "4:memory:/path" (version 1).
    std::string_view groups;
    const std::string text = read(root / "proc/self/cgroup");
    for (groups = text; !groups.empty();) {
        const std::string_view line = groups.substr(0, groups.find('\n'));
        groups.remove_prefix(std::min(line.size() + 1, groups.size()));
        const std::size_t first = line.find(':');
        const std::size_t second = first == line.npos ? line.npos : line.find(':', first + 1);
        if (second == line.npos) {
            continue;
        }
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string_view path = line.substr(second + 1);
        if (controllers.empty()) {
            limit_by_all(root, version_2, path, memory);
        } else if (("," + std::string{controllers} + ",").find(",memory,") != std::string::npos) {
            limit_by_all(root, version_1, path, memory);
        }
    }
    return memory;
}

}  // namespace tcplock::io
