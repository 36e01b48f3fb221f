#include "config/doubts.hpp"

#include "loading.hpp"

#include <gtest/gtest.h>

namespace tcplock::config {
namespace {

using Lines = std::vector<std::string>;

Lines doubts_about(std::string_view text) {
    return test::lines_of(doubts(test::loaded(text)));
}

constexpr std::string_view tcp =
    "protocol: tcp\n"
    "listen: [{address: \"127.0.0.1:7000\"}]\n"
    "backend: {command: [serve, \"{port}\"], address: \"127.0.0.1:{port}\"}\n";

TEST(Doubts, AreNoneAboutDefaults) {
    EXPECT_EQ(doubts_about(""), Lines{});
    EXPECT_EQ(doubts_about(tcp), Lines{});
}

TEST(Doubts, NameALineShorterThanAHungJobAndARestart) {
    EXPECT_EQ(doubts_about("gate:\n  queue_timeout: 199s\n"),
              (Lines{"f:2: gate.queue_timeout: one hung job and a restart can take 200s "
                     "(session_timeout + stop_grace + start_timeout + admission), and who waits "
                     "behind it is refused after 199s (queue_timeout)"}));
    EXPECT_EQ(doubts_about("gate:\n  queue_timeout: 200s\n"), Lines{});
    EXPECT_EQ(doubts_about("gate:\n  session_timeout: 10min\n").size(), 1U);
    EXPECT_EQ(doubts_about("backend: {start_timeout: 9min}\n")[0].substr(0, 23),
              "f:1: backend.start_time");
}

TEST(Doubts, NameAProbeThatOverlapsTheNext) {
    EXPECT_EQ(
        doubts_about("probe: {timeout: 5s}\n"),
        (Lines{"f:1: probe.timeout: the timeout (5s) is not shorter than the interval (5s), so "
               "a hung backend is found later than interval × failure_threshold + timeout"}));
    EXPECT_EQ(doubts_about("probe: {interval: 1s}\n").size(), 1U);
}

TEST(Doubts, NameAProbeThatDoesNotFindAFrozenOffice) {
    EXPECT_EQ(
        doubts_about("probe:\n  kind: connect\n"),
        (Lines{"f:2: probe.kind: a frozen office still accepts: kind connect does not find it, "
               "kind uno does"}));
}

TEST(Doubts, NameAPipeTheBackendIsNotTold) {
    const std::string command =
        "backend:\n  command: [soffice, \"-env:UserInstallation=file://{profile}\",\n    ";
    EXPECT_EQ(doubts_about(command + "\"--accept=pipe,name={name};urp;\"]\n"
                                     "  address: \"unix:/tmp/OSL_PIPE_{uid}_{name}\"\n"),
              Lines{});
    EXPECT_EQ(doubts_about(command + "\"--accept=pipe,name=office;urp;\"]\n"
                                     "  address: \"unix:/tmp/OSL_PIPE_{uid}_{name}\"\n"),
              (Lines{"f:2: backend.command: --accept makes unix:/tmp/OSL_PIPE_{uid}_office, but "
                     "backend.address is another"}));
    EXPECT_EQ(doubts_about(command + "\"--accept=socket,host=127.0.0.1,port={port};urp;\"]\n"
                                     "  address: \"unix:/tmp/OSL_PIPE_{uid}_{name}\"\n"),
              (Lines{"f:2: backend.command: backend.address is a socket's path, but the backend is "
                     "not told --accept=pipe,name={name};urp;"}));
}

TEST(Doubts, NameAPipeWhereAPortIsExpected) {
    EXPECT_EQ(doubts_about("backend:\n  command: [soffice, \"{profile}\", "
                           "\"--accept=pipe,name={name};urp;\"]\n"
                           "  address: \"127.0.0.1:2100\"\n"),
              (Lines{"f:2: backend.command: --accept makes a pipe, but backend.address is not "
                     "unix:/tmp/OSL_PIPE_…"}));
}

TEST(Doubts, NameAPortTheBackendIsNotTold) {
    EXPECT_EQ(
        doubts_about("backend:\n  command: [soffice, \"-env:UserInstallation=file://{profile}\",\n"
                     "    \"--accept=socket,host=127.0.0.1,port=2002;urp;\"]\n"),
        (Lines{"f:2: backend.command: --accept listens on port 2002, but backend.address "
               "expects port {port}"}));
    EXPECT_EQ(doubts_about("backend:\n  address: 127.0.0.1:2100\n"),
              (Lines{"f:2: backend.address: --accept listens on port {port}, but backend.address "
                     "expects port 2100"}));
    EXPECT_EQ(doubts_about("protocol: tcp\nlisten: [{address: \"127.0.0.1:7000\"}]\n"
                           "backend: {command: [serve], address: \"127.0.0.1:{port}\"}\n"),
              (Lines{"f:3: backend.command: backend.address holds {port}, but neither command nor "
                     "environment tells the backend its port"}));
    EXPECT_EQ(
        doubts_about("protocol: tcp\nlisten: [{address: \"127.0.0.1:7000\"}]\n"
                     "backend: {command: [serve, \"{port}\"], address: \"127.0.0.1:7001\"}\n"),
        (Lines{"f:3: backend.command: the backend is told {port}, but backend.address does not "
               "hold it"}));
    EXPECT_EQ(doubts_about("protocol: tcp\nlisten: [{address: \"127.0.0.1:7000\"}]\n"
                           "backend: {command: [serve], address: \"127.0.0.1:{port}\",\n"
                           "          environment: {PORT: \"{port}\"}}\n"),
              Lines{});
    EXPECT_EQ(
        doubts_about("backend:\n  address: 127.0.0.1:2100\n  command: [soffice, \"{profile}\",\n"
                     "    \"--accept=socket,host=127.0.0.1,port=2100,tcpNoDelay=1;urp;\"]\n"),
        Lines{});
}

TEST(Doubts, NameAPortWithoutAnother) {
    EXPECT_EQ(doubts_about("backend: {ports: 3000}\n"),
              (Lines{"f:1: backend.ports: one port alone: when a stranger holds one, or a "
                     "backend there cannot be killed, there is no other to start at"}));
    EXPECT_EQ(doubts_about("backend: {ports: 3000-3001}\n"), Lines{});
    EXPECT_EQ(
        doubts_about("backend:\n  instances: 2\n  standby: 1\n  ports: 3000-3003\n"),
        (Lines{
            "f:4: backend.ports: 4 ports, none to spare: when a stranger holds one, or a backend "
            "there cannot be killed, there is no other to start at"}));
    EXPECT_EQ(doubts_about("backend: {instances: 2, standby: 1, ports: 3000-3004}\n"), Lines{});
}

TEST(Doubts, NameAnOfficeWithoutAProfileOfItsOwn) {
    EXPECT_EQ(
        doubts_about("backend:\n  command: [soffice, \"--accept=socket,port={port};urp;\"]\n"),
        (Lines{"f:2: backend.command: no -env:UserInstallation=file://{profile}: two offices "
               "with one profile destroy each other's"}));
}

TEST(Doubts, NameWhatAnOfficeShouldNotHave) {
    EXPECT_EQ(
        doubts_about("gate: {half_closed: keep}\nbackend: {limits: {address_space: off}}\n"),
        (Lines{"f:1: gate.half_closed: a UNO client that was killed looks like one that shut "
               "down its sending side: with keep its job holds the gate until session_timeout",
               "f:2: backend.limits.address_space: off: a stray client can make an office "
               "allocate gigabytes"}));
    EXPECT_EQ(doubts_about(std::string{tcp} + "gate: {half_closed: keep}\n"), Lines{});
}

TEST(Doubts, NameLimitsThatNeverMatter) {
    EXPECT_EQ(doubts_about("gate: {first_byte_timeout: 5min, idle_timeout: 2min}\n"),
              (Lines{"f:1: gate.first_byte_timeout: gate.first_byte_timeout (5min) is not shorter "
                     "than session_timeout (2min), which always comes first",
                     "f:1: gate.idle_timeout: gate.idle_timeout (2min) is not shorter than "
                     "session_timeout (2min), which always comes first"}));
    EXPECT_EQ(doubts_about("gate: {session_timeout: 20s}\n"), Lines{});
}

TEST(Doubts, NameAnIdleTimeoutThatCutsJobs) {
    EXPECT_EQ(
        doubts_about("gate: {idle_timeout: 40s}\nprobe: {kind: greeting, expect: x}\n"),
        (Lines{"f:1: gate.idle_timeout: without kind uno nobody knows whether a silent client "
               "waits for its job: one that takes longer than idle_timeout (40s) is cut"}));
    EXPECT_EQ(doubts_about("probe: {kind: greeting, expect: x}\n"), Lines{});
    EXPECT_EQ(doubts_about(std::string{tcp} + "gate: {idle_timeout: 40s}\n"), Lines{});
}

TEST(Doubts, NameANetworkThatNeverConnects) {
    EXPECT_EQ(
        doubts_about("listen:\n  - address: 0.0.0.0:2002\n    allow: [\"fd00::/8\"]\n"),
        (Lines{"f:3: listen[0].allow: fd00::/8 never connects to 0.0.0.0:2002, which is of the "
               "other address family"}));
    EXPECT_EQ(doubts_about("listen:\n  - {address: \"[::]:2002\", allow: [10.0.0.0/8]}\n"),
              (Lines{"f:2: listen[0].allow: 10.0.0.0/8 never connects to [::]:2002, which is of the "
                     "other address family"}));
    EXPECT_EQ(doubts_about("listen:\n  - {address: \"[::]:2002\", allow: [\"fd00::/8\"]}\n"),
              Lines{});
}

TEST(Doubts, SayNothingOfPassedSockets) {
    EXPECT_EQ(doubts_about("listen:\n  - {address: systemd, allow: [\"fd00::/8\", 10.0.0.0/8]}\n"),
              Lines{});
}

TEST(Doubts, NameBytesThatAreTwo) {
    EXPECT_EQ(
        doubts_about("probe:\n  kind: greeting\n  expect: \"\\xff\"\n"),
        (Lines{"f:3: probe.expect: holds a character from \\x80 to \\xff, which is two bytes in "
               "UTF-8; write !!binary and base64 if one byte is meant"}));
    EXPECT_EQ(doubts_about("probe:\n  kind: greeting\n  expect: !!binary /w==\n"), Lines{});
}

TEST(Doubts, NameAStatusPageThatOtherMachinesReach) {
    EXPECT_EQ(doubts_about("admin: {http: '0.0.0.0:9180'}\n"),
              (Lines{"f:1: admin.http: can be reached from other machines, and whoever reaches it "
                     "sees every client's address; put a proxy that asks for a password before "
                     "127.0.0.1"}));
    EXPECT_EQ(doubts_about("admin: {http: '[::1]:9180'}\n"), Lines{});
}

TEST(Doubts, AreSortedByLine) {
    const auto found = doubts(test::loaded("probe: {timeout: 6s}\ngate: {queue_timeout: 1s}\n"));
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].line, 1);
    EXPECT_EQ(found[1].line, 2);
}

}  // namespace
}  // namespace tcplock::config
