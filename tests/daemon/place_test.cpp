#include "daemon/place.hpp"

#include "folder.hpp"
#include "io/address.hpp"
#include "io/vacancy.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

using boost::asio::ip::tcp;
namespace local = boost::asio::local;
using Environment = std::map<std::string, std::string>;

tcp::endpoint loopback(unsigned port) {
    return {boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)};
}

// The first of so many ports in a row that nobody holds, below those the system gives out itself,
// and above those that the end-to-end tests reserve for themselves.
unsigned free_ports(unsigned count) {
    unsigned in_a_row = 0;
    for (unsigned port = 26'000 + static_cast<unsigned>(::getpid()) % 490 * 8; port < 30'000;
         ++port) {
        in_a_row = io::bind_error(loopback(port)) ? 0 : in_a_row + 1;
        if (in_a_row == count) {
            return port + 1 - count;
        }
    }
    return 0;
}

const std::string run = "the-run";

class PlacesTest : public testing::Test {
protected:
    static constexpr unsigned ports = 8;

    PlacesTest() {
        config_.backend.command = {"serve", "--port={port}", "--at", "{profile}", "{{}}"};
        config_.backend.address = "127.0.0.1:{port}";
        config_.backend.ports = {static_cast<std::uint16_t>(first_),
                                 static_cast<std::uint16_t>(first_ + ports - 1)};
    }

    static core::SpawnBackend spawn(std::uint32_t place, std::uint64_t generation = 1,
                                    std::optional<core::InstanceId> instance = {}) {
        return {core::PlaceId{place}, core::Generation{generation}, instance};
    }

    std::variant<Setting, Unfit> try_to_prepare(const core::SpawnBackend& what) const {
        const Places places(config_, state_, run);
        auto prepared = places.prepare(what);
        if (auto* const setting = std::get_if<Setting>(&prepared)) {
            if (std::string why = places.settle(what.place, *setting); !why.empty()) {
                return Unfit{std::move(why)};
            }
        }
        return prepared;
    }

    Setting prepared(const core::SpawnBackend& what) const {
        auto prepared = try_to_prepare(what);
        if (const auto* const unfit = std::get_if<Unfit>(&prepared)) {
            ADD_FAILURE() << unfit->why;
            return {};
        }
        return std::get<Setting>(std::move(prepared));
    }

    std::string unfit(const core::SpawnBackend& what) const {
        const auto prepared = try_to_prepare(what);
        const auto* const unfit = std::get_if<Unfit>(&prepared);
        EXPECT_TRUE(unfit) << "it is fit";
        return unfit ? unfit->why : std::string();
    }

    unsigned port_of(std::uint32_t place) const {
        return io::as_tcp(prepared(spawn(place)).address).port();
    }

    void a_stranger_listens_on(unsigned port) { strangers_.emplace_back(io_, loopback(port)); }

    static std::string myself() { return "process " + std::to_string(::getpid()); }

    unsigned first_ = free_ports(ports);
    test::Folder folder_;
    config::Config config_;
    StateDirectory state_{folder_.path() / "state"};
    boost::asio::io_context io_;
    std::vector<tcp::acceptor> strangers_;
};

// ---- Folders and values ------------------------------------------------------------------------

TEST_F(PlacesTest, HaveFoldersOfTheirOwn) {
    const auto setting = prepared(spawn(3));
    const auto directory = state_.path() / "place-3";
    EXPECT_EQ(setting.values.directory, directory);
    EXPECT_EQ(setting.values.profile, directory / "profile");
    EXPECT_FALSE(std::filesystem::exists(directory / "profile")) << "made later, or by the office";
    EXPECT_EQ(setting.child.directory, directory);
}

TEST_F(PlacesTest, KeepTheirPathsAndPortFromOneGenerationToTheNext) {
    const auto first = prepared(spawn(0, 1));
    const auto second = prepared(spawn(0, 2));
    EXPECT_EQ(first.values.directory, second.values.directory);
    EXPECT_EQ(first.values.profile, second.values.profile);
    EXPECT_EQ(first.values.name, second.values.name);
    EXPECT_EQ(first.address, second.address);
    EXPECT_EQ(second.values.generation, "2");
}

TEST_F(PlacesTest, SayWhoIsToLiveThere) {
    const auto numbered = prepared(spawn(1, 7, core::InstanceId{0})).values;
    EXPECT_EQ(numbered.instance, "0");
    EXPECT_EQ(numbered.generation, "7");
    EXPECT_EQ(numbered.uid, std::to_string(::getuid()));
    EXPECT_EQ(numbered.name, "tcplock-" + state_.identity().substr(0, 8) + "-1");
    EXPECT_EQ(numbered.port, std::to_string(first_ + 1));
    EXPECT_EQ(prepared(spawn(1, 8)).values.instance, "standby");
}

TEST_F(PlacesTest, FillInTheCommand) {
    const auto setting = prepared(spawn(0));
    EXPECT_EQ(setting.child.command,
              (std::vector<std::string>{"serve", "--port=" + std::to_string(first_), "--at",
                                        setting.values.profile, "{}"}));
}

TEST_F(PlacesTest, PassOnTheLimits) {
    config_.backend.nice = 5;
    config_.backend.oom_score_adjust = 300;
    config_.backend.limits = {64, std::nullopt, 0};
    const auto child = prepared(spawn(0)).child;
    EXPECT_EQ(child.nice, 5);
    EXPECT_EQ(child.oom_score_adjust, 300);
    EXPECT_EQ(child.open_files, 64U);
    EXPECT_EQ(child.address_space, std::nullopt);
    EXPECT_EQ(child.core_size, 0U);
}

TEST_F(PlacesTest, AreUnfitWhenTheirFolderCannotBeMade) {
    std::ofstream(state_.path() / "place-0") << "in the way";
    EXPECT_EQ(unfit(spawn(0)),
              "cannot make " + (state_.path() / "place-0").string() + ": Not a directory");
}

TEST_F(PlacesTest, CannotBeHadForAnUnknownUser) {
    config_.backend.user = "no-such-user";
    try {
        const Places places(config_, state_, run);
        FAIL() << "there is such a user";
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(
            error.what(),
            "backend.user: \"no-such-user\" is no user of this machine, expected a name as "
            "in /etc/passwd");
    }
}

// ---- Environment -------------------------------------------------------------------------------

class ChildEnvironment : public PlacesTest {
protected:
    ChildEnvironment() {
        if (const char* const path = std::getenv("PATH")) {
            path_ = path;
        }
    }
    ~ChildEnvironment() override { ::setenv("PATH", path_.c_str(), 1); }

    // What everybody gets in generation 4.
    Environment usual() const {
        return {{"PATH", path_},
                {"HOME", (state_.path() / "place-0").string()},
                {"LANG", "C.UTF-8"},
                {"TMPDIR", (state_.path() / "place-0" / "tmp").string()},
                {"TCPLOCK_SUPERVISOR", state_.identity()},
                {"TCPLOCK_RUN", run},
                {"TCPLOCK_GENERATION", state_.identity() + "-4"}};
    }

    std::string path_;
};

TEST_F(ChildEnvironment, IsCleanWhateverOursIs) {
    ::setenv("NOTIFY_SOCKET", "/run/systemd/notify", 1);
    EXPECT_EQ(prepared(spawn(0, 4)).child.environment, usual());
    ::unsetenv("NOTIFY_SOCKET");
}

TEST_F(ChildEnvironment, HasWhatTheConfigurationNames) {
    config_.backend.environment = {{"LANG", "de_DE.UTF-8"}, {"WHERE", "{directory}:{port}"}};
    auto expected = usual();
    expected["LANG"] = "de_DE.UTF-8";
    expected["WHERE"] = expected["HOME"] + ":" + std::to_string(first_);
    EXPECT_EQ(prepared(spawn(0, 4)).child.environment, expected);
}

TEST_F(ChildEnvironment, HasAPathWhenWeHaveNone) {
    ::unsetenv("PATH");
    auto expected = usual();
    expected["PATH"] = "/usr/local/bin:/usr/bin:/bin";
    EXPECT_EQ(prepared(spawn(0, 4)).child.environment, expected);
    ::setenv("PATH", "", 1);
    EXPECT_EQ(prepared(spawn(0, 4)).child.environment, expected);
}

TEST_F(ChildEnvironment, CannotBeGivenAForeignCookie) {
    config_.backend.environment = {
        {"TCPLOCK_SUPERVISOR", "x"}, {"TCPLOCK_RUN", "y"}, {"TCPLOCK_GENERATION", "z"}};
    EXPECT_EQ(prepared(spawn(0, 4)).child.environment, usual());
}

TEST_F(ChildEnvironment, HoldsTheCookiesThatTellOrphansAndGenerations) {
    const Places places(config_, state_, run);
    EXPECT_EQ(places.orphans(std::chrono::seconds{1}).cookie, "TCPLOCK_SUPERVISOR=" + state_.identity());
    EXPECT_EQ(prepared(spawn(0, 4)).cookie, "TCPLOCK_GENERATION=" + state_.identity() + "-4");
    EXPECT_NE(prepared(spawn(0, 4)).cookie, prepared(spawn(0, 5)).cookie);
}

// So that a stop of the generation does not count it, and the next supervisor still ends it.
TEST_F(ChildEnvironment, BesideAGenerationHasItsValuesButNotItsCookie) {
    config_.backend.environment = {{"WHERE", "{directory}"}};
    const auto setting = prepared(spawn(0, 4));
    const auto child = Places(config_, state_, run).beside(setting, {"ask", "{port}"});
    auto expected = usual();
    expected["WHERE"] = expected["HOME"];
    expected.erase("TCPLOCK_GENERATION");
    EXPECT_EQ(child.environment, expected);
    EXPECT_EQ(child.command, (std::vector<std::string>{"ask", std::to_string(first_)}));
    EXPECT_EQ(child.directory, setting.child.directory);
}

// ---- Addresses ---------------------------------------------------------------------------------

class Addresses : public PlacesTest {};

TEST_F(Addresses, AreOneAPlace) {
    config_.policy.backend.instances = 2;
    config_.policy.backend.standby = 1;
    EXPECT_EQ(port_of(0), first_);
    EXPECT_EQ(port_of(1), first_ + 1);
    EXPECT_EQ(port_of(4), first_ + 4);
}

TEST_F(Addresses, MoveOnWhenAStrangerHoldsOne) {
    a_stranger_listens_on(first_);
    const auto setting = prepared(spawn(0));
    EXPECT_EQ(setting.address, loopback(first_ + 2));
    EXPECT_EQ(setting.values.port, std::to_string(first_ + 2));
    EXPECT_EQ(setting.child.command[1], "--port=" + std::to_string(first_ + 2));
}

TEST_F(Addresses, ComeBackWhenTheStrangerHasGone) {
    a_stranger_listens_on(first_);
    EXPECT_EQ(port_of(0), first_ + 2);
    strangers_.clear();
    EXPECT_EQ(port_of(0), first_);
}

// One place may be quarantined in each instance: so many places there are at most.
TEST_F(Addresses, OfTwoPlacesNeverMeetWhoeverMovesOn) {
    config_.policy.backend.instances = 1;
    config_.policy.backend.standby = 1;
    std::set<unsigned> seen;
    for (unsigned round = 0; round < 2; ++round) {
        for (std::uint32_t place = 0; place < 3; ++place) {
            const unsigned port = port_of(place);
            EXPECT_TRUE(seen.insert(port).second)
                << "place " << place << " met another on " << port;
            a_stranger_listens_on(port);
        }
    }
}

TEST_F(Addresses, ThatAreAllTakenMakeThePlaceUnfitAndNameTheFirstOwner) {
    for (unsigned port = first_; port < first_ + ports; ++port) {
        a_stranger_listens_on(port);
    }
    const std::string why = unfit(spawn(1));
    EXPECT_EQ(why.substr(0, 17), "no free address: ");
    const std::string taken =
        "127.0.0.1:" + std::to_string(first_ + 1) + " is taken by " + myself();
    EXPECT_NE(why.find(taken), std::string::npos) << why;
    EXPECT_EQ(why.find(":" + std::to_string(first_) + " "), std::string::npos)
        << "another place's port";
}

TEST_F(Addresses, ThatAreFixedAndTakenMakeThePlaceUnfitAndNameTheOwner) {
    config_.backend.address = "127.0.0.1:" + std::to_string(first_);
    a_stranger_listens_on(first_);
    const std::string expected =
        "no free address: 127.0.0.1:" + std::to_string(first_) + " is taken by " + myself();
    EXPECT_EQ(unfit(spawn(0)).substr(0, expected.size()), expected);
}

TEST_F(Addresses, ThatAreFixedAndFreeAreTaken) {
    config_.backend.address = "127.0.0.1:" + std::to_string(first_ + 5);
    EXPECT_EQ(port_of(0), first_ + 5);
}

TEST_F(Addresses, HeldByOneWhoDoesNotListenAreTakenToo) {
    config_.backend.address = "127.0.0.1:" + std::to_string(first_);
    tcp::socket stranger(io_, tcp::v4());
    stranger.bind(loopback(first_));
    EXPECT_EQ(unfit(spawn(0)), "no free address: 127.0.0.1:" + std::to_string(first_) +
                                   " is taken by somebody who does not listen there");
}

// ---- Sockets in the file system ----------------------------------------------------------------

class Names : public PlacesTest {
protected:
    Names() { config_.backend.address = "unix:" + folder_.path().string() + "/PIPE_{uid}_{name}"; }

    std::string path_of(std::uint32_t place) const { return path_of(prepared(spawn(place))); }
    static std::string path_of(const Setting& setting) {
        return io::describe(setting.address).substr(std::string("unix:").size());
    }

    void a_stranger_listens_on(const std::string& path) {
        std::filesystem::remove(path);
        named_.emplace_back(io_, local::stream_protocol::endpoint(path));
    }

    std::vector<local::stream_protocol::acceptor> named_;
};

TEST_F(Names, AreThePlacesOwnAndStayTheSame) {
    const std::string expected = folder_.path().string() + "/PIPE_" + std::to_string(::getuid()) +
                                 "_tcplock-" + state_.identity().substr(0, 8) + "-";
    EXPECT_EQ(path_of(0), expected + "0");
    EXPECT_EQ(path_of(0), expected + "0");
    EXPECT_EQ(path_of(3), expected + "3");
}

TEST_F(Names, MoveOnToOneThatCannotBeForeseenWhenAStrangerListens) {
    const std::string usual = path_of(0);
    a_stranger_listens_on(usual);
    const auto first = prepared(spawn(0));
    const auto second = prepared(spawn(0));
    EXPECT_EQ(path_of(first).rfind(usual + "-", 0), 0U);
    EXPECT_NE(path_of(first), path_of(second));
    EXPECT_EQ(first.values.name, path_of(first).substr(path_of(first).rfind("_") + 1))
        << "what the backend is told";
}

TEST_F(Names, OfPastBackendsAreTaken) {
    const std::string usual = path_of(0);
    a_stranger_listens_on(usual);
    named_.clear();
    ASSERT_TRUE(std::filesystem::exists(usual));
    EXPECT_EQ(path_of(0), usual);
}

TEST_F(Names, ThatAreFilesOfSomebodyElseAreInTheWay) {
    if (::getuid() != 0) {
        GTEST_SKIP() << "needs to give a file away";
    }
    constexpr uid_t nobody = 65534;
    config_.backend.user = "daemon";
    const std::string usual = path_of(0);
    std::ofstream{usual} << "in the way";
    ASSERT_EQ(::chown(usual.c_str(), nobody, nobody), 0);
    EXPECT_NE(path_of(0), usual);
    config_.backend.address = "unix:" + usual;
    EXPECT_EQ(unfit(spawn(0)),
              "no free address: unix:" + usual + " is a file of user " + std::to_string(nobody));
}

// Servers remove sockets that were left behind, and nothing else.
TEST_F(Names, ThatAreNoSocketsAreInTheWay) {
    const std::string usual = path_of(0);
    std::ofstream{usual} << "in the way";
    EXPECT_NE(path_of(0), usual);
    std::filesystem::remove(usual);
    std::filesystem::create_symlink("/nowhere", usual);
    EXPECT_NE(path_of(0), usual);
    config_.backend.address = "unix:" + usual;
    EXPECT_EQ(unfit(spawn(0)), "no free address: unix:" + usual + " is a file, and no socket");
}

TEST_F(Names, ThatAreFixedAndTakenMakeThePlaceUnfitAndNameTheOwner) {
    config_.backend.address = "unix:" + folder_.path().string() + "/fixed";
    a_stranger_listens_on(folder_.path().string() + "/fixed");
    const std::string expected =
        "no free address: " + config_.backend.address + " is taken by " + myself();
    EXPECT_EQ(unfit(spawn(0)).substr(0, expected.size()), expected);
}

}  // namespace
}  // namespace tcplock::daemon
