// The configuration as plain structs, with the documented defaults.
//
// What the core decides by lives in core::Policy; what only the shell needs lives here. Nothing
// here refers to YAML: load.hpp makes these, show.hpp prints them.
#pragma once

#include "core/policy.hpp"
#include "core/schedule.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tcplock::config {

using core::Duration;

enum class Protocol { uno, tcp };

// What a client means by shutting down its sending side.
enum class HalfClosed { leave, keep };

// An IPv4 or IPv6 network in its usual notation, checked: "10.0.0.0/8", "::1/128".
struct Network {
    std::string text;
    bool operator==(const Network&) const = default;
};

// Of a listener: all sockets that the service manager passes, wherever those listen.
inline constexpr std::string_view passed_sockets = "systemd";

// A numeric address and a port, checked: "127.0.0.1:2002", "[::]:2002"; or `passed_sockets`.
struct Listen {
    std::string address;
    bool allow_any = false;      // written as [any]
    std::vector<Network> allow;  // empty and not allow_any: loopback listeners take loopback

    bool is_passed() const { return address == passed_sockets; }
};

// Of instances, and of standbys: more than any machine bears.
constexpr std::int64_t most_backends = 100;

struct PortRange {
    std::uint16_t first = 2100;
    std::uint16_t last = 2199;

    std::size_t count() const { return std::size_t{1} + last - first; }
};

struct Limits {
    std::optional<std::uint64_t> open_files = 1024;
    std::optional<std::uint64_t> address_space = std::uint64_t{4} << 30;  // bytes
    std::optional<std::uint64_t> core = 0;                                // bytes
};

// What a fresh {profile} begins with.
struct ProfileTemplate {
    enum class Kind {
        none,    // the backend makes it itself
        ours,    // the hardened one for LibreOffice, which is in the program
        folder,  // a copy of it
    };
    Kind kind = Kind::ours;
    std::filesystem::path folder = {};
    bool operator==(const ProfileTemplate&) const = default;
};

struct Backend {
    // With placeholders. Empty: somebody else runs it, and the gate stands alone before it.
    std::vector<std::string> command;
    // With placeholders; numeric address and port. Where somebody else runs it a name will do.
    std::string address;
    PortRange ports;
    std::filesystem::path state_directory = "/var/lib/tcplock-supervisor";
    ProfileTemplate profile_template;
    std::map<std::string, std::string> environment;  // with placeholders
    std::string user;                                // empty: ours
    int stop_signal = 15;
    int nice = 0;
    int oom_score_adjust = 500;
    Limits limits;
};

// What one probe does. Each names what it expects of the backend.
struct UnoProbe {};
struct ConnectProbe {};
struct GreetingProbe {
    std::string expect;  // the first bytes the backend sends by itself
};
struct ExchangeProbe {
    std::string send;
    std::string expect;  // the first bytes of the reply
};
struct HttpProbe {
    std::string path = "/";
    int status = 200;
};
struct CommandProbe {
    std::vector<std::string> command;  // with placeholders; exit 0 is an answer
};
using ProbeKind =
    std::variant<UnoProbe, ConnectProbe, GreetingProbe, ExchangeProbe, HttpProbe, CommandProbe>;

struct Probe {
    ProbeKind kind;
    Duration timeout = std::chrono::seconds{2};
};

// A program that is run at some moment of a backend's life.
struct Hook {
    std::vector<std::string> command;  // with placeholders
    Duration timeout = std::chrono::seconds{30};
    bool operator==(const Hook&) const = default;
};

struct Hooks {
    std::optional<Hook> before_admission;
    std::optional<Hook> session_timeout;
    std::optional<Hook> backend_ready;  // nobody waits for these two
    std::optional<Hook> backend_stopped;
    bool operator==(const Hooks&) const = default;
};

// What operators reach.
struct Admin {
    std::optional<std::string> socket = "/run/tcplock-supervisor/admin.sock";
    unsigned socket_mode = 0660;      // who may connect to it, and so do everything
    std::string socket_group;         // empty: ours
    std::optional<std::string> http;  // a numeric address and a port: to read alone
};

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { text, json };

// Where each key that was written stands: "gate.queue_limit", "listen[0].address" -> line.
struct Positions {
    std::string file;
    std::map<std::string, int, std::less<>> lines;
};

// The line of a key, or of the nearest section around it that was written; 0 if there is none.
int line_of(const Positions& positions, std::string_view key);

struct Config {
    Protocol protocol = Protocol::uno;
    std::vector<Listen> listen;
    HalfClosed half_closed = HalfClosed::leave;
    std::optional<Duration> idle_timeout = std::chrono::seconds{30};
    Backend backend;
    Probe probe;
    Hooks hooks;
    std::vector<std::string> schedule;  // the cron lines as written, each checked
    Admin admin;
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::text;
    core::Policy policy;
    Positions positions;  // no setting: for what is said about the others

    bool owns_backend() const { return !backend.command.empty(); }
};

}  // namespace tcplock::config
