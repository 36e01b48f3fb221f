#include "config/schema_forms.hpp"

#include "config/probe_kinds.hpp"

namespace tcplock::config {

using namespace schema_kinds;

namespace {

std::vector<Form> top_forms() {
    return {
        {"protocol", "uno: the backend is LibreOffice. tcp: any other TCP service.",
         choice({"uno", "tcp"})},
        {"log", "To standard error.", {}},
        {"log.level", "The least that is logged.", choice({"debug", "info", "warn", "error"})},
        {"log.format", "One line each: time, level, message and key=value, or a JSON object.",
         choice({"text", "json"})},
        {"shutdown_timeout", "Told to stop: so long for those who wait and the one inside.",
         defined("duration_or_zero")},
    };
}

std::vector<Form> listen_forms() {
    return {
        {"listen", "Where clients connect: at least one address, all into one line.", {}},
        {"listen[].address",
         "A numeric address and a port: 127.0.0.1:2002, [::1]:2002, [::]:2002; or systemd, for "
         "what "
         "a socket unit passes.",
         defined("listener")},
        {"listen[].allow",
         "The networks that may connect, or [any]; others are refused before they wait. Beyond "
         "loopback protocol uno demands an answer here: whoever reaches a UNO socket can run "
         "programs.",
         allow()},
    };
}

std::vector<Form> gate_forms() {
    constexpr std::int64_t longest_line = 1'000'000;
    constexpr std::int64_t most_at_once = 10'000;
    return {
        {"gate", "The line of waiting clients, and the way in.", {}},
        {"gate.concurrency", "Clients at once inside one backend; with protocol uno only one.",
         integer(1, most_at_once)},
        {"gate.queue_limit", "Clients that may wait; the next is refused.",
         integer(1, longest_line)},
        {"gate.queue_timeout", "Waited longer: refused.", defined("duration")},
        {"gate.session_timeout", "Inside longer: cut, and the backend recycled.",
         defined("duration")},
        {"gate.first_byte_timeout",
         "So long after it was let in (uno: after it came) its first byte (uno: its whole first "
         "message) is not here: cut, and the backend is kept.",
         or_off(defined("duration"))},
        {"gate.idle_timeout",
         "For so long no byte either way while the office is free and at rest: cut, and the office "
         "is kept.",
         or_off(defined("duration"))},
        {"gate.half_closed",
         "A client that shut down its sending side: has left, or may still be answered.",
         choice({"leave", "keep"})},
        {"gate.release_timeout",
         "The client has left: the backend must close its side within this, or is recycled.",
         defined("duration")},
    };
}

std::vector<Form> backend_forms() {
    constexpr std::int64_t most_files = 1 << 30;
    return {
        {"backend", "The program behind the gate.", {}},
        {"backend.command",
         "The program and its arguments; no shell is involved. Filled in: {port}, {name}, "
         "{instance}, {generation}, {uid}, {directory}, {profile}; a plain brace is doubled. With "
         "protocol tcp it may be left out: then somebody else runs the service.",
         command()},
        {"backend.address",
         "Where the backend listens: a numeric address and a port like 127.0.0.1:{port}, or a "
         "socket's path like unix:/tmp/OSL_PIPE_{uid}_{name}. Of a service that somebody else runs "
         "a host's name will do.",
         defined("backend_address")},
        {"backend.ports", "What {port} is chosen from; a port that a stranger holds is skipped.",
         ports()},
        {"backend.instances", "Backends side by side, behind one line of clients.",
         integer(1, most_backends)},
        {"backend.standby",
         "Ready spares, shared by all instances: when one is recycled or fails, the next client "
         "goes "
         "to a spare at once.",
         integer(0, most_backends)},
        {"backend.state_directory", "The supervisor's own folder; one supervisor each.",
         defined("absolute_path")},
        {"backend.profile_template",
         "What a fresh {profile} begins with: default is the hardened one for LibreOffice, none "
         "lets the backend make it itself, or a folder that is copied.",
         defined("profile_template")},
        {"backend.environment",
         "Names and values, added to the clean environment that the backend gets.", environment()},
        {"backend.user", "Run the backend as this user; empty: as the supervisor's.",
         defined("user")},
        {"backend.start_timeout", "From the start to the first answer.", defined("duration")},
        {"backend.stop_signal",
         "How the backend is asked to end; an office is asked in its own protocol first.",
         stop_signal()},
        {"backend.stop_grace", "From asking to KILL for the whole tree.",
         defined("duration_or_zero")},
        {"backend.stop_timeout", "After KILL: what is left is named, and its place not used again.",
         defined("duration")},
        {"backend.restart_backoff", "The pause after a failed start, doubled each time.", {}},
        {"backend.restart_backoff.first", "The first such pause, at most max.",
         defined("duration")},
        {"backend.restart_backoff.max", "The longest such pause.", defined("duration")},
        {"backend.nice", "Scheduling priority of the backend.", integer(-20, 19)},
        {"backend.oom_score_adjust",
         "When memory is short the backend goes first, not the supervisor.", integer(-1000, 1000)},
        {"backend.limits", "Of each process of the backend; off: as the supervisor's.", {}},
        {"backend.limits.open_files", "Descriptors.", or_off(integer(16, most_files))},
        {"backend.limits.address_space", "Address space.", or_off(defined("size_above_zero"))},
        {"backend.limits.core", "Core dump.", or_off(defined("size"))},
    };
}

std::vector<Form> probe_forms() {
    return {
        {"probe", "Is the backend alive?", {}},
        {"probe.kind",
         "uno: answers a UNO request. connect: accepts. greeting: sends `expect` by itself. "
         "exchange: answers `send` with `expect`. http: answers a request for `path` with "
         "`status`. command: `command` exits with 0.",
         choice({probe_kind_names.begin(), probe_kind_names.end()})},
        {"probe.send", "What is sent.", defined("bytes")},
        {"probe.expect", "The first bytes that must come.", defined("bytes")},
        {"probe.path", "What is asked for.", defined("http_path")},
        {"probe.status", "The status that is an answer.", integer(100, 599)},
        {"probe.command", "The program and its arguments; at `timeout` it is killed.", command()},
        {"probe.interval", "From one probe to the next.", defined("duration")},
        {"probe.timeout", "No answer for so long: a failure.", defined("duration")},
        {"probe.failure_threshold", "So many failures in a row: recycled.", integer(1, 1000)},
        {"probe.admission",
         "After a session the backend must answer within this before the next client, or is "
         "recycled; an office must say that it is free. off: not asked.",
         or_off(defined("duration"))},
    };
}

std::vector<Form> recycle_forms() {
    constexpr std::int64_t most_jobs = 1'000'000'000;
    return {
        {"recycle", "When a backend is replaced by a fresh one, between two clients.", {}},
        {"recycle.max_jobs", "After so many clients that sent something.",
         or_off(integer(1, most_jobs))},
        {"recycle.max_age", "After so long, less up to a tenth by chance.",
         or_off(defined("duration"))},
        {"recycle.schedule", "At these times, local time: cron lines like \"30 3 * * *\".",
         list_of(defined("cron_line"))},
        {"recycle.memory_soft_limit", "When its whole tree uses so much and no job runs.",
         or_off(defined("size_above_zero"))},
        {"recycle.memory_hard_limit",
         "When its whole tree uses so much, at any time: the job is cut.",
         or_off(defined("size_above_zero"))},
        {"recycle.idle_shutdown",
         "No client for so long: ended, and started again for the next one.",
         or_off(defined("duration"))},
    };
}

std::vector<Form> hook_forms() {
    return {
        {"hooks",
         "Programs of your own, told by their environment, and by JSON on their standard input, "
         "what they are about.",
         {}},
        {"hooks.before_admission",
         "After each session and each start, before the next client goes in. If it fails, the "
         "backend is recycled.",
         off()},
        {"hooks.before_admission.command", "The program and its arguments.", command()},
        {"hooks.before_admission.timeout", "Longer: killed, and failed.", defined("duration")},
        {"hooks.session_timeout",
         "After a client was cut at session_timeout, before the next goes in.", off()},
        {"hooks.session_timeout.command", "The program and its arguments.", command()},
        {"hooks.session_timeout.timeout", "Longer: killed, and failed.", defined("duration")},
        {"hooks.backend_ready", "When a backend has answered for the first time. Nobody waits.",
         off()},
        {"hooks.backend_ready.command", "The program and its arguments.", command()},
        {"hooks.backend_ready.timeout", "Longer: killed, and failed.", defined("duration")},
        {"hooks.backend_stopped",
         "When a backend has ended, and nothing is left of it. Nobody waits.", off()},
        {"hooks.backend_stopped.command", "The program and its arguments.", command()},
        {"hooks.backend_stopped.timeout", "Longer: killed, and failed.", defined("duration")},
    };
}

std::vector<Form> admin_forms() {
    return {
        {"admin", "What operators reach.", {}},
        {"admin.socket",
         "The socket on which status, recycle and the other commands find the supervisor. Whoever "
         "may connect to it may do everything.",
         or_off(defined("absolute_path"))},
        {"admin.socket_mode", "The socket's mode.", defined("file_mode")},
        {"admin.socket_group", "The socket's group; empty: as the supervisor's.", defined("group")},
        {"admin.http",
         "Where /healthz, /readyz and the status as JSON are to be read over HTTP; nothing can be "
         "changed there.",
         or_off(defined("endpoint"))},
    };
}

}  // namespace

std::vector<Form> schema_forms() {
    std::vector<Form> all;
    for (const auto& part : {top_forms(), listen_forms(), gate_forms(), backend_forms(),
                             probe_forms(), recycle_forms(), hook_forms(), admin_forms()}) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

}  // namespace tcplock::config
