#include "daemon/open_files.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

core::Policy one_slot(std::size_t queue_limit) {
    core::Policy policy;
    policy.backend.instances = 1;
    policy.gate.concurrency = 1;
    policy.gate.queue_limit = queue_limit;
    return policy;
}

TEST(OpenFiles, LeaveTheLineAsItIsWhereThereAreEnough) {
    EXPECT_EQ(fit_line(one_slot(100), 1024, 1).gate.queue_limit, 100U);
}

TEST(OpenFiles, ShortenTheLineByWhatEachListenerTakes) {
    const auto with_one = fit_line(one_slot(100), 128, 1).gate.queue_limit;
    const auto with_three = fit_line(one_slot(100), 128, 3).gate.queue_limit;
    EXPECT_LT(with_one, 100U);
    EXPECT_EQ(with_three + 2, with_one);
}

TEST(OpenFiles, TooFewForAnybodyAreAnErrorThatSaysHowManyAreNeeded) {
    EXPECT_EQ(fit_line(one_slot(100), 100, 1).gate.queue_limit, 1U);
    try {
        (void)fit_line(one_slot(100), 99, 1);
        FAIL() << "nobody could ever wait";
    } catch (const std::runtime_error& error) {
        EXPECT_EQ(std::string(error.what()).substr(0, 57),
                  "the limit of open files is 99, at least 100 are needed: r");
    }
}

TEST(OpenFiles, AreKeptFreeForTheBackend) {
    constexpr std::size_t kept_free = 32;
    const io::Descriptor client(::dup(STDIN_FILENO));
    ASSERT_TRUE(client);
    const auto number = static_cast<std::size_t>(client.get());
    EXPECT_TRUE(is_beyond(client, number + kept_free));
    EXPECT_FALSE(is_beyond(client, number + kept_free + 1));
}

}  // namespace
}  // namespace tcplock::daemon
