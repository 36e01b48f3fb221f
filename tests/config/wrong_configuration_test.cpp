// Wrong configurations, each with exactly what is said about it.
//
// Where the environment names a file in TCPLOCK_TELL_WRONG_CONFIGURATIONS they are written there
// too, as JSON, one a line: schema_test.py takes them to the schema.

#include "loading.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace tcplock::config {
namespace {

struct Case {
    std::string text;
    std::vector<std::string> problems;
};

void tell(const std::string& text) {
    const char* const file = std::getenv("TCPLOCK_TELL_WRONG_CONFIGURATIONS");
    if (file == nullptr) {
        return;
    }
    boost::json::array problems;
    const Result result = load_text(text, "f", test::variables());
    for (const Problem& problem : std::get<std::vector<Problem>>(result)) {
        problems.push_back({{"key", problem.key}, {"message", problem.message}});
    }
    std::ofstream{file, std::ios::app}
        << boost::json::object{{"text", text}, {"problems", problems}} << '\n';
}

void expect_all(const std::vector<Case>& cases) {
    for (const Case& wrong : cases) {
        tell(wrong.text);
        EXPECT_EQ(test::problems_of(wrong.text), wrong.problems) << "in:\n" << wrong.text;
    }
}

const std::string tcp =
    "protocol: tcp\n"
    "listen: [{address: \"127.0.0.1:7000\"}]\n"
    "backend: {command: [serve, \"{port}\"], address: \"127.0.0.1:{port}\"}\n";

const std::string endpoint = "a numeric address and a port like 127.0.0.1:2002 or [::1]:2002";
const std::string listener = endpoint + ", or systemd";
const std::string duration = "a duration like 250ms, 20s, 5min or 24h";
const std::string placeholders =
    "expected {port}, {name}, {instance}, {generation}, {uid}, {directory} or {profile}, or "
    "doubled braces for plain ones";

TEST(WrongConfiguration, IsNoMappingAtAll) {
    expect_all({
        {"[]\n", {"f:1: found a list, expected a mapping of keys"}},
        {"hello\n", {"f:1: found a single value, expected a mapping of keys"}},
        {"gate: 5\n", {"f:1: gate: found a single value, expected a mapping of keys"}},
        {"\nbackend: {limits: [1]}\n",
         {"f:2: backend.limits: found a list, expected a mapping of keys"}},
        {"gate: {queue_limit: [}\n", {"f:1: not valid YAML: illegal flow end"}},
        {"gate:\n\tqueue_limit: 5\n", {"f:2: not valid YAML: illegal map value"}},
    });
}

TEST(WrongConfiguration, HasUnknownKeys) {
    expect_all({
        {"protocl: uno\n", {"f:1: protocl: unknown key, did you mean protocol?"}},
        {"max_jobs: 5\n", {"f:1: max_jobs: does not belong here, expected recycle.max_jobs"}},
        {"gate:\n  queue_limits: 5\n",
         {"f:2: gate.queue_limits: unknown key, did you mean queue_limit?"}},
        {"probe: {max_age: 5s}\n",
         {"f:1: probe.max_age: does not belong here, expected recycle.max_age"}},
        {"backend: {restart_backoff: {last: 5s}}\n",
         {"f:1: backend.restart_backoff.last: unknown key, expected first or max"}},
        {"listen:\n  - address: 127.0.0.1:1\n    deny: []\n",
         {"f:3: listen[0].deny: unknown key, expected address or allow"}},
        {"\"a\\nb\": 5\n",
         {"f:1: a\\x0ab: unknown key, expected protocol, listen, gate, backend, probe, recycle, "
          "hooks, admin, log or shutdown_timeout"}},
    });
}

TEST(WrongConfiguration, HasHooksThatAreNone) {
    const std::string none =
        " is no hook, expected off, or a mapping like {command: [program, argument]}";
    expect_all({
        {"hooks: {before_admission: on}\n", {"f:1: hooks.before_admission: \"on\"" + none}},
        {"hooks: {session_timeout: [restart]}\n",
         {"f:1: hooks.session_timeout: found a list, expected off, or a mapping like {command: "
          "[program, argument]}"}},
        {"hooks: {before_admission: }\n",
         {"f:1: hooks.before_admission: has no value, expected off, or a mapping like {command: "
          "[program, argument]}"}},
        {"hooks: {session_timeout: {timeout: 5s}}\n",
         {"f:1: hooks.session_timeout.command: missing, expected a list like [program, "
          "argument]"}},
        {"hooks:\n  before_admission:\n    command: []\n    timeout: 5\n",
         {"f:3: hooks.before_admission.command: names no program, expected a list like [program, "
          "argument]",
          "f:4: hooks.before_admission.timeout: \"5\" has no unit, expected 5s or 5ms"}},
        {"hooks:\n  backend_ready: {command: x}\n  backend_stopped: {timeout: 0s}\n",
         {"f:2: hooks.backend_ready.command: found a single value, expected a list, each item text",
          "f:3: hooks.backend_stopped.command: missing, expected a list like [program, argument]",
          "f:3: hooks.backend_stopped.timeout: \"0s\" is no time at all, expected " + duration}},
        {"hooks: {before_admission: {comand: [x]}}\n",
         {"f:1: hooks.before_admission.comand: unknown key, did you mean command?",
          "f:1: hooks.before_admission.command: missing, expected a list like [program, "
          "argument]"}},
    });
}

const std::string alone =
    "protocol: tcp\n"
    "listen: [{address: \"127.0.0.1:7000\"}]\n";

// Before a service that somebody else runs.
TEST(WrongConfiguration, OfAGateAloneHasKeysForABackendOfItsOwn) {
    const std::string no_effect =
        ": has no effect without backend.command, expected it to be left "
        "out";
    expect_all({
        {alone + "backend:\n  address: localhost:8100\n  stop_grace: 5s\n  limits: {core: 0}\n",
         {"f:5: backend.stop_grace" + no_effect, "f:6: backend.limits" + no_effect}},
        {alone + "backend: {address: \"localhost:8100\"}\nrecycle:\n  max_jobs: 5\n"
                 "  schedule: []\n",
         {"f:5: recycle.max_jobs" + no_effect, "f:6: recycle.schedule" + no_effect}},
        {alone + "backend: {address: \"localhost:8100\"}\n"
                 "hooks: {before_admission: {command: [run, \"{directory}/x\"]}}\n"
                 "probe: {kind: command, command: [look, \"{profile}\"]}\n",
         {"f:4: hooks.before_admission.command: holds {directory}, which there is not without "
          "backend.command, expected another path",
          "f:5: probe.command: holds {profile}, which there is not without backend.command, "
          "expected another path"}},
        {alone + "backend: {address: \"localhost:8100\"}\n"
                 "hooks:\n  backend_ready: {command: [\"{profile}\"]}\n"
                 "  backend_stopped: {command: [x]}\n",
         {"f:5: hooks.backend_ready.command: holds {profile}, which there is not without "
          "backend.command, expected another path",
          "f:6: hooks.backend_stopped" + no_effect}},
        {alone + "backend: {address: \"localhost:8100\"}\nhooks: {backend_stopped: off}\n",
         {"f:4: hooks.backend_stopped" + no_effect}},
    });
}

TEST(WrongConfiguration, OfAGateAloneNamesNoService) {
    const std::string service =
        "an address or a name, and a port, like 127.0.0.1:8100, [::1]:8100 or localhost:8100, or a "
        "socket's path like unix:/run/service.sock";
    expect_all({
        {alone + "backend: {address: \"unix:service.sock\"}\n",
         {"f:3: backend.address: \"unix:service.sock\" has no absolute path, expected one like "
          "unix:/run/service.sock"}},
        {alone + "backend: {address: localhost}\n",
         {"f:3: backend.address: \"localhost\" is not the address of a service, expected " +
          service}},
        {alone + "backend: {address: \"local host:1\"}\n",
         {"f:3: backend.address: \"local host:1\" is not the address of a service, expected " +
          service}},
        {alone + "backend: {address: \"127.0.0:1\"}\n",
         {"f:3: backend.address: \"127.0.0:1\" is not the address of a service, expected " +
          service}},
        {alone + "backend: {address: \"office:70000\"}\n",
         {"f:3: backend.address: \"office:70000\" has no possible port, expected a port from 1 to "
          "65535"}},
        {alone + "backend: {address: \"localhost:{port}\"}\n",
         {"f:3: backend.address: \"localhost:{port}\" has no possible port, expected a port from 1 "
          "to 65535"}},
        {alone + "backend: {address: \"localhost:7000\"}\n",
         {"f:3: backend.address: the gate itself listens on 127.0.0.1:7000, expected an address "
          "of the backend's own"}},
        {alone,
         {"f:1: backend.address: missing, protocol tcp has no default, expected a numeric address "
          "and a port like \"127.0.0.1:{port}\", or a socket's path like "
          "\"unix:{directory}/socket\"",
          "f:1: backend.command: missing, protocol tcp has no default, expected a list like "
          "[program, argument], or the address alone of a service somebody else runs"}},
    });
}

TEST(WrongConfiguration, HasKeysTwice) {
    expect_all({
        {"protocol: uno\n\nprotocol: uno\n", {"f:3: protocol: written twice, first in line 1"}},
        {"gate:\n  queue_limit: 5\n  queue_limit: 6\n",
         {"f:3: gate.queue_limit: written twice, first in line 2"}},
        {"backend:\n  environment: {A: 1, A: 2}\n",
         {"f:2: backend.environment.A: written twice, first in line 2"}},
    });
}

TEST(WrongConfiguration, HasKeysThatAreStillToCome) {
    const std::string coming = ": not available yet, expected it to be left out";
    expect_all({
        {"listen:\n  - {address: \"127.0.0.1:1\", proxy_protocol: off, trusted_proxies: [],\n"
         "     proxy_timeout: 3s}\n",
         {"f:2: listen[0].proxy_protocol" + coming, "f:2: listen[0].trusted_proxies" + coming,
          "f:3: listen[0].proxy_timeout" + coming}},
        {"admin: {agent_check: off, sokcet: x}\n",
         {"f:1: admin.agent_check" + coming,
          "f:1: admin.sokcet: unknown key, did you mean socket?"}},
    });
}

TEST(WrongConfiguration, HasAWayInForOperatorsThatIsNone) {
    expect_all({
        {"admin: {socket: run/x.sock}\n",
         {"f:1: admin.socket: \"run/x.sock\" is not an absolute path, expected one that begins "
          "with "
          "/, or off"}},
        {"admin:\n  socket: /" + std::string(107, 'x') + "\n",
         {"f:2: admin.socket: \"unix:/" + std::string(74, 'x') +
          "…\" is too long by 1 bytes, expected a path of at most 107 bytes, or off"}},
        {"admin: {socket_mode: 0999}\n",
         {"f:1: admin.socket_mode: \"0999\" is no mode of a file, expected three octal digits like "
          "\"0660\""}},
        {"admin: {socket_mode: 1777}\n",
         {"f:1: admin.socket_mode: \"1777\" is no mode of a file, expected three octal digits like "
          "\"0660\""}},
        {"admin: {socket_group: \"a b\"}\n",
         {"f:1: admin.socket_group: \"a b\" is not a group's name, expected a name as in "
          "/etc/group"}},
        {"admin: {http: localhost:9180}\n",
         {"f:1: admin.http: \"localhost:9180\" does not begin with a numeric address, expected a "
          "numeric address and a port like 127.0.0.1:2002 or [::1]:2002, or off"}},
        {"listen: [{address: \"127.0.0.1:1\"}]\nadmin: {http: \"127.0.0.1:1\"}\n",
         {"f:2: admin.http: 127.0.0.1:1 is where clients connect, at 127.0.0.1:1 in line 1, "
          "expected an address of its own"}},
        {"listen:\n  - address: 127.0.0.1:1\n  - address: \"[::1]:2\"\nadmin: {http: \"[::]:2\"}\n",
         {"f:4: admin.http: [::]:2 is where clients connect, at [::1]:2 in line 3, expected an "
          "address of its own"}},
        {"admin:\n  http: 0.0.0.0:2002\n",
         {"f:2: admin.http: 0.0.0.0:2002 is where clients connect, at 127.0.0.1:2002 by default, "
          "expected an address of its own"}},
    });
}

TEST(WrongConfiguration, HasValuesThatAreStillToCome) {
    expect_all({
        {"gate: {concurrency: 2}\n",
         {"f:1: gate.concurrency: \"2\" is not possible with protocol uno: an office has one main "
          "lock, expected 1"}},
        {"backend: {instances: 0, standby: 101}\n",
         {"f:1: backend.instances: \"0\" is out of range, expected a number from 1 to 100",
          "f:1: backend.standby: \"101\" is out of range, expected a number from 0 to 100"}},
        {"backend: {instances: 2, standby: 1, address: \"127.0.0.1:9\"}\n",
         {"f:1: backend.address: is the same for 3 backends at once (instances + standby), "
          "expected {port} in it"}},
        {"backend:\n  instances: 3\n  ports: 2100-2101\n",
         {"f:3: backend.ports: 2 ports are too few for 3 backends at once (instances + standby), "
          "expected one for each"}},
        {"listen: [{address: \"unix:/run/x\"}]\n",
         {"f:1: listen[0].address: \"unix:/run/x\" is not available yet, expected " + listener}},
    });
}

TEST(WrongConfiguration, HasWrongWordsAndNumbers) {
    expect_all({
        {"protocol: udp\n", {"f:1: protocol: \"udp\" is not possible, expected uno or tcp"}},
        {"protocol:\n", {"f:1: protocol: has no value, expected uno or tcp"}},
        {"gate: {half_closed: keeep}\n",
         {"f:1: gate.half_closed: \"keeep\" is not possible, expected keep"}},
        {"gate: {queue_limit: 0}\n",
         {"f:1: gate.queue_limit: \"0\" is out of range, expected a number from 1 to 1000000"}},
        {"gate: {queue_limit: 1e3}\n",
         {"f:1: gate.queue_limit: \"1e3\" is not a whole number, expected a number from 1 to "
          "1000000"}},
        {"gate: {queue_limit: off}\n",
         {"f:1: gate.queue_limit: \"off\" is not a whole number, expected a number from 1 to "
          "1000000"}},
        {"gate: {queue_limit: }\n",
         {"f:1: gate.queue_limit: has no value, expected a number from 1 to 1000000"}},
        {"gate: {queue_limit: !!binary NQ==}\n",
         {"f:1: gate.queue_limit: found !!binary, expected a number from 1 to 1000000"}},
        {"gate: {queue_limit: 99999999999999999999}\n",
         {"f:1: gate.queue_limit: \"99999999999999999999\" is out of range, expected a number from "
          "1 "
          "to 1000000"}},
        {"recycle: {max_jobs: 0}\n",
         {"f:1: recycle.max_jobs: \"0\" is out of range, expected a number from 1 to 1000000000, "
          "or "
          "off"}},
        {"backend: {nice: 20, oom_score_adjust: -1001}\n",
         {"f:1: backend.nice: \"20\" is out of range, expected a number from -20 to 19",
          "f:1: backend.oom_score_adjust: \"-1001\" is out of range, expected a number from -1000 "
          "to "
          "1000"}},
        {"backend: {stop_signal: 15}\n",
         {"f:1: backend.stop_signal: \"15\" is not a signal to stop by, expected TERM, INT, QUIT, "
          "HUP, USR1, USR2 or KILL"}},
        {"log: {level: loud, format: xml}\n",
         {"f:1: log.level: \"loud\" is not possible, expected debug, info, warn or error",
          "f:1: log.format: \"xml\" is not possible, expected text or json"}},
        {"backend: {limits: {open_files: 5, address_space: 0, core: 1MB}}\n",
         {"f:1: backend.limits.open_files: \"5\" is out of range, expected a number from 16 to "
          "1073741824, or off",
          "f:1: backend.limits.address_space: \"0\" leaves no memory at all, expected a size like "
          "512MiB or 2GiB, or off",
          "f:1: backend.limits.core: \"1MB\" has an unknown unit, expected 1MiB, or off"}},
        {"recycle:\n  memory_soft_limit: 0\n  memory_hard_limit: 3G\n  idle_shutdown: 0s\n",
         {"f:2: recycle.memory_soft_limit: \"0\" leaves no memory at all, expected a size like "
          "512MiB or 2GiB, or off",
          "f:3: recycle.memory_hard_limit: \"3G\" has an unknown unit, expected 3GiB, or off",
          "f:4: recycle.idle_shutdown: \"0s\" is no time at all, expected a duration like "
          "250ms, 20s, 5min or 24h, or off"}},
        {"backend: {profile_template: mine}\n",
         {"f:1: backend.profile_template: \"mine\" is no folder, expected default, none, or a "
          "folder's absolute path"}},
        {"recycle: {memory_soft_limit: 4GiB}\n",
         {"f:1: recycle.memory_soft_limit: the soft limit is larger than the hard one, expected it "
          "to be reached first"}},
    });
}

TEST(WrongConfiguration, HasWrongDurations) {
    expect_all({
        {"gate: {session_timeout: 120}\n",
         {"f:1: gate.session_timeout: \"120\" has no unit, expected 120s or 120ms"}},
        {"gate: {session_timeout: 0s}\n",
         {"f:1: gate.session_timeout: \"0s\" is no time at all, expected " + duration}},
        {"gate: {session_timeout: off}\n",
         {"f:1: gate.session_timeout: \"off\" is not a duration, expected " + duration}},
        {"gate: {session_timeout: [5s]}\n",
         {"f:1: gate.session_timeout: found a list, expected " + duration}},
        {"recycle: {max_age: 2m}\n",
         {"f:1: recycle.max_age: \"2m\" has an unknown unit, expected 2min, or off"}},
        {"shutdown_timeout: 400d\n",
         {"f:1: shutdown_timeout: \"400d\" is too long, expected at most 365d"}},
        {"backend: {restart_backoff: {first: 1min}}\n",
         {"f:1: backend.restart_backoff.first: the first pause is longer than the longest, "
          "expected "
          "first to be at most max"}},
    });
}

TEST(WrongConfiguration, HasWrongListeners) {
    const std::string why =
        "expected the networks that may connect, or [any]: 0.0.0.0:2002 can be reached from other "
        "machines, and whoever reaches a UNO socket can run programs";
    expect_all({
        {"listen: []\n",
         {"f:1: listen: empty, expected at least one listener like \"- address: 127.0.0.1:2002\""}},
        {"listen: 127.0.0.1:2002\n",
         {"f:1: listen: found a single value, expected a list of mappings"}},
        {"listen:\n", {"f:1: listen: found nothing, expected a list of mappings"}},
        {"listen: [\"127.0.0.1:2002\"]\n",
         {"f:1: listen[0]: found a single value, expected a mapping of keys"}},
        {"listen:\n  - allow: [any]\n", {"f:2: listen[0].address: missing, expected " + listener}},
        {"listen: systemd\n",
         {"f:1: listen: \"systemd\" is no listener by itself, expected \"- address: systemd\""}},
        {"listen:\n  - systemd\n",
         {"f:1: listen: \"systemd\" is no listener by itself, expected \"- address: systemd\""}},
        {"listen: [{address: sytemd}]\n",
         {"f:1: listen[0].address: \"sytemd\" is no address with a port, expected " + listener}},
        {"listen:\n  - address: systemd\n  - address: systemd\n",
         {"f:3: listen[1].address: the same address twice, first in line 2, expected each once"}},
        {"listen: [{address: systemd, allow: [10.0.0.1/8]}]\n",
         {"f:1: listen[0].allow[0]: \"10.0.0.1/8\" has bits set beyond its prefix, expected "
          "10.0.0.0/8"}},
        {"listen: [{address: \"localhost:2002\"}]\n",
         {"f:1: listen[0].address: \"localhost:2002\" does not begin with a numeric address, "
          "expected " +
          endpoint}},
        {"listen: [{address: \"127.0.0.1:0\"}]\n",
         {"f:1: listen[0].address: \"127.0.0.1:0\" has no possible port, expected a port from 1 to "
          "65535"}},
        {"listen:\n  - address: 0.0.0.0:2002\n", {"f:2: listen[0].allow: missing, " + why}},
        {"listen:\n  - address: 0.0.0.0:2002\n    allow: []\n",
         {"f:3: listen[0].allow: empty, " + why}},
        {"listen:\n  - address: 0.0.0.0:2002\n    allow: [10.0.0.1/8]\n",
         {"f:3: listen[0].allow[0]: \"10.0.0.1/8\" has bits set beyond its prefix, expected "
          "10.0.0.0/8"}},
        {"listen: [{address: \"0.0.0.0:2002\", allow: any}]\n",
         {"f:1: listen[0].allow: found a single value, expected a list, each item a network or an "
          "address like 10.0.0.0/8, 192.168.1.7 or fd00::/8, or any"}},
        {"listen: [{address: \"0.0.0.0:2002\", allow: [any, 10.0.0.0/8]}]\n",
         {"f:1: listen[0].allow: any stands beside networks, expected [any] alone or networks "
          "alone"}},
        {"listen:\n  - address: \"[::1]:2002\"\n  - address: \"[0::1]:2002\"\n",
         {"f:3: listen[1].address: the same address twice, first in line 2, expected each once"}},
        {"listen:\n  - address: 127.0.0.1:2\n  - address: \"[0:0::ffff:7f00:1]:2\"\n",
         {"f:3: listen[1].address: the same address twice, first in line 2, expected each once"}},
        {"listen:\n  - address: 127.0.0.1:2\n  - address: \"[::ffff:127.0.0.1]:2\"\n",
         {"f:3: listen[1].address: the same address twice, first in line 2, expected each once"}},
    });
}

// The system lets no two sockets listen so: it would be found out at the start, again and again.
TEST(WrongConfiguration, HasListenersOfWhichAPartIsTheSame) {
    const std::string each_once = " are in part the same, expected each address once";
    const std::string any = "protocol: tcp\nbackend: {address: \"unix:/s\"}\n";
    expect_all({
        {any + "listen:\n  - address: 127.0.0.1:2\n  - address: 0.0.0.0:2\n",
         {"f:5: listen[1].address: 0.0.0.0:2 and 127.0.0.1:2 in line 4" + each_once}},
        {any + "listen:\n  - address: 0.0.0.0:2\n  - address: 127.0.0.2:2\n",
         {"f:5: listen[1].address: 127.0.0.2:2 and 0.0.0.0:2 in line 4" + each_once}},
        {any + "listen: [{address: \"[::1]:2\"},\n  {address: \"127.0.0.1:2\"},\n"
               "  {address: \"[::]:2\"}]\n",
         {"f:5: listen[2].address: [::]:2 and [::1]:2 in line 3" + each_once}},
        {any + "listen: [{address: \"0.0.0.0:2\"},\n  {address: nowhere},\n"
               "  {address: \"[::ffff:10.0.0.1]:2\"}]\n",
         {"f:4: listen[1].address: \"nowhere\" is no address with a port, expected " + listener,
          "f:5: listen[2].address: 10.0.0.1:2 and 0.0.0.0:2 in line 3" + each_once}},
    });
}

TEST(WrongConfiguration, HasTheGateAsItsOwnClient) {
    expect_all({
        {"listen: [{address: \"127.0.0.1:2150\"}]\nbackend: {command: [serve, \"{port}\"]}\n",
         {"f:1: listen: 127.0.0.1:2150 is among the backend's own ports (2100-2199), expected "
          "another port, or other backend.ports"}},
        {"backend:\n  ports: 2000-2010\n",
         {"f:2: backend.ports: the gate itself listens on 127.0.0.1:2002, expected an address of "
          "the "
          "backend's own"}},
        {alone + "backend: {address: \"0.0.0.0:7000\"}\n",
         {"f:3: backend.address: the gate itself listens on 127.0.0.1:7000, expected an address "
          "of the backend's own"}},
        {alone + "backend: {address: \"[::ffff:127.0.0.1]:7000\"}\n",
         {"f:3: backend.address: the gate itself listens on 127.0.0.1:7000, expected an address "
          "of the backend's own"}},
        {"protocol: tcp\nlisten: [{address: \"192.0.2.1:7000\"}]\n"
         "backend: {command: [serve], address: \"0.0.0.0:7000\"}\n",
         {"f:3: backend.address: the gate itself listens on 192.0.2.1:7000, expected an address "
          "of the backend's own"}},
        {alone + "backend: {command: [serve], address: \"[::]:7000\"}\n",
         {"f:3: backend.address: the gate itself listens on 127.0.0.1:7000, expected an address "
          "of the backend's own"}},
        {"listen: [{address: \"0.0.0.0:2002\", allow: [any]}]\nbackend: {address: "
         "127.0.0.1:2002}\n",
         {"f:2: backend.address: the gate itself listens on 0.0.0.0:2002, expected an address of "
          "the "
          "backend's own"}},
    });
}

TEST(WrongConfiguration, HasAWrongBackend) {
    expect_all({
        {"backend: {command: soffice}\n",
         {"f:1: backend.command: found a single value, expected a list, each item text"}},
        {"backend: {command: []}\n",
         {"f:1: backend.command: names no program, expected a list like [program, argument]"}},
        {"backend: {command: [\"\", x]}\n",
         {"f:1: backend.command: names no program, expected a list like [program, argument]"}},
        {"backend:\n  command:\n    - x\n    - [y]\n    - ~\n    - \"a\\0b\"\n",
         {"f:4: backend.command[1]: found a list, expected text",
          "f:5: backend.command[2]: has no value, expected text",
          "f:6: backend.command[3]: \"a\\x00b\" holds a NUL character, expected text without one"}},
        {"backend: {command: [x, \"{prot}\", \"}\"]}\n",
         {"f:1: backend.command[1]: \"{prot}\" has the unknown placeholder {prot}, " + placeholders,
          "f:1: backend.command[2]: \"}\" has a stray }, expected }} for the character itself"}},
        {"backend: {address: \"localhost:{port}\"}\n",
         {"f:1: backend.address: \"localhost:{port}\" is no numeric address and port, and no "
          "socket's path, expected one like \"127.0.0.1:{port}\" or \"unix:{directory}/socket\""}},
        {"backend: {address: \"unix:run/{name}\"}\n",
         {"f:1: backend.address: \"unix:run/{name}\" has no absolute path, expected one like "
          "\"unix:{directory}/socket\""}},
        {"backend: {address: \"unix:/run/{name}\", ports: 2100-2199}\n",
         {"f:1: backend.ports: has no effect, expected {port} in backend.address"}},
        {"backend: {address: \"unix:/run/office\", standby: 1}\n",
         {"f:1: backend.address: is the same for 2 backends at once (instances + standby), "
          "expected {name} or {directory} in it"}},
        {"backend: {address: \"unix:/" + std::string(78, 'x') + "{name}\"}\n",
         {"f:1: backend.address: once filled in \"unix:/" + std::string(74, 'x') +
          "…\" is too long by 3 bytes, expected a path of at most 107 bytes"}},
        {"backend: {address: 127.0.0.1:2100, ports: 2100-2199}\n",
         {"f:1: backend.ports: has no effect, expected {port} in backend.address"}},
        {"backend: {ports: 70000}\n",
         {"f:1: backend.ports: \"70000\" is not a range of ports, expected ports from 1 to 65535 "
          "like "
          "2100-2199"}},
        {"backend: {state_directory: var/lib}\n",
         {"f:1: backend.state_directory: \"var/lib\" is not an absolute path, expected one that "
          "begins with /"}},
        {"backend: {environment: [A=1]}\n",
         {"f:1: backend.environment: found a list, expected a mapping of names to values"}},
        {"backend:\n  environment:\n    A: [1]\n    B=: 2\n    C: \"{x}\"\n",
         {"f:3: backend.environment.A: found a list, expected text",
          "f:4: backend.environment.B=: is not a variable's name, expected one without =",
          "f:5: backend.environment.C: \"{x}\" has the unknown placeholder {x}, " + placeholders}},
        {"backend: {user: \"a b\"}\n",
         {"f:1: backend.user: \"a b\" is not a user's name, expected a name as in /etc/passwd"}},
        {"protocol: tcp\n",
         {"f:1: listen: missing, protocol tcp has no default, expected at least one listener like "
          "\"- address: 127.0.0.1:2002\"",
          "f:1: backend.address: missing, protocol tcp has no default, expected a numeric address "
          "and a port like \"127.0.0.1:{port}\", or a socket's path like "
          "\"unix:{directory}/socket\"",
          "f:1: backend.command: missing, protocol tcp has no default, expected a list like "
          "[program, argument], or the address alone of a service somebody else runs"}},
        {"protocol: tcp\nlisten: [{address: \"127.0.0.1:1\"}]\nbackend: {command: [x]}\n",
         {"f:3: backend.address: missing, protocol tcp has no default, expected a numeric address "
          "and a port like \"127.0.0.1:{port}\", or a socket's path like "
          "\"unix:{directory}/socket\""}},
    });
}

TEST(WrongConfiguration, HasAWrongProbe) {
    const std::string bytes = "expected text, or !!binary and base64";
    expect_all({
        {"probe: {kind: http}\n",
         {"f:1: probe.kind: \"http\" is not possible with protocol uno, expected uno, connect, "
          "greeting, exchange or command"}},
        {tcp + "probe: {kind: uno}\n",
         {"f:4: probe.kind: \"uno\" is not possible with protocol tcp, expected connect, greeting, "
          "exchange, http or command"}},
        {"probe:\n  kind: greeting\n", {"f:1: probe.expect: missing, " + bytes}},
        {"probe: {kind: greeting, expect: \"\"}\n", {"f:1: probe.expect: holds no byte, " + bytes}},
        {"probe: {kind: greeting, expect: [a]}\n", {"f:1: probe.expect: found a list, " + bytes}},
        {"probe: {kind: greeting, expect: \"" + std::string(4097, 'x') + "\"}\n",
         {"f:1: probe.expect: is too long, expected at most 4096 bytes"}},
        {"probe: {kind: greeting, expect: a, path: /}\n",
         {"f:1: probe.path: has no effect with kind greeting, expected it with kind http"}},
        {"probe: {expect: a}\n",
         {"f:1: probe.expect: has no effect with kind uno, expected it with kind greeting or "
          "exchange"}},
        {"probe: {kind: exchange}\n",
         {"f:1: probe.send: missing, " + bytes, "f:1: probe.expect: missing, " + bytes}},
        {"probe: {kind: command}\n",
         {"f:1: probe.command: missing, expected a list like [program, argument]"}},
        {"probe: {kind: command, command: []}\n",
         {"f:1: probe.command: names no program, expected a list like [program, argument]"}},
        {tcp + "probe: {kind: http, path: up, status: 99}\n",
         {"f:4: probe.path: \"up\" is not a path, expected one that begins with / and holds no "
          "blank",
          "f:4: probe.status: \"99\" is out of range, expected a number from 100 to 599"}},
        {"probe: {kind: connect, admission: 5s}\n",
         {"f:1: probe.admission: a backend that accepts is not a backend that is free, expected "
          "off, "
          "or another kind than connect"}},
        {"probe: {interval: 0s, timeout: 2, failure_threshold: 0, admission: no}\n",
         {"f:1: probe.admission: \"no\" is not a duration, expected " + duration + ", or off",
          "f:1: probe.interval: \"0s\" is no time at all, expected " + duration,
          "f:1: probe.timeout: \"2\" has no unit, expected 2s or 2ms",
          "f:1: probe.failure_threshold: \"0\" is out of range, expected a number from 1 to 1000"}},
    });
}

TEST(WrongConfiguration, HasAWrongSchedule) {
    expect_all({
        {"recycle: {schedule: \"30 3 * * *\"}\n",
         {"f:1: recycle.schedule: found a single value, expected a list, each item a cron line "
          "like "
          "\"30 3 * * *\""}},
        {"recycle:\n  schedule:\n    - 30 3 * *\n    - 61 3 * * *\n    - 0 0 30 2 *\n",
         {"f:3: recycle.schedule[0]: \"30 3 * *\" is not a cron line: found 4 fields, expected "
          "five: "
          "minute, hour, day of month, month, day of week",
          "f:4: recycle.schedule[1]: \"61 3 * * *\" is not a cron line: minute: \"61\" is not "
          "possible, expected a number from 0 to 59",
          "f:5: recycle.schedule[2]: \"0 0 30 2 *\" never comes, expected a day that exists"}},
    });
}

TEST(WrongConfiguration, HasVariablesThatAreNotSet) {
    expect_all({
        {"gate: {queue_limit: \"${LIMIT}\"}\nbackend: {command: [x, \"${ARGUMENT\", \"$5\"]}\n",
         {"f:1: gate.queue_limit: the environment variable LIMIT is not set, expected it or a "
          "default: ${LIMIT:-…}",
          "f:2: backend.command[1]: \"${ARGUMENT\" is not closed, expected a } at its end",
          "f:2: backend.command[2]: \"$5\" is no variable, expected ${NAME} or ${NAME:-default}, "
          "and "
          "$$ for a dollar sign"}},
        {"gate: {queue_limit: \"${LIMIT:-many}\"}\n",
         {"f:1: gate.queue_limit: \"many\" is not a whole number, expected a number from 1 to "
          "1000000"}},
    });
}

TEST(WrongConfiguration, IsToldEverythingAtOnceInOrder) {
    expect_all({
        {"shutdown_timeout: 5\n"
         "recycle: {max_jobs: many}\n"
         "lisen: []\n"
         "gate:\n"
         "  queue_limit: 5\n"
         "  queue_limit: 6\n"
         "  idle_timeout: 5\n"
         "probe: {kind: greting}\n"
         "backend:\n"
         "  nice: high\n"
         "listen:\n"
         "  - address: 0.0.0.0:2002\n",
         {"f:1: shutdown_timeout: \"5\" has no unit, expected 5s or 5ms",
          "f:2: recycle.max_jobs: \"many\" is not a whole number, expected a number from 1 to "
          "1000000000, or off",
          "f:3: lisen: unknown key, did you mean listen?",
          "f:6: gate.queue_limit: written twice, first in line 5",
          "f:7: gate.idle_timeout: \"5\" has no unit, expected 5s or 5ms, or off",
          "f:8: probe.kind: \"greting\" is not possible with protocol uno, expected greeting",
          "f:10: backend.nice: \"high\" is not a whole number, expected a number from -20 to 19",
          "f:12: listen[0].allow: missing, expected the networks that may connect, or [any]: "
          "0.0.0.0:2002 can be reached from other machines, and whoever reaches a UNO socket can "
          "run "
          "programs"}},
        // With an unknown protocol nothing is said that only one protocol demands.
        {"protocol: tpc\nlisten: [{address: \"0.0.0.0:2002\"}]\nprobe: {kind: http}\n",
         {"f:1: protocol: \"tpc\" is not possible, expected uno or tcp"}},
    });
}

}  // namespace
}  // namespace tcplock::config
