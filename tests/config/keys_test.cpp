#include "config/keys.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace tcplock::config {
namespace {

TEST(Keys, AreAllDifferent) {
    std::set<std::string_view> paths;
    for (const Key& key : keys()) {
        EXPECT_TRUE(paths.insert(key.path).second) << key.path;
    }
}

TEST(Keys, AreFineOrStillToCome) {
    for (const Key& key : keys()) {
        EXPECT_EQ(wrong_key(key.path), key.standing == Key::Standing::available
                                           ? ""
                                           : "not available yet, expected it to be left out")
            << key.path;
    }
}

TEST(Keys, AreSuggestedWhenMisspelt) {
    EXPECT_EQ(wrong_key("protcol"), "unknown key, did you mean protocol?");
    EXPECT_EQ(wrong_key("gate.que_limit"), "unknown key, did you mean queue_limit?");
    EXPECT_EQ(wrong_key("gate.queue-limit"), "unknown key, did you mean queue_limit?");
    EXPECT_EQ(wrong_key("gate.Queue_Limit"), "unknown key, did you mean queue_limit?");
    EXPECT_EQ(wrong_key("backend.limits.openfiles"), "unknown key, did you mean open_files?");
    EXPECT_EQ(wrong_key("listen[].adress"), "unknown key, did you mean address?");
    EXPECT_EQ(wrong_key("maxjobs"), "unknown key, did you mean recycle.max_jobs?");
}

TEST(Keys, AreShownWhereTheyBelong) {
    EXPECT_EQ(wrong_key("max_jobs"), "does not belong here, expected recycle.max_jobs");
    EXPECT_EQ(wrong_key("command"),
              "does not belong here, expected backend.command, probe.command, "
              "hooks.before_admission.command, hooks.session_timeout.command, "
              "hooks.backend_ready.command or hooks.backend_stopped.command");
    EXPECT_EQ(wrong_key("gate.level"), "does not belong here, expected log.level");
    EXPECT_EQ(wrong_key("probe.idle_timeout"), "does not belong here, expected gate.idle_timeout");
}

TEST(Keys, AreListedWhenNothingIsNear) {
    EXPECT_EQ(wrong_key("log.zzzzzz"), "unknown key, expected level or format");
    EXPECT_EQ(wrong_key("recycle.<<"),
              "unknown key, expected max_jobs, max_age, schedule, memory_soft_limit, "
              "memory_hard_limit or idle_shutdown");
    EXPECT_EQ(wrong_key("admin.zzzzzz"),
              "unknown key, expected socket, socket_mode, socket_group or http");
    EXPECT_EQ(wrong_key("log." + std::string(100'000, 'x')),
              "unknown key, expected level or format");
}

TEST(Nearest, IsNeverFar) {
    constexpr std::array<std::string_view, 3> words{"debug", "info", "warn"};
    EXPECT_EQ(nearest("inf", words), "info");
    EXPECT_EQ(nearest("DEBUG", words), "debug");
    EXPECT_EQ(nearest("debgu", words), "");
    EXPECT_EQ(nearest("xy", words), "");
    EXPECT_EQ(nearest("", words), "");
}

}  // namespace
}  // namespace tcplock::config
