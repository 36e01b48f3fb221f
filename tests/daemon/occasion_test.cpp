#include "daemon/occasion.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <string>

namespace tcplock::daemon {
namespace {

using namespace std::chrono_literals;

using Variables = std::map<std::string, std::string>;

Occasion occasion(const std::string& hook, const std::string& instance = "3") {
    config::Placeholders values;
    values.instance = instance;
    values.generation = "17";
    return {hook, core::Generation{17}, "127.0.0.1:2101", values};
}

TEST(Occasion, IsToldByEnvironmentAndDocumentAlike) {
    EXPECT_EQ(variables(occasion("before_admission")),
              (Variables{{"TCPLOCK_HOOK", "before_admission"},
                         {"TCPLOCK_INSTANCE", "3"},
                         {"TCPLOCK_GENERATION", "17"},
                         {"TCPLOCK_ADDRESS", "127.0.0.1:2101"}}));
    EXPECT_EQ(document(occasion("before_admission")),
              "{\"hook\":\"before_admission\",\"instance\":3,\"generation\":17,"
              "\"address\":\"127.0.0.1:2101\"}\n");
}

TEST(Occasion, OfASpareHasNoNumber) {
    Occasion answered = occasion("backend_ready", "standby");
    EXPECT_EQ(variables(answered).at("TCPLOCK_INSTANCE"), "standby");
    answered.after = 1234567us;
    EXPECT_EQ(document(answered),
              "{\"hook\":\"backend_ready\",\"instance\":null,\"generation\":17,"
              "\"address\":\"127.0.0.1:2101\",\"after_ms\":1234}\n");
}

TEST(Occasion, OfAnEndSaysWhyAndHow) {
    Occasion ended = occasion("backend_stopped");
    ended.stop = core::StopBackend{core::Generation{17}, core::StopReason::max_jobs,
                                   core::StopHow::ask, 100, 90s};
    ended.took = 250ms;
    ended.exit = io::ExitStatus{7, 0, false};
    EXPECT_EQ(variables(ended).at("TCPLOCK_REASON"), "max_jobs");
    EXPECT_EQ(document(ended),
              "{\"hook\":\"backend_stopped\",\"instance\":3,\"generation\":17,"
              "\"address\":\"127.0.0.1:2101\",\"reason\":\"max_jobs\",\"jobs\":100,"
              "\"age_ms\":90000,\"took_ms\":250,\"exit\":\"exited with status 7\","
              "\"exit_status\":7}\n");
    ended.exit = io::ExitStatus{0, SIGKILL, false};
    EXPECT_TRUE(
        document(ended).ends_with("\"exit\":\"killed by signal 9 (KILL)\",\"exit_signal\":9}\n"));
}

TEST(Occasion, NamesWhoWasCut) {
    Occasion overdue = occasion("session_timeout");
    overdue.client = Guest{core::ClientId{7}, "[::1]:36454", core::Generation{17}};
    EXPECT_TRUE(document(overdue).ends_with(",\"client\":{\"id\":7,\"peer\":\"[::1]:36454\"}}\n"));
}

// Names that operators give, the longest there are: of a socket, and of a machine.
TEST(Occasion, IsOneShortLineWhateverItsAddressIs) {
    Occasion odd = occasion("backend_stopped");
    odd.address = "unix:/" + std::string(107, '\n');
    EXPECT_EQ(document(odd).find('\n'), document(odd).size() - 1);
    odd.address = std::string(253, '"') + ":65535";
    EXPECT_LE(document(odd).size(), 4096U);
}

}  // namespace
}  // namespace tcplock::daemon
