#include "config/load.hpp"

#include "config/defaults.hpp"
#include "equality.hpp"
#include "loading.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace tcplock::config {
namespace {

using namespace std::chrono_literals;
using test::loaded;
using test::variables;

constexpr std::string_view smallest_tcp =
    "protocol: tcp\n"
    "listen: [{address: \"127.0.0.1:7000\"}]\n"
    "backend: {command: [serve, \"{port}\"], address: \"127.0.0.1:{port}\"}\n";

TEST(Load, EmptyFileIsAnOfficeBehindTheGate) {
    const Config config = loaded("");
    EXPECT_EQ(config.protocol, Protocol::uno);
    ASSERT_EQ(config.listen.size(), 1U);
    EXPECT_EQ(config.listen[0].address, "127.0.0.1:2002");
    EXPECT_EQ(config.backend.command.front(), "soffice");
    EXPECT_EQ(config.half_closed, HalfClosed::leave);
    EXPECT_EQ(config.policy.gate.first_byte_timeout, 5s);
    EXPECT_EQ(config.idle_timeout, 30s);
    EXPECT_TRUE(config.policy.probe.tells_if_free);
    EXPECT_TRUE(std::holds_alternative<UnoProbe>(config.probe.kind));
    EXPECT_EQ(config.policy.probe.admission, core::Duration{15s});
    EXPECT_TRUE(config.policy.probe.beside_clients);
    EXPECT_EQ(config.policy.backend.fresh_profile_exit, 81);
    EXPECT_EQ(config.policy.backend.broken_profile_exit, 77);
    EXPECT_EQ(config.backend.profile_template.kind, ProfileTemplate::Kind::ours);
    EXPECT_EQ(config, defaults(Protocol::uno));
}

TEST(Load, EmptySectionsMeanTheirDefaults) {
    EXPECT_EQ(loaded("gate:\nbackend: {limits: , environment: , restart_backoff: }\nprobe:\n"
                     "recycle: {}\nlog:\n"),
              defaults(Protocol::uno));
}

TEST(Load, TcpHasDefaultsOfItsOwn) {
    const Config config = loaded(smallest_tcp);
    EXPECT_EQ(config.protocol, Protocol::tcp);
    EXPECT_EQ(config.half_closed, HalfClosed::keep);
    EXPECT_EQ(config.policy.gate.first_byte_timeout, std::nullopt);
    EXPECT_EQ(config.idle_timeout, std::nullopt);
    EXPECT_FALSE(config.policy.probe.tells_if_free);
    EXPECT_TRUE(std::holds_alternative<ConnectProbe>(config.probe.kind));
    EXPECT_EQ(config.policy.probe.admission, std::nullopt);
    EXPECT_FALSE(config.policy.probe.beside_clients);
    EXPECT_EQ(config.policy.backend.fresh_profile_exit, std::nullopt);
    EXPECT_EQ(config.backend.profile_template.kind, ProfileTemplate::Kind::none);
}

// Only the uno probe can tell who is idle from who waits for a long job.
TEST(Load, CutsNobodyAsIdleByDefaultWhereNobodyCanTell) {
    EXPECT_EQ(loaded("probe: {kind: connect}\n").idle_timeout, std::nullopt);
    EXPECT_EQ(loaded("probe: {kind: connect}\ngate: {idle_timeout: 9s}\n").idle_timeout, 9s);
}

TEST(Load, ReadsEveryKeyOfTheGate) {
    const Config config = loaded(
        "gate: {concurrency: 1, queue_limit: 7, queue_timeout: 1h, session_timeout: 3s,\n"
        "       first_byte_timeout: 2s, idle_timeout: 9s, half_closed: keep,\n"
        "       release_timeout: 250ms}\nshutdown_timeout: 0s\n");
    EXPECT_EQ(config.policy.gate.first_byte_timeout, 2s);
    EXPECT_EQ(config.idle_timeout, 9s);
    EXPECT_EQ(config.policy.gate.queue_limit, 7U);
    EXPECT_EQ(config.policy.gate.queue_timeout, 1h);
    EXPECT_EQ(config.policy.gate.session_timeout, 3s);
    EXPECT_EQ(config.policy.gate.release_timeout, 250ms);
    EXPECT_EQ(config.half_closed, HalfClosed::keep);
    EXPECT_EQ(config.policy.shutdown_timeout, 0s);
}

TEST(Load, AnOfficeIsReachedOverAPipeUnlessWhatIsWrittenIsTcps) {
    const std::string pipe = "unix:/tmp/OSL_PIPE_{uid}_{name}";
    const std::string tcp = "127.0.0.1:{port}";
    const std::string pipe_accept = "--accept=pipe,name={name};urp;";
    const std::string tcp_accept = "--accept=socket,host=127.0.0.1,port={port};urp;";
    struct Case {
        std::string text, accept, address;
    };
    for (const Case& c : std::vector<Case>{
             {"", pipe_accept, pipe},
             {"backend: {standby: 1}\n", pipe_accept, pipe},
             {"backend: {ports: 3000-3009}\n", tcp_accept, tcp},
             {"backend: {address: \"127.0.0.1:{port}\"}\n", tcp_accept, tcp},
             {"backend: {address: \"[::1]:{port}\", ports: 3000-3009}\n", tcp_accept,
              "[::1]:{port}"},
             {"backend: {address: \"unix:/var/tmp/OSL_PIPE_{uid}_{name}\"}\n", pipe_accept,
              "unix:/var/tmp/OSL_PIPE_{uid}_{name}"},
             {"backend: {command: [soffice, \"" + tcp_accept + "\"]}\n", tcp_accept, tcp},
             {"backend: {command: [soffice, \"" + pipe_accept + "\"]}\n", pipe_accept, pipe},
             {"backend: {command: [serve, \"{port}\"]}\n", "{port}", tcp}}) {
        const Config config = loaded(c.text);
        EXPECT_EQ(config.backend.command.back(), c.accept) << c.text;
        EXPECT_EQ(config.backend.address, c.address) << c.text;
    }
}

TEST(Load, AnAddressAloneIsASomebodyElsesService) {
    const Config config = loaded(
        "protocol: tcp\n"
        "listen: [{address: \"127.0.0.1:9000\"}]\n"
        "gate: {concurrency: 3}\n"
        "backend: {address: localhost:8100, start_timeout: 9s, restart_backoff: {max: 7s}}\n"
        "probe: {kind: command, command: [look, \"{port}\"]}\n");
    EXPECT_FALSE(config.owns_backend());
    EXPECT_EQ(config.backend.address, "localhost:8100");
    EXPECT_EQ(config.policy.gate.concurrency, 3U);
    EXPECT_EQ(config.policy.backend.start_timeout, 9s);
    EXPECT_EQ(config.policy.backend.restart_backoff.max, 7s);
    EXPECT_EQ(config.policy.recycle.max_jobs, std::nullopt);
    EXPECT_EQ(config.policy.recycle.max_age, std::nullopt);
    EXPECT_EQ(config.policy.recycle.memory_soft_limit, std::nullopt);
    EXPECT_EQ(config.policy.recycle.memory_hard_limit, std::nullopt);
    EXPECT_TRUE(loaded("").owns_backend());
}

TEST(Load, ReadsHooks) {
    const Config config = loaded(
        "hooks:\n"
        "  before_admission: {command: [restart, \"{port}\"], timeout: 9s}\n"
        "  session_timeout:\n    command: [tell]\n"
        "  backend_ready: {command: [note], timeout: 1s}\n"
        "  backend_stopped: {command: [warn]}\n");
    EXPECT_EQ(config.hooks.before_admission, (Hook{{"restart", "{port}"}, 9s}));
    EXPECT_EQ(config.hooks.session_timeout, (Hook{{"tell"}, 30s}));
    EXPECT_EQ(config.hooks.backend_ready, (Hook{{"note"}, 1s}));
    EXPECT_EQ(config.hooks.backend_stopped, (Hook{{"warn"}, 30s}));
    EXPECT_TRUE(config.policy.hooks.before_admission);
    EXPECT_TRUE(config.policy.hooks.session_timeout);
    EXPECT_EQ(loaded("hooks: {before_admission: off}\n"), defaults(Protocol::uno));
    EXPECT_FALSE(loaded("").policy.hooks.before_admission);
}

TEST(Load, ReadsEveryKeyOfTheBackend) {
    const Config config = loaded(
        "backend:\n"
        "  command: [office, \"{profile}\", 5, off, \"{{\"]\n"
        "  address: \"[::1]:{port}\"\n"
        "  ports: 3000\n"
        "  instances: 1\n"
        "  standby: 0\n"
        "  state_directory: /srv/x\n"
        "  profile_template: /srv/profile\n"
        "  environment: {A: \"{name}\", C-d: \"\"}\n"
        "  user: office\n"
        "  start_timeout: 1s\n"
        "  stop_signal: SIGUSR1\n"
        "  stop_grace: 0s\n"
        "  stop_timeout: 2s\n"
        "  restart_backoff: {first: 3s, max: 3s}\n"
        "  nice: -20\n"
        "  oom_score_adjust: -1000\n"
        "  limits: {open_files: off, address_space: off, core: 2GiB}\n");
    EXPECT_EQ(config.backend.command,
              (std::vector<std::string>{"office", "{profile}", "5", "off", "{{"}));
    EXPECT_EQ(config.backend.address, "[::1]:{port}");
    EXPECT_EQ(config.backend.ports, (PortRange{3000, 3000}));
    EXPECT_EQ(config.backend.state_directory, "/srv/x");
    EXPECT_EQ(config.backend.profile_template,
              (ProfileTemplate{ProfileTemplate::Kind::folder, "/srv/profile"}));
    EXPECT_EQ(config.backend.environment,
              (std::map<std::string, std::string>{{"A", "{name}"}, {"C-d", ""}}));
    EXPECT_EQ(config.backend.user, "office");
    EXPECT_EQ(config.backend.stop_signal, SIGUSR1);
    EXPECT_EQ(config.backend.nice, -20);
    EXPECT_EQ(config.backend.oom_score_adjust, -1000);
    EXPECT_EQ(config.backend.limits.open_files, std::nullopt);
    EXPECT_EQ(config.backend.limits.address_space, std::nullopt);
    EXPECT_EQ(config.backend.limits.core, std::uint64_t{2} << 30);
    EXPECT_EQ(config.policy.backend.start_timeout, 1s);
    EXPECT_EQ(config.policy.backend.stop_grace, 0s);
    EXPECT_EQ(config.policy.backend.stop_timeout, 2s);
    EXPECT_EQ(config.policy.backend.restart_backoff.first, 3s);
    EXPECT_EQ(config.policy.backend.restart_backoff.max, 3s);
}

TEST(Load, ReadsHowManyBackends) {
    const Config config = loaded("backend: {instances: 3, standby: 2}\n");
    EXPECT_EQ(config.policy.backend.instances, 3U);
    EXPECT_EQ(config.policy.backend.standby, 2U);
    const Config several = loaded(
        "protocol: tcp\nlisten: [{address: \"127.0.0.1:7000\"}]\ngate: {concurrency: 5}\n"
        "backend: {command: [x], address: \"127.0.0.1:{port}\"}\n");
    EXPECT_EQ(several.policy.gate.concurrency, 5U);
}

TEST(Load, HasAStandbyByDefaultWhereASecondOfficeCanLiveBesideTheFirst) {
    struct Case {
        std::string text;
        std::size_t standby;
    };
    const std::string own_profile = "\"-env:UserInstallation=file://{profile}\"";
    const std::string pipe = "\"--accept=pipe,name={name};urp;\"";
    for (const Case& c : std::vector<Case>{
             {"", 1},
             {"backend: {instances: 3}\n", 1},
             {"backend: {standby: 0}\n", 0},
             {"backend: {command: [soffice, " + own_profile + ", " + pipe + "]}\n", 1},
             {"backend: {command: [soffice, " + pipe + "]}\n", 0},
             {"backend: {address: \"127.0.0.1:{port}\"}\n", 1},
             {"backend: {address: \"127.0.0.1:2100\"}\n", 0},
             {"backend: {command: [soffice, \"-env:UserInstallation=file:///srv/one\", " + pipe +
                  "], environment: {TMPDIR: \"{directory}/tmp\"}}\n",
              0},
             {"backend: {profile_template: none}\n", 0},
             {"backend: {profile_template: /srv/profile}\n", 0},
             {"backend: {command: [soffice, \"-env:UserInstallation=file://{directory}/own\", " +
                  pipe + "]}\n",
              0},
             {"backend: {command: [soffice, " + pipe + "], environment: {HOME: \"{profile}\"}}\n",
              0},
             {"hooks: {session_timeout: {command: [/bin/true]}}\n", 0},
             {"hooks: {before_admission: {command: [/bin/true]}}\n", 0},
             {"hooks: {backend_ready: {command: [/bin/true]},\n"
              "        backend_stopped: {command: [/bin/true]}}\n",
              1},
             {"backend: {instances: 2, ports: 3000-3003}\n", 0},
             {"backend: {ports: 3000-3002}\n", 1},
             {"backend: {ports: 3000-3001}\n", 0},
             {"backend: {address: \"unix:/run/office\"}\n", 0},
             {"protocol: tcp\nlisten: [{address: \"127.0.0.1:7000\"}]\n"
              "backend: {command: [x], address: \"127.0.0.1:{port}\"}\n",
              0}}) {
        EXPECT_EQ(loaded(c.text).policy.backend.standby, c.standby) << c.text;
    }
}

TEST(Load, ReadsRecycleAndLog) {
    const Config config = loaded(
        "recycle: {max_jobs: off, max_age: off, schedule: [\"30 3 * * *\", \"0 12 * * mon\"],\n"
        "  memory_soft_limit: 300MiB, memory_hard_limit: off, idle_shutdown: 10min}\n"
        "log: {level: debug, format: json}\n");
    EXPECT_EQ(config.policy.recycle.max_jobs, std::nullopt);
    EXPECT_EQ(config.policy.recycle.max_age, std::nullopt);
    EXPECT_EQ(config.policy.recycle.memory_soft_limit, std::uint64_t{300} << 20);
    EXPECT_EQ(config.policy.recycle.memory_hard_limit, std::nullopt);
    EXPECT_EQ(config.policy.recycle.idle_shutdown, core::Duration{10min});
    EXPECT_EQ(config.schedule, (std::vector<std::string>{"30 3 * * *", "0 12 * * mon"}));
    EXPECT_EQ(config.log_level, LogLevel::debug);
    EXPECT_EQ(config.log_format, LogFormat::json);
    EXPECT_EQ(loaded("").log_format, LogFormat::text);
}

TEST(Load, ReadsWhereOperatorsCome) {
    const Admin usual = loaded("").admin;
    EXPECT_EQ(usual.socket, "/run/tcplock-supervisor/admin.sock");
    EXPECT_EQ(usual.socket_mode, 0660U);
    EXPECT_EQ(usual.http, std::nullopt);
    const Admin admin = loaded(
                            "admin: {socket: off, socket_mode: \"0600\", socket_group: adm,\n"
                            "  http: \"[::1]:9180\"}\n")
                            .admin;
    EXPECT_EQ(admin.socket, std::nullopt);
    EXPECT_EQ(admin.socket_mode, 0600U);
    EXPECT_EQ(admin.socket_group, "adm");
    EXPECT_EQ(admin.http, "[::1]:9180");
}

TEST(Load, ReadsEveryKindOfProbe) {
    const Config greeting =
        loaded("probe: {kind: greeting, expect: \"\\0\\x01ok\\r\\n\", admission: 2s}\n");
    EXPECT_EQ(std::get<GreetingProbe>(greeting.probe.kind).expect,
              (std::string{"\0\x01ok\r\n", 6}));
    EXPECT_TRUE(greeting.policy.probe.beside_clients);
    EXPECT_EQ(greeting.policy.probe.admission, core::Duration{2s});

    const Config exchange =
        loaded("probe: {kind: exchange, send: !!binary \"/wA=\", expect: +PONG}\n");
    EXPECT_EQ(std::get<ExchangeProbe>(exchange.probe.kind).send, (std::string{"\xff\0", 2}));
    EXPECT_EQ(std::get<ExchangeProbe>(exchange.probe.kind).expect, "+PONG");
    EXPECT_FALSE(exchange.policy.probe.beside_clients);

    const Config command = loaded("probe: {kind: command, command: [check, \"{port}\"]}\n");
    EXPECT_EQ(std::get<CommandProbe>(command.probe.kind).command,
              (std::vector<std::string>{"check", "{port}"}));

    const Config connect = loaded("probe: {kind: connect}\n");
    EXPECT_EQ(connect.policy.probe.admission, std::nullopt);
    EXPECT_FALSE(connect.policy.probe.beside_clients);

    const Config http = loaded(std::string{smallest_tcp} +
                               "probe: {kind: http, path: /up, status: 204, interval: 1s,"
                               " timeout: 9ms, failure_threshold: 1, admission: 1s}\n");
    EXPECT_EQ(std::get<HttpProbe>(http.probe.kind).path, "/up");
    EXPECT_EQ(std::get<HttpProbe>(http.probe.kind).status, 204);
    EXPECT_EQ(http.probe.timeout, 9ms);
    EXPECT_EQ(http.policy.probe.interval, 1s);
    EXPECT_EQ(http.policy.probe.failure_threshold, 1U);
    EXPECT_EQ(http.policy.probe.admission, core::Duration{1s});

    const Config plain = loaded(std::string{smallest_tcp} + "probe: {kind: http}\n");
    EXPECT_EQ(std::get<HttpProbe>(plain.probe.kind).path, "/");
    EXPECT_EQ(std::get<HttpProbe>(plain.probe.kind).status, 200);
}

TEST(Load, ReadsListeners) {
    const Config config = loaded(
        "listen:\n"
        "  - address: \"[0::1]:2002\"\n"
        "  - {address: \"0.0.0.0:2003\", allow: [10.0.0.0/8, 192.168.1.7, \"fd00::/8\"]}\n"
        "  - {address: \"[::]:2004\", allow: [any]}\n");
    ASSERT_EQ(config.listen.size(), 3U);
    EXPECT_EQ(config.listen[0], (Listen{"[::1]:2002", false, {}}));
    EXPECT_EQ(config.listen[1],
              (Listen{"0.0.0.0:2003", false, {{"10.0.0.0/8"}, {"192.168.1.7/32"}, {"fd00::/8"}}}));
    EXPECT_EQ(config.listen[2], (Listen{"[::]:2004", true, {}}));
}

TEST(Load, LeavesItToTheStartHowFarPassedSocketsReach) {
    const Config config = loaded(
        "listen:\n"
        "  - address: ${WHERE:-systemd}\n"
        "  - address: 127.0.0.1:2002\n");
    ASSERT_EQ(config.listen.size(), 2U);
    EXPECT_EQ(config.listen[0], (Listen{"systemd", false, {}}));
    EXPECT_TRUE(config.listen[0].is_passed());
    EXPECT_FALSE(config.listen[1].is_passed());
    const Config tcp = loaded(
        "protocol: tcp\nlisten: [{address: systemd}]\n"
        "backend: {command: [x, \"{port}\"], address: \"127.0.0.1:{port}\"}\n");
    EXPECT_EQ(tcp.listen[0], (Listen{"systemd", false, {}}));
}

TEST(Load, TcpBeyondLoopbackTakesEverybodyUnlessToldOtherwise) {
    const std::string rest = "backend: {command: [x, \"{port}\"], address: \"127.0.0.1:{port}\"}\n";
    EXPECT_TRUE(
        loaded("protocol: tcp\nlisten: [{address: \"0.0.0.0:1\"}]\n" + rest).listen[0].allow_any);
    EXPECT_FALSE(
        loaded("protocol: tcp\nlisten: [{address: \"0.0.0.0:1\", allow: [10.0.0.0/8]}]\n" + rest)
            .listen[0]
            .allow_any);
}

TEST(Load, PutsVariablesIntoValuesOnly) {
    const Environment environment =
        variables({{"PORT", "2005"}, {"LIMIT", "9"}, {"ARGUMENT", "[a, b]: {port} #"}});
    const Config config = loaded(
        "listen: [{address: \"127.0.0.1:${PORT}\"}]\n"
        "gate: {queue_limit: \"${LIMIT}\"}\n"
        "backend: {command: [x, \"${ARGUMENT}\", \"$$5\", \"${NONE:-{port}}\"],\n"
        "          environment: {A: \"${NONE:-z}\", $B: c}}\n",
        environment);
    EXPECT_EQ(config.listen[0].address, "127.0.0.1:2005");
    EXPECT_EQ(config.policy.gate.queue_limit, 9U);
    EXPECT_EQ(config.backend.command,
              (std::vector<std::string>{"x", "[a, b]: {port} #", "$5", "{port}"}));
    EXPECT_EQ(config.backend.environment,
              (std::map<std::string, std::string>{{"$B", "c"}, {"A", "z"}}));
}

TEST(Load, FollowsAnchors) {
    const Config config = loaded(
        "gate: {session_timeout: &long 7min, release_timeout: *long}\n"
        "recycle: {schedule: &nights [\"0 3 * * *\"]}\n");
    EXPECT_EQ(config.policy.gate.release_timeout, 7min);
}

TEST(Load, RemembersWhereKeysStand) {
    const Config config = loaded("gate:\n  queue_limit: 5\nlisten:\n\n  - address: 127.0.0.1:9\n");
    EXPECT_EQ(config.positions.file, "f");
    EXPECT_EQ(line_of(config.positions, "gate.queue_limit"), 2);
    EXPECT_EQ(line_of(config.positions, "listen[0].address"), 5);
    EXPECT_EQ(line_of(config.positions, "gate.half_closed"), 1);  // its section
    EXPECT_EQ(line_of(config.positions, "listen[0].allow"), 5);
    EXPECT_EQ(line_of(config.positions, "recycle.max_jobs"), 0);
}

// A folder of this test's own, removed at its end.
class LoadFile : public testing::Test {
protected:
    LoadFile() { std::filesystem::create_directory(folder_); }
    ~LoadFile() override { std::filesystem::remove_all(folder_); }

    std::filesystem::path file(const std::string& text) const {
        const auto path = folder_ / "file.yaml";
        std::ofstream{path} << text;
        return path;
    }
    const std::filesystem::path& folder() const { return folder_; }

private:
    std::filesystem::path folder_ =
        std::filesystem::temp_directory_path() / ("tcplock-load-" + std::to_string(::getpid()));
};

std::vector<std::string> problems_of_file(const std::filesystem::path& path) {
    const Result result = load_file(path, variables());
    const auto* const problems = std::get_if<std::vector<Problem>>(&result);
    return problems == nullptr ? std::vector<std::string>{} : test::lines_of(*problems);
}

TEST_F(LoadFile, ReadsAFile) {
    const Result result = load_file(file("gate: {queue_limit: 3}\n"), variables());
    ASSERT_TRUE(std::holds_alternative<Config>(result));
    EXPECT_EQ(std::get<Config>(result).policy.gate.queue_limit, 3U);
}

TEST_F(LoadFile, NamesTheFileInItsProblems) {
    const auto path = file("\n\nprotocol: udp\n");
    EXPECT_EQ(problems_of_file(path),
              (std::vector<std::string>{path.string() +
                                        ":3: protocol: \"udp\" is not possible, expected uno or "
                                        "tcp"}));
}

TEST_F(LoadFile, SaysWhyAFileCannotBeRead) {
    const auto missing = folder() / "missing.yaml";
    EXPECT_EQ(problems_of_file(missing),
              (std::vector<std::string>{missing.string() +
                                        ": cannot be read: No such file or directory, expected a "
                                        "YAML file"}));
    EXPECT_EQ(problems_of_file(folder()),
              (std::vector<std::string>{folder().string() +
                                        ": cannot be read: Is a directory, expected a YAML file"}));
    EXPECT_EQ(problems_of_file("/dev/zero"),
              (std::vector<std::string>{
                  "/dev/zero: is larger than 256KiB, expected a configuration file"}));
}

}  // namespace
}  // namespace tcplock::config
