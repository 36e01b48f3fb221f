#include "config/load.hpp"

#include "config/defaults.hpp"
#include "config/document.hpp"
#include "config/kinds.hpp"
#include "config/places.hpp"
#include "config/read.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tcplock::config {
namespace {

bool has_problem_with(const Reading& reading, std::string_view key) {
    return std::ranges::find(reading.problems, key, &Problem::key) != reading.problems.end();
}

Kind<Protocol> protocol_word() {
    return choice<Protocol>({{"uno", Protocol::uno}, {"tcp", Protocol::tcp}});
}

void read_gate(const Section& section, Config& config) {
    constexpr std::int64_t longest_line = 1'000'000;
    constexpr std::int64_t most_at_once = 10'000;
    core::GatePolicy& gate = config.policy.gate;
    section.read("concurrency", gate.concurrency, integer<std::size_t>(1, most_at_once));
    section.read("queue_limit", gate.queue_limit, integer<std::size_t>(1, longest_line));
    section.read("queue_timeout", gate.queue_timeout, duration());
    section.read("session_timeout", gate.session_timeout, duration());
    section.read("first_byte_timeout", gate.first_byte_timeout, or_off(duration()));
    section.read("idle_timeout", config.idle_timeout, or_off(duration()));
    section.read("half_closed", config.half_closed,
                 choice<HalfClosed>({{"leave", HalfClosed::leave}, {"keep", HalfClosed::keep}}));
    section.read("release_timeout", gate.release_timeout, duration());
}

void read_memory_limits(const Section& section, core::RecyclePolicy& recycle) {
    section.read("memory_soft_limit", recycle.memory_soft_limit, or_off(size_above_zero()));
    section.read("memory_hard_limit", recycle.memory_hard_limit, or_off(size_above_zero()));
    if (recycle.memory_soft_limit && recycle.memory_hard_limit &&
        *recycle.memory_soft_limit > *recycle.memory_hard_limit) {
        section.note(section.has("memory_soft_limit") ? "memory_soft_limit" : "memory_hard_limit",
                     "the soft limit is larger than the hard one, expected it to be reached first");
    }
}

void read_recycle(const Section& section, Config& config) {
    constexpr std::int64_t most_jobs = 1'000'000'000;
    core::RecyclePolicy& recycle = config.policy.recycle;
    section.read("max_jobs", recycle.max_jobs, or_off(integer<std::uint64_t>(1, most_jobs)));
    section.read("max_age", recycle.max_age, or_off(duration()));
    read_memory_limits(section, recycle);
    section.read("idle_shutdown", recycle.idle_shutdown, or_off(duration()));
    section.read_list("schedule", config.schedule, cron_line());
    for (const std::string_view key : {"max_jobs", "max_age", "schedule", "memory_soft_limit",
                                       "memory_hard_limit", "idle_shutdown"}) {
        if (is_alone(config) && section.has(key)) {
            section.note(key, without_command);
        }
    }
}

void read_log(const Section& section, Config& config) {
    section.read("level", config.log_level,
                 choice<LogLevel>({{"debug", LogLevel::debug},
                                   {"info", LogLevel::info},
                                   {"warn", LogLevel::warn},
                                   {"error", LogLevel::error}}));
    section.read("format", config.log_format,
                 choice<LogFormat>({{"text", LogFormat::text}, {"json", LogFormat::json}}));
}

// Those that depend on what else is written.
void settle_defaults(const Reading& reading, Config& config) {
    // Or a job that takes longer would be cut.
    if (!config.policy.probe.tells_if_free && !reading.is_written("gate.idle_timeout")) {
        config.idle_timeout.reset();
    }
    if (!reading.is_written("backend.standby") && bears_standby(config)) {
        config.policy.backend.standby = 1;
    }
}

// With a protocol that cannot be read every other default is a guess: the rest is then read as for
// the default protocol.
Config read_all(const Section& root) {
    Protocol protocol = Protocol::uno;
    root.read("protocol", protocol, protocol_word());
    root.reading().is_protocol_known = !has_problem_with(root.reading(), "protocol");
    Config config = defaults(protocol);
    read_listen(root, config);
    read_gate(root.section("gate"), config);
    read_backend(root.section("backend"), config);
    read_probe(root.section("probe"), config);
    read_recycle(root.section("recycle"), config);
    read_hooks(root.section("hooks"), config);
    read_admin(root.section("admin"), config);
    read_log(root.section("log"), config);
    root.read("shutdown_timeout", config.policy.shutdown_timeout, duration_or_zero());
    settle_defaults(root.reading(), config);
    check_together(root, config);
    return config;
}

struct Failure {
    int error;  // errno
};

// Of a file that is too large one byte too many, which is enough to refuse it.
std::variant<std::string, Failure> read_file(const std::filesystem::path& path) {
    constexpr std::size_t chunk_bytes = 65536;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return Failure{errno};
    }
    std::string text;
    std::vector<char> chunk(chunk_bytes);
    while (text.size() <= document_bytes_max) {
        const ssize_t count = ::read(fd, chunk.data(), chunk.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            const Failure failure{errno};
            ::close(fd);
            return failure;
        }
        if (count == 0) {
            break;
        }
        text.append(chunk.data(), static_cast<std::size_t>(count));
    }
    ::close(fd);
    return text;
}

}  // namespace

Result load_text(std::string_view text, const std::string& name, const Environment& environment) {
    Document document = parse_document(text, name);
    if (!document.root) {
        return std::move(document.problems);
    }
    Reading reading{environment, {name, {}}, std::move(document.problems)};
    Config config = read_all(Section{reading, "", document.root});
    if (reading.problems.empty()) {
        config.positions = std::move(reading.positions);
        return config;
    }
    std::ranges::stable_sort(reading.problems, {}, &Problem::line);
    return std::move(reading.problems);
}

Result load_file(const std::filesystem::path& path, const Environment& environment) {
    const auto text = read_file(path);
    if (const auto* failure = std::get_if<Failure>(&text)) {
        const std::string why = std::generic_category().message(failure->error);
        return std::vector<Problem>{
            {path.string(), 0, "", "cannot be read: " + why + ", expected a YAML file"}};
    }
    return load_text(std::get<std::string>(text), path.string(), environment);
}

}  // namespace tcplock::config
