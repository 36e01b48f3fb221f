#include "config/doubts.hpp"

#include "config/address.hpp"
#include "config/duration.hpp"
#include "config/placeholders.hpp"
#include "config/places.hpp"
#include "config/utf8.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace tcplock::config {
namespace {

class Doubts {
public:
    explicit Doubts(const Positions& positions) : positions_{positions} {}

    void add(std::string_view key, std::string message) {
        all_.push_back(
            {positions_.file, line_of(positions_, key), std::string{key}, std::move(message)});
    }

    // The first of some keys that was written, so that the reader is led to what he chose.
    std::string_view written(std::initializer_list<std::string_view> keys) const {
        for (const std::string_view key : keys) {
            if (positions_.lines.contains(key)) {
                return key;
            }
        }
        return *keys.begin();
    }

    std::vector<Problem> sorted() && {
        std::ranges::stable_sort(all_, {}, &Problem::line);
        return std::move(all_);
    }

private:
    const Positions& positions_;
    std::vector<Problem> all_;
};

void doubt_queue(const core::Policy& policy, Doubts& doubts) {
    const Duration admission = policy.probe.admission.value_or(Duration::zero());
    const Duration hung_job = policy.gate.session_timeout + policy.backend.stop_grace +
                              policy.backend.start_timeout + admission;
    if (policy.gate.queue_timeout >= hung_job) {
        return;
    }
    doubts.add(doubts.written({"gate.queue_timeout", "gate.session_timeout",
                               "backend.start_timeout", "backend.stop_grace", "probe.admission"}),
               "one hung job and a restart can take " + to_text(hung_job) +
                   " (session_timeout + stop_grace + start_timeout + admission), and who waits "
                   "behind it is refused after " +
                   to_text(policy.gate.queue_timeout) + " (queue_timeout)");
}

// Of what was written; who shortens session_timeout need not shorten the others.
void doubt_silence(const Config& config, Doubts& doubts) {
    const Duration session = config.policy.gate.session_timeout;
    const auto doubt = [&](std::string_view key, const std::optional<Duration>& limit) {
        if (limit && *limit >= session && config.positions.lines.contains(key)) {
            doubts.add(doubts.written({key, "gate.session_timeout"}),
                       std::string{key} + " (" + to_text(*limit) +
                           ") is not shorter than session_timeout (" + to_text(session) +
                           "), which always comes first");
        }
    };
    doubt("gate.first_byte_timeout", config.policy.gate.first_byte_timeout);
    doubt("gate.idle_timeout", config.idle_timeout);
}

void doubt_probe(const Config& config, Doubts& doubts) {
    const Duration interval = config.policy.probe.interval;
    if (config.probe.timeout >= interval) {
        doubts.add(doubts.written({"probe.timeout", "probe.interval"}),
                   "the timeout (" + to_text(config.probe.timeout) +
                       ") is not shorter than the interval (" + to_text(interval) +
                       "), so a hung backend is found later than interval × failure_threshold + "
                       "timeout");
    }
    if (config.protocol == Protocol::uno &&
        std::holds_alternative<ConnectProbe>(config.probe.kind)) {
        doubts.add("probe.kind",
                   "a frozen office still accepts: kind connect does not find it, kind uno does");
    }
}

// YAML's "\xff" is the character U+00FF, which is two bytes.
bool has_latin_character(std::string_view text) {
    while (const auto c = first_code_point(text)) {
        if (c->value >= 0x80 && c->value <= 0xff) {
            return true;
        }
        text.remove_prefix(c->length);
    }
    return false;
}

void doubt_bytes(std::string_view key, const std::string& bytes, Doubts& doubts) {
    if (!first_not_utf8(bytes) && has_latin_character(bytes)) {
        doubts.add(key,
                   "holds a character from \\x80 to \\xff, which is two bytes in UTF-8; write "
                   "!!binary and base64 if one byte is meant");
    }
}

void doubt_probe_bytes(const ProbeKind& kind, Doubts& doubts) {
    if (const auto* greeting = std::get_if<GreetingProbe>(&kind)) {
        doubt_bytes("probe.expect", greeting->expect, doubts);
    }
    if (const auto* exchange = std::get_if<ExchangeProbe>(&kind)) {
        doubt_bytes("probe.send", exchange->send, doubts);
        doubt_bytes("probe.expect", exchange->expect, doubts);
    }
}

// X in `--accept=socket,host=…,port=X;urp;`, or in `--accept=pipe,name=X;urp;`.
std::optional<std::string_view> accepted(const Backend& backend, std::string_view what) {
    for (const std::string_view argument : backend.command) {
        const bool is_accept =
            argument.starts_with("--accept=") || argument.starts_with("-accept=");
        const std::size_t begin = argument.find(what);
        if (is_accept && begin != std::string_view::npos) {
            const std::string_view rest = argument.substr(begin + what.size());
            return rest.substr(0, rest.find_first_of(",;"));
        }
    }
    return std::nullopt;
}

// An office makes the path of what its pipe is called (sal/osl/unx/pipe.cxx in LibreOffice).
void doubt_pipe(const Config& config, Doubts& doubts) {
    const std::string_view address = config.backend.address;
    const std::string_view key = doubts.written({"backend.command", "backend.address"});
    const auto name = accepted(config.backend, "pipe,name=");
    const std::string path = "/OSL_PIPE_{uid}_" + std::string{name.value_or("")};
    if (!name) {
        doubts.add(key,
                   "backend.address is a socket's path, but the backend is not told "
                   "--accept=pipe,name={name};urp;");
    } else if (!address.ends_with(path)) {
        doubts.add(key, "--accept makes unix:/tmp" + path + ", but backend.address is another");
    }
}

void doubt_port(const Config& config, Doubts& doubts) {
    const Backend& backend = config.backend;
    const bool is_expected = has_placeholder(backend.address, "port");
    const std::string_view key = doubts.written({"backend.command", "backend.address"});
    if (config.protocol == Protocol::uno) {
        if (is_socket_path(backend)) {
            doubt_pipe(config, doubts);
            return;
        }
        if (accepted(backend, "pipe,name=")) {
            doubts.add(key,
                       "--accept makes a pipe, but backend.address is not unix:/tmp/OSL_PIPE_…");
            return;
        }
        const auto port = accepted(backend, "port=");
        const std::string_view address = backend.address;
        const std::string_view expected = address.substr(address.rfind(':') + 1);
        if (port && *port != expected) {
            doubts.add(key, "--accept listens on port " + std::string{*port} +
                                ", but backend.address expects port " + std::string{expected});
            return;
        }
    }
    if (is_expected && !is_told(backend, "port")) {
        doubts.add(key,
                   "backend.address holds {port}, but neither command nor environment tells the "
                   "backend its port");
    }
    if (!is_expected && is_told(backend, "port")) {
        doubts.add(key, "the backend is told {port}, but backend.address does not hold it");
    }
}

void doubt_ports(const Config& config, Doubts& doubts) {
    const core::BackendPolicy& policy = config.policy.backend;
    const std::size_t ports = config.backend.ports.count();
    if (!has_placeholder(config.backend.address, "port") ||
        ports >= 2 * policy.instances + policy.standby) {
        return;
    }
    doubts.add("backend.ports",
               (ports == 1 ? "one port alone" : std::to_string(ports) + " ports, none to spare") +
                   std::string{": when a stranger holds one, or a backend there cannot be killed, "
                               "there is no other to start at"});
}

void doubt_profile(const Backend& backend, Doubts& doubts) {
    if (!has_own_profiles(backend)) {
        doubts.add(
            "backend.command",
            "no -env:UserInstallation=file://{profile}: two offices with one profile destroy "
            "each other's");
    }
}

void doubt_office(const Config& config, Doubts& doubts) {
    if (config.half_closed == HalfClosed::keep) {
        doubts.add("gate.half_closed",
                   "a UNO client that was killed looks like one that shut down its sending side: "
                   "with keep its job holds the gate until session_timeout");
    }
    if (config.idle_timeout && !config.policy.probe.tells_if_free) {
        doubts.add(doubts.written({"gate.idle_timeout", "probe.kind"}),
                   "without kind uno nobody knows whether a silent client waits for its job: one "
                   "that takes longer than idle_timeout (" +
                       to_text(*config.idle_timeout) + ") is cut");
    }
    if (!config.backend.limits.address_space) {
        doubts.add("backend.limits.address_space",
                   "off: a stray client can make an office allocate gigabytes");
    }
    doubt_profile(config.backend, doubts);
}

void doubt_listeners(const std::vector<Listen>& listeners, Doubts& doubts) {
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        const auto endpoint = parse_endpoint(listeners[i].address);
        const auto* const known = std::get_if<Endpoint>(&endpoint);
        for (const Network& network : listeners[i].allow) {
            // Of sockets that are passed nobody knows it yet. Ours at [::] take no IPv4.
            const bool may_meet = known == nullptr || known->family == family_of(network);
            if (!may_meet) {
                doubts.add("listen[" + std::to_string(i) + "].allow",
                           network.text + " never connects to " + listeners[i].address +
                               ", which is of the other address family");
            }
        }
    }
}

// It has no password.
void doubt_admin(const Admin& admin, Doubts& doubts) {
    if (!admin.http) {
        return;
    }
    const auto endpoint = parse_endpoint(*admin.http);
    const auto* const known = std::get_if<Endpoint>(&endpoint);
    if (known && known->reach != Reach::loopback) {
        doubts.add("admin.http",
                   "can be reached from other machines, and whoever reaches it sees every client's "
                   "address; put a proxy that asks for a password before 127.0.0.1");
    }
}

}  // namespace

std::vector<Problem> doubts(const Config& config) {
    Doubts found{config.positions};
    doubt_listeners(config.listen, found);
    doubt_queue(config.policy, found);
    doubt_silence(config, found);
    if (config.owns_backend()) {
        doubt_port(config, found);
        doubt_ports(config, found);
    }
    if (config.protocol == Protocol::uno) {
        doubt_office(config, found);
    }
    doubt_probe(config, found);
    doubt_probe_bytes(config.probe.kind, found);
    doubt_admin(config.admin, found);
    return std::move(found).sorted();
}

}  // namespace tcplock::config
