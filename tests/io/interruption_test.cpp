#include "io/interruption.hpp"

#include "io/descriptor.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

namespace tcplock::io {
namespace {

TEST(Interruption, EndsACallThatWouldWaitForEver) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Descriptor from(ends[0]);
    const Descriptor to(ends[1]);
    for (int time = 0; time < 3; ++time) {
        const Interruption limit;
        char byte = 0;
        EXPECT_EQ(::read(from.get(), &byte, 1), -1);
        EXPECT_EQ(errno, EINTR);
    }
}

TEST(Interruption, LeavesTheCallsAfterItAlone) {
    { const Interruption limit; }
    const timespec much_longer{0, 100'000'000};
    EXPECT_EQ(::nanosleep(&much_longer, nullptr), 0);
}

}  // namespace
}  // namespace tcplock::io
