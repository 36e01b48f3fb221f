#include "io/machine_memory.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace tcplock::io {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t mebibyte = 1 << 20;

// A machine of 1000 MiB of which 600 are available, as /proc and /sys tell it.
class MachineMemoryTest : public ::testing::Test {
protected:
    MachineMemoryTest() {
        std::string name = (fs::temp_directory_path() / "tcplock-XXXXXX").string();
        root_ = ::mkdtemp(name.data());
        write("proc/meminfo", "MemTotal: 1024000 kB\nMemFree: 1 kB\nMemAvailable:  614400 kB\n");
        write("proc/self/cgroup", "0::/\n");
    }
    ~MachineMemoryTest() override { fs::remove_all(root_); }

    void write(const fs::path& path, std::string_view text) const {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }

    // All in MiB. Version 2.
    void limit(const fs::path& group, std::uint64_t max, std::uint64_t used,
               std::uint64_t cached) const {
        const fs::path folder = "sys/fs/cgroup" / group;
        write(folder / "memory.max", std::to_string(max * mebibyte) + "\n");
        write(folder / "memory.current", std::to_string(used * mebibyte) + "\n");
        write(folder / "memory.stat", "anon 1\nactive_file 5\ninactive_file " +
                                          std::to_string(cached * mebibyte) + "\nslab 2\n");
    }

    void expect(std::uint64_t total, std::uint64_t available) const {
        const auto memory = machine_memory(root_);
        ASSERT_TRUE(memory);
        EXPECT_EQ(memory->total, total * mebibyte);
        EXPECT_EQ(memory->available, available * mebibyte);
    }

    fs::path root_;
};

TEST_F(MachineMemoryTest, IsTheMachinesWithoutAGroup) {
    expect(1000, 600);
    fs::remove(root_ / "proc/self/cgroup");
    expect(1000, 600);
}

TEST_F(MachineMemoryTest, IsNotKnownWithoutMeminfo) {
    write("proc/meminfo", "MemTotal: 1024000 kB\n");
    EXPECT_FALSE(machine_memory(root_));
    fs::remove(root_ / "proc/meminfo");
    EXPECT_FALSE(machine_memory(root_));
}

TEST_F(MachineMemoryTest, IsTheGroupsIfThatIsLess) {
    limit("", 500, 300, 100);
    expect(500, 300);
}

TEST_F(MachineMemoryTest, IsTheMachinesIfThatIsLess) {
    limit("", 5000, 300, 100);
    expect(1000, 600);
}

TEST_F(MachineMemoryTest, IsUnlimitedInAGroupWithoutLimit) {
    write("sys/fs/cgroup/memory.max", "max\n");
    write("sys/fs/cgroup/memory.current", "1\n");
    expect(1000, 600);
}

TEST_F(MachineMemoryTest, IsTheLeastOfAllGroupsAround) {
    write("proc/self/cgroup", "0::/office.slice/gate.service\n");
    limit("office.slice/gate.service", 800, 100, 0);
    limit("office.slice", 900, 890, 40);
    expect(800, 50);
}

TEST_F(MachineMemoryTest, IsFoundInAContainerThatDoesNotSeeItsOwnPath) {
    write("proc/self/cgroup", "0::/system.slice/docker-0123.scope\n");
    limit("", 400, 100, 0);
    expect(400, 300);
}

TEST_F(MachineMemoryTest, IsNoneLeftWhereMoreIsUsedThanAllowed) {
    limit("", 400, 500, 0);
    expect(400, 0);
}

TEST_F(MachineMemoryTest, IsLimitedByTheFirstVersionToo) {
    write("proc/self/cgroup", "12:pids:/x\n4:cpu,memory:/docker/0123\n0::/\n");
    const fs::path folder = "sys/fs/cgroup/memory/docker/0123";
    write(folder / "memory.limit_in_bytes", std::to_string(300 * mebibyte));
    write(folder / "memory.usage_in_bytes", std::to_string(200 * mebibyte));
    write(folder / "memory.stat", "cache 7\ntotal_inactive_file " + std::to_string(50 * mebibyte));
    expect(300, 150);
}

TEST_F(MachineMemoryTest, OfThisMachineIsKnown) {
    const auto memory = machine_memory();
    ASSERT_TRUE(memory);
    EXPECT_GT(memory->total, 64 * mebibyte);
    EXPECT_LE(memory->available, memory->total);
}

}  // namespace
}  // namespace tcplock::io
