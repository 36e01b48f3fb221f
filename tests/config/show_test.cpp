#include "config/show.hpp"

#include "equality.hpp"
#include "loading.hpp"
#include "samples.hpp"

#include <gtest/gtest.h>

namespace tcplock::config {
namespace {

const std::string tcp =
    "protocol: tcp\n"
    "listen: [{address: \"127.0.0.1:7000\"}]\n"
    "backend: {command: [serve, \"{port}\"], address: \"127.0.0.1:{port}\"}\n";

// Variants that together touch every key and every odd character.
const std::vector<std::string> variants{
    "",
    tcp,
    tcp + "probe: {kind: http, path: \"/a?b=$$1\", status: 204, admission: 3s}\n",
    "protocol: tcp\nlisten: [{address: \"0.0.0.0:7\"}]\n"
    "backend: {command: [a], address: \"127.0.0.1:8\"}\n",
    "listen: [{address: \"[::]:1\", allow: [any]},\n"
    "         {address: \"10.0.0.1:2\", allow: [10.0.0.0/8, ::1]}]\n",
    "listen: [{address: systemd}, {address: \"[::1]:1\"}]\n",
    "listen: [{address: systemd, allow: [10.0.0.0/8]}]\n",
    "gate: {queue_limit: 1, queue_timeout: 1ms, session_timeout: 365d, half_closed: keep,\n"
    "       first_byte_timeout: off, idle_timeout: 59s, release_timeout: 61s}\n",
    "gate: {first_byte_timeout: 7s, idle_timeout: off}\n",
    "backend: {command: [\"$$HOME\", \"$${{A}}\", \"{{x}}\", \"a\\\"b\\\\c\\n\\t\", \"é€😀\", \"# "
    "no\",\n"
    "          \"\\x01\\x7f\\x85\\u2028\\uFEFF\\uFFFF\", \" \", \"\", \"off\", \"- x: y\", "
    "\"null\"]}\n",
    "backend: {environment: {A: \"$$\", $$B: \"{port}\", \"c d\": \"x\\ny\", é: \"\", \"#\": "
    "\"#\"}}\n",
    "backend: {state_directory: \"/a b$$c\", user: office, start_timeout: 1d, stop_signal: KILL,\n"
    "          stop_grace: 0s, stop_timeout: 25h, restart_backoff: {first: 1ms, max: 2h},\n"
    "          nice: 19, oom_score_adjust: 1000, ports: 5-6}\n",
    "backend: {limits: {open_files: off, address_space: off, core: off}}\n",
    "backend: {limits: {open_files: 99, address_space: 1537MiB, core: 3B}}\n",
    "probe: {kind: connect, interval: 7s, timeout: 3ms, failure_threshold: 9}\n",
    "probe: {kind: greeting, expect: \"\\0\\xff$$ {\", admission: off}\n",
    "probe: {kind: exchange, send: !!binary \"/wD+\", expect: \"PONG\\r\\n\"}\n",
    "probe: {kind: command, command: [check, \"$$\", \"{port}\", \"{{\"]}\n",
    "recycle: {max_jobs: off, max_age: off, schedule: [\"*/5 * * * *\", \"0 0 1 jan sun\"]}\n",
    "recycle: {max_jobs: 1, max_age: 90s}\nlog: {level: error}\nshutdown_timeout: 0s\n",
    "hooks: {before_admission: {command: [\"a, b\", \"{port}\"], timeout: 9s},\n"
    "        session_timeout: {command: [\"$$x\"]}}\n",
    "hooks: {backend_ready: {command: [tell, \"{instance}\"]},\n"
    "        backend_stopped: {command: [tell], timeout: 1ms}}\n",
    "protocol: tcp\nlisten: [{address: \"0.0.0.0:7\"}]\ngate: {concurrency: 3}\n"
    "backend: {address: \"service.example:8\", start_timeout: 9s}\n"
    "hooks: {backend_ready: {command: [x]}}\n",
    "log: {level: debug}\n",
    "admin: {socket: off, socket_mode: \"0640\", socket_group: x, http: \"127.0.0.1:9180\"}\n",
    "log: {level: warn}\n",
};

TEST(Show, LoadsAsTheSameConfiguration) {
    for (const std::string& text : variants) {
        const Config config = test::loaded(text);
        EXPECT_EQ(test::loaded(show(config)), config) << text << "\nshown as\n" << show(config);
        EXPECT_EQ(show(test::loaded(show(config))), show(config));
    }
}

TEST(Show, LoadsSamplesAsTheSameConfiguration) {
    for (const std::string& name : test::sample_names) {
        const Config config = test::loaded(test::sample(name));
        EXPECT_EQ(test::loaded(show(config)), config) << show(config);
    }
}

TEST(Show, KeepsWhatVariablesHeld) {
    const Config config =
        test::loaded("backend: {command: [x, \"${A}\"]}\n",
                     test::variables({{"A", "$A $$ {{ \" \\ \n 'x': [#] \x01 {port}"}}));
    EXPECT_EQ(config.backend.command[1], "$A $$ {{ \" \\ \n 'x': [#] \x01 {port}");
    EXPECT_EQ(test::loaded(show(config)), config);
}

TEST(Show, FillsInTheDefaults) {
    const std::string text = show(test::loaded(""));
    for (const char* line :
         {"protocol: uno\n", "  - address: \"127.0.0.1:2002\"\n", "  queue_timeout: 10min\n",
          "    - \"soffice\"\n", "  restart_backoff: {first: 200ms, max: 30s}\n",
          "  limits: {open_files: 1024, address_space: 4GiB, core: 0}\n", "  admission: 15s\n",
          "  max_age: 24h\n", "shutdown_timeout: 30s\n"}) {
        EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
    }
}

}  // namespace
}  // namespace tcplock::config
