#include "config/changes.hpp"

#include "loading.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tcplock::config {
namespace {

using test::loaded;
using Lines = std::vector<std::string>;

const std::string tcp = "protocol: tcp\nlisten: [{address: 127.0.0.1:2002}]\n";

Lines told(std::string_view before, std::string_view after) {
    constexpr std::string_view reaches[] = {"", "recycles: ", "restart: "};
    Lines lines;
    for (const Change& change : changes(loaded(before), loaded(after))) {
        lines.push_back(std::string(reaches[static_cast<int>(change.reach)]) + to_text(change));
    }
    return lines;
}

TEST(Changes, ThereAreNoneBetweenTwoThatSayTheSame) {
    EXPECT_EQ(told("", "gate: {queue_limit: 100}"), Lines{});
    EXPECT_EQ(told("listen: [{address: 127.0.0.1:2002}]", ""), Lines{});
}

TEST(Changes, LimitsAreObeyedAtOnce) {
    EXPECT_EQ(told("", "gate: {queue_limit: 20, idle_timeout: off}\nshutdown_timeout: 5s"),
              (Lines{"gate.queue_limit 100 -> 20", "gate.idle_timeout 30s -> off",
                     "shutdown_timeout 30s -> 5s"}));
    EXPECT_EQ(told("", "probe: {interval: 1s}\nbackend: {stop_grace: 1s}"),
              (Lines{"backend.stop_grace 5s -> 1s", "probe.interval 5s -> 1s"}));
}

TEST(Changes, AListIsOneValueOnOneLine) {
    EXPECT_EQ(told("", "listen: [{address: 127.0.0.1:2002}, {address: 127.0.0.1:2003}]"),
              Lines{"listen [{address: 127.0.0.1:2002, allow: []}] -> [{address: 127.0.0.1:2002, "
                    "allow: []}, {address: 127.0.0.1:2003, allow: []}]"});
    EXPECT_EQ(told(tcp + "backend: {command: [a, b], address: '127.0.0.1:1'}",
                   tcp + "backend: {command: [a, c], address: '127.0.0.1:1'}"),
              Lines{"recycles: backend.command [a, b] -> [a, c]"});
}

TEST(Changes, WhatABackendIsAskedRecyclesIt) {
    EXPECT_EQ(told("", "probe: {timeout: 1s}"), Lines{"recycles: probe.timeout 2s -> 1s"});
    const Lines kind = told("", "probe: {kind: connect}");
    EXPECT_TRUE(std::ranges::count(kind, "restart: probe.kind uno -> connect")) << kind.front();
    EXPECT_EQ(told(tcp + "backend: {address: '127.0.0.1:8100'}",
                   tcp + "backend: {address: '127.0.0.1:8100'}\nprobe: {timeout: 1s}"),
              Lines{"probe.timeout 2s -> 1s"});
}

TEST(Changes, CanBeToldOfNamesOfAnyLength) {
    const std::string name(3000, 'A');
    const std::string file = "backend: {environment: {? " + name + " : x}}";
    EXPECT_EQ(told(file, file), Lines{});
    EXPECT_EQ(told("", file), Lines{"recycles: backend.environment." + name + " not there -> …"});
}

TEST(Changes, WhatABackendIsMadeOfRecyclesIt) {
    EXPECT_EQ(told("", "backend: {nice: 5, limits: {open_files: 2048}}"),
              (Lines{"recycles: backend.nice 0 -> 5",
                     "recycles: backend.limits.open_files 1024 -> 2048"}));
    const Lines command = told(tcp + "backend: {command: [a], address: '127.0.0.1:1'}",
                               tcp + "backend: {command: [b], address: '127.0.0.1:2'}");
    ASSERT_EQ(command.size(), 2U);
    EXPECT_TRUE(command[0].starts_with("recycles: backend.command"));
    EXPECT_TRUE(command[1].starts_with("recycles: backend.address"));
}

// They may be passwords.
TEST(Changes, DoNotTellWhatIsInTheEnvironment) {
    EXPECT_EQ(told("backend: {environment: {KEY: secret}}",
                   "backend: {environment: {KEY: other, MORE: x}}"),
              (Lines{"recycles: backend.environment.KEY … -> …",
                     "recycles: backend.environment.MORE not there -> …"}));
}

TEST(Changes, WhatIsAskedForOnlyAtTheStartNeedsARestart) {
    EXPECT_EQ(
        told("", "backend: {state_directory: /tmp/other, instances: 3}"),
        (Lines{"restart: backend.instances 1 -> 3",
               "restart: backend.state_directory /var/lib/tcplock-supervisor -> /tmp/other"}));
    EXPECT_EQ(told("admin: {http: '127.0.0.1:9180'}", ""),
              Lines{"restart: admin.http 127.0.0.1:9180 -> off"});
}

TEST(Changes, AnotherKindOfBackendNeedsARestartForAllOfIt) {
    const auto all = changes(loaded("gate: {queue_limit: 20}"),
                             loaded(tcp + "backend: {address: '127.0.0.1:8100'}"));
    EXPECT_FALSE(all.empty());
    for (const Change& change : all) {
        EXPECT_EQ(change.reach, Change::Reach::restart) << change.key;
    }
}

TEST(Changes, TheAddressOfSomebodyElsesServiceNeedsARestart) {
    EXPECT_EQ(told(tcp + "backend: {address: '127.0.0.1:8100'}",
                   tcp + "backend: {address: '127.0.0.1:8101'}"),
              Lines{"restart: backend.address 127.0.0.1:8100 -> 127.0.0.1:8101"});
}

}  // namespace
}  // namespace tcplock::config
