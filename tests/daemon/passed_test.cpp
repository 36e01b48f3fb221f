#include "daemon/passed.hpp"

#include "config/load.hpp"
#include "io/address.hpp"

#include <gtest/gtest.h>

#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tcplock::daemon {
namespace {

using Lines = std::vector<std::string>;

const std::string systemd = "listen:\n  - address: systemd\n";
const std::string tcp = "protocol: tcp\nbackend: {command: [serve], address: \"127.0.0.1:9\"}\n";

config::Config loaded(std::string_view text) {
    auto result = config::load_text(
        text, "f", [](const std::string&) { return std::optional<std::string>(); });
    if (const auto* const problems = std::get_if<std::vector<config::Problem>>(&result)) {
        throw std::invalid_argument(to_text(problems->front()));
    }
    return std::get<config::Config>(std::move(result));
}

PassedSockets at(std::initializer_list<std::string_view> addresses) {
    PassedSockets passed;
    for (const std::string_view address : addresses) {
        io::PassedSocket& one = passed.emplace_back();
        one.address = *io::parse_endpoint(address);
        one.endpoints = {one.address};
        one.name = "gate";
        one.what = io::describe(one.address) + " (gate)";
    }
    return passed;
}

// As a socket unit opens [::] unless it says BindIPv6Only=ipv6-only.
PassedSockets at_every_address(std::uint16_t port) {
    const std::string address = "[::]:" + std::to_string(port);
    PassedSockets passed = at({address});
    passed[0].endpoints.emplace_back(boost::asio::ip::address_v4::any(), port);
    return passed;
}

Lines problems(const PassedSockets& passed, std::string_view text) {
    Lines lines;
    for (const config::Problem& problem : problems_with(passed, loaded(text))) {
        lines.push_back(to_text(problem));
    }
    return lines;
}

TEST(Passed, FitWhereTheyAreExpected) {
    EXPECT_EQ(problems({}, ""), Lines{});
    EXPECT_EQ(problems(at({"127.0.0.1:2002"}), systemd), Lines{});
    EXPECT_EQ(problems(at({"127.0.0.1:2002", "[::1]:2002", "127.0.0.2:7"}), systemd), Lines{});
    EXPECT_EQ(problems(at({"127.0.0.1:2002"}), systemd + "  - address: 127.0.0.1:2003\n"), Lines{});
}

TEST(Passed, AreMissing) {
    EXPECT_EQ(problems({}, "listen:\n  - address: 127.0.0.1:1\n  - address: systemd\n"),
              (Lines{"f:3: listen[1].address: no socket was passed, expected a start by a socket "
                     "unit (systemctl start tcplock-supervisor.socket), or an address like "
                     "127.0.0.1:2002 here"}));
}

TEST(Passed, AreNotExpected) {
    const std::string why =
        " was passed by a socket unit, and nobody would accept clients there, expected \"- "
        "address: systemd\" in this list, or no socket unit";
    EXPECT_EQ(
        problems(at({"127.0.0.1:7", "[::1]:7"}), "listen: [{address: \"127.0.0.1:1\"}]\n"),
        (Lines{"f:1: listen: 127.0.0.1:7 (gate)" + why, "f:1: listen: [::1]:7 (gate)" + why}));
    EXPECT_EQ(problems(at({"127.0.0.1:7"}), ""), (Lines{"f: listen: 127.0.0.1:7 (gate)" + why}));
}

TEST(Passed, AreNotExpectedAndNoSockets) {
    PassedSockets passed = at({"127.0.0.1:7"});
    passed[0].what = "descriptor 3 (file)";
    passed[0].no_socket = "is no socket";
    EXPECT_EQ(problems(passed, ""),
              (Lines{"f: listen: descriptor 3 (file), of which LISTEN_FDS tells, is no socket, "
                     "expected nothing to be passed without \"- address: systemd\" in this list"}));
}

TEST(Passed, AreOfTheWrongKind) {
    PassedSockets passed = at({"127.0.0.1:2002"});
    passed[0].why_not = "is no socket of TCP";
    EXPECT_EQ(problems(passed, systemd),
              (Lines{"f:2: listen[0].address: 127.0.0.1:2002 (gate) is no socket of TCP"}));
}

TEST(Passed, BeyondLoopbackNeedAnAnswerAsAnAddressInTheFileDoes) {
    const std::string why =
        ", expected the networks that may connect, or [any]: 0.0.0.0:2002 (gate) can be reached "
        "from other machines, and whoever reaches a UNO socket can run programs";
    const auto everywhere = at({"0.0.0.0:2002"});
    EXPECT_EQ(problems(everywhere, systemd), (Lines{"f:2: listen[0].allow: missing" + why}));
    EXPECT_EQ(problems(everywhere, systemd + "    allow: []\n"),
              (Lines{"f:3: listen[0].allow: empty" + why}));
    EXPECT_EQ(problems(everywhere, systemd + "    allow: [any]\n"), Lines{});
    EXPECT_EQ(problems(everywhere, systemd + "    allow: [10.0.0.0/8]\n"), Lines{});
    EXPECT_EQ(problems(everywhere, tcp + systemd), Lines{});
    for (const std::string_view address : {"[::]:2002", "10.0.0.1:2002", "[fe80::1%1]:2002"}) {
        EXPECT_EQ(problems(at({address}), systemd).size(), 1U) << address;
    }
}

TEST(Passed, AreInTheFileAsWell) {
    EXPECT_EQ(problems(at({"127.0.0.1:2002"}), systemd + "  - address: 127.0.0.1:2002\n"),
              (Lines{"f:3: listen[1].address: 127.0.0.1:2002 is passed by a socket unit already, "
                     "expected each address once"}));
    // As the system may tell it, and as somebody may write it.
    EXPECT_EQ(problems(at({"[::1]:2002"}), systemd + "  - address: \"[0:0:0:0:0:0:0:1]:2002\"\n"),
              (Lines{"f:3: listen[1].address: [::1]:2002 is passed by a socket unit already, "
                     "expected each address once"}));
    EXPECT_EQ(problems(at({"[::ffff:127.0.0.1]:2002"}), systemd + "  - address: 127.0.0.1:2002\n"),
              (Lines{"f:3: listen[1].address: 127.0.0.1:2002 is passed by a socket unit already, "
                     "expected each address once"}));
}

TEST(Passed, AreInPartInTheFileAsWell) {
    const auto part = [](const std::string& written, const std::string& passed) {
        return Lines{"f:4: listen[1].address: " + written + " and " + passed +
                     " (gate), which a socket unit has passed, are in part the same, expected "
                     "each address once"};
    };
    const auto beside = [](const std::string& address) {
        return tcp + "listen: [{address: systemd},\n  {address: \"" + address + "\"}]\n";
    };
    EXPECT_EQ(problems(at({"127.0.0.1:7"}), beside("0.0.0.0:7")), part("0.0.0.0:7", "127.0.0.1:7"));
    EXPECT_EQ(problems(at({"0.0.0.0:7"}), beside("127.0.0.2:7")), part("127.0.0.2:7", "0.0.0.0:7"));
    EXPECT_EQ(problems(at({"[::1]:7"}), beside("[::]:7")), part("[::]:7", "[::1]:7"));
    EXPECT_EQ(problems(at_every_address(7), beside("127.0.0.1:7")), part("127.0.0.1:7", "[::]:7"));
    EXPECT_EQ(problems(at_every_address(7), beside("[::1]:7")), part("[::1]:7", "[::]:7"));
    const auto of_one_link = at({"[fe80::1%1]:7"});
    EXPECT_EQ(problems(of_one_link, beside("[::]:7")),
              part("[::]:7", io::describe(of_one_link[0].address)));
    EXPECT_EQ(problems(at({"[::]:7"}), beside("127.0.0.1:7")), Lines{});
    EXPECT_EQ(problems(at({"127.0.0.1:7"}), beside("127.0.0.2:7")), Lines{});
    EXPECT_EQ(problems(at({"0.0.0.0:7"}), beside("127.0.0.1:8")), Lines{});
}

TEST(Passed, AreWhereOperatorsRead) {
    const std::string http = tcp + systemd + "admin:\n  http: 127.0.0.1:7\n";
    const auto why = [](const std::string& passed) {
        return Lines{"f:6: admin.http: 127.0.0.1:7 is where clients connect, at " + passed +
                     " (gate) passed by a socket unit, expected an address of its own"};
    };
    EXPECT_EQ(problems(at({"127.0.0.1:7"}), http), why("127.0.0.1:7"));
    EXPECT_EQ(problems(at({"0.0.0.0:7"}), http), why("0.0.0.0:7"));
    EXPECT_EQ(problems(at_every_address(7), http), why("[::]:7"));
    EXPECT_EQ(problems(at({"[::]:7", "127.0.0.1:8", "127.0.0.2:7"}), http), Lines{});
}

TEST(Passed, AreWhereTheBackendListens) {
    const auto why = [](const std::string& passed) {
        return Lines{"f:4: listen[0].address: " + passed +
                     " (gate) is where the backend listens, expected another port in the socket "
                     "unit"};
    };
    EXPECT_EQ(problems(at({"127.0.0.1:9"}), tcp + systemd), why("127.0.0.1:9"));
    EXPECT_EQ(problems(at_every_address(9), tcp + systemd), why("[::]:9"));
    EXPECT_EQ(problems(at({"127.0.0.2:9"}), tcp + systemd), Lines{});
}

TEST(Passed, AreWhereTheBackendListensHoweverThatIsWritten) {
    const auto named = [](const PassedSockets& passed, const std::string& backend) {
        return problems(passed, "protocol: tcp\nbackend: {" + backend + "}\n" + systemd).size();
    };
    // Somebody else's, and ours.
    for (const std::string command : {"", "command: [serve], "}) {
        const auto clashes = [&](const PassedSockets& passed, const std::string& address) {
            return named(passed, command + "address: \"" + address + "\"") == 1U;
        };
        EXPECT_TRUE(clashes(at({"127.0.0.1:9"}), "0.0.0.0:9"));
        EXPECT_TRUE(clashes(at({"0.0.0.0:9"}), "0.0.0.0:9"));
        EXPECT_TRUE(clashes(at_every_address(9), "0.0.0.0:9"));
        EXPECT_TRUE(clashes(at({"[::1]:9"}), "[::]:9"));
        EXPECT_TRUE(clashes(at({"[::1]:9"}), "[0:0:0:0:0:0:0:1]:9"));
        EXPECT_TRUE(clashes(at({"[::]:9"}), "[::1]:9"));
        EXPECT_TRUE(clashes(at({"127.0.0.1:9"}), "[::ffff:127.0.0.1]:9"));
        EXPECT_FALSE(clashes(at({"[::]:9"}), "127.0.0.1:9")) << "of IPv6 alone";
        EXPECT_FALSE(clashes(at({"0.0.0.0:9"}), "[::1]:9"));
        EXPECT_FALSE(clashes(at({"0.0.0.0:9"}), "0.0.0.0:8"));
    }
    EXPECT_EQ(named(at({"127.0.0.1:9"}), "address: \"localhost:9\""), 1U);
    EXPECT_EQ(named(at_every_address(9), "address: \"LOCALHOST:9\""), 1U);
    EXPECT_EQ(named(at({"[::]:9"}), "address: \"localhost:9\""), 0U) << "IPv4's is left";
    EXPECT_EQ(named(at({"127.0.0.1:9"}), "address: \"myself.test:9\""), 0U) << "not looked up";
}

TEST(Passed, AreNamedEach) {
    const Lines lines =
        problems(at({"127.0.0.1:9", "0.0.0.0:7"}),
                 tcp + systemd + "  - address: 127.0.0.3:7\n" + "admin: {http: \"127.0.0.1:7\"}\n");
    EXPECT_EQ(lines, (Lines{"f:4: listen[0].address: 127.0.0.1:9 (gate) is where the backend "
                            "listens, expected another port in the socket unit",
                            "f:5: listen[1].address: 127.0.0.3:7 and 0.0.0.0:7 (gate), which a "
                            "socket unit has passed, are in part the same, expected each address "
                            "once",
                            "f:6: admin.http: 127.0.0.1:7 is where clients connect, at 0.0.0.0:7 "
                            "(gate) passed by a socket unit, expected an address of its own"}));
    EXPECT_EQ(
        problems(at({"127.0.0.1:7", "127.0.0.2:7"}), tcp + systemd + "  - address: 0.0.0.0:7\n")
            .size(),
        2U);
}

TEST(Passed, AreCountedEach) {
    EXPECT_EQ(count_listeners({}, loaded("")), 1U);
    EXPECT_EQ(count_listeners(at({"127.0.0.1:1", "127.0.0.1:2"}),
                              loaded(systemd + "  - address: 127.0.0.1:3\n")),
              3U);
}

}  // namespace
}  // namespace tcplock::daemon
