#include "config/address.hpp"
#include "config/placeholders.hpp"
#include "config/read.hpp"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tcplock::config {
namespace {

// What the backend's address would be if its port were the gate's. `localhost` is IPv4's: where it
// is IPv6's as well, a gate that listens there leaves the other.
Parsed<Endpoint> backend_at(const std::string& address, std::uint16_t port) {
    constexpr std::string_view local = "localhost:";
    const bool is_local =
        address.size() > local.size() &&
        std::equal(local.begin(), local.end(), address.begin(), [](char known, char c) {
            return known == std::tolower(static_cast<unsigned char>(c));
        });
    return parse_endpoint(fill(is_local ? "127.0.0.1:" + address.substr(local.size()) : address,
                               {.port = std::to_string(port),
                                .name = "name",
                                .instance = "0",
                                .generation = "1",
                                .uid = "1000",
                                .directory = "/directory",
                                .profile = "/profile"}));
}

void check_concurrency(const Section& root, const Config& config) {
    const std::size_t concurrency = config.policy.gate.concurrency;
    if (concurrency == 1 || config.protocol == Protocol::tcp) {
        return;
    }
    constexpr auto why = "is not possible with protocol uno: an office has one main lock";
    root.reading().note("gate.concurrency", wrong(std::to_string(concurrency), why, "1").message);
}

// A service that somebody else runs has no folder of ours.
void check_placeholders(const Section& root, const Config& config) {
    if (config.owns_backend()) {
        return;
    }
    const auto check = [&root](std::string_view key, const std::vector<std::string>& command) {
        for (const std::string_view name : {"directory", "profile"}) {
            const bool is_used = std::ranges::any_of(
                command, [name](const std::string& text) { return has_placeholder(text, name); });
            if (is_used) {
                root.reading().note(key, "holds {" + std::string{name} +
                                             "}, which there is not without backend.command, "
                                             "expected another path");
            }
        }
    };
    if (const auto* const probe = std::get_if<CommandProbe>(&config.probe.kind)) {
        check("probe.command", probe->command);
    }
    if (const auto& hook = config.hooks.before_admission) {
        check("hooks.before_admission.command", hook->command);
    }
    if (const auto& hook = config.hooks.session_timeout) {
        check("hooks.session_timeout.command", hook->command);
    }
    if (const auto& hook = config.hooks.backend_ready) {
        check("hooks.backend_ready.command", hook->command);
    }
}

// Who connects to every address comes to the loopback one. Somebody else's service may have our
// port on another machine.
bool is_reached(const Endpoint& gate, const Endpoint& service) {
    const bool is_here = service.reach != Reach::one_address;
    const bool takes_loopback = gate.reach == Reach::every_address ||
                                gate.host == (gate.family == Family::v4 ? "127.0.0.1" : "::1");
    const bool is_met = gate.host == service.host ||
                        (gate.reach == Reach::every_address && is_here) ||
                        (service.reach == Reach::every_address && takes_loopback);
    return gate.family == service.family && is_met;
}

// At [::] a backend takes IPv4's clients too, if it does as most do.
bool is_in_the_way(const Endpoint& gate, const Endpoint& backend) {
    return overlap(gate, backend) ||
           (backend.family == Family::v6 && backend.reach == Reach::every_address);
}

void check_own_client(const Section& root, const Config& config) {
    Reading& reading = root.reading();
    for (const Listen& listen : config.listen) {
        const auto parsed = parse_endpoint(listen.address);
        const auto* const gate = std::get_if<Endpoint>(&parsed);
        if (gate == nullptr || !is_own_client(*gate, config.backend)) {
            continue;
        }
        const std::string why = "the gate itself listens on " + listen.address +
                                ", expected an address of the backend's own";
        if (reading.is_written("backend.ports")) {
            reading.note("backend.ports", why);
        } else if (reading.is_written("backend.address")) {
            reading.note("backend.address", why);
        } else {
            reading.note("listen", listen.address + " is among the backend's own ports (" +
                                       std::to_string(config.backend.ports.first) + "-" +
                                       std::to_string(config.backend.ports.last) +
                                       "), expected another port, or other backend.ports");
        }
    }
}

}  // namespace

bool is_own_client(const Endpoint& gate, const Backend& backend) {
    const auto parsed = backend_at(backend.address, gate.port);
    const auto* const endpoint = std::get_if<Endpoint>(&parsed);
    if (endpoint == nullptr || endpoint->port != gate.port) {
        return false;
    }
    const bool is_in_range = gate.port >= backend.ports.first && gate.port <= backend.ports.last;
    if (has_placeholder(backend.address, "port") && !is_in_range) {
        return false;
    }
    return backend.command.empty() ? is_reached(gate, *endpoint) : is_in_the_way(gate, *endpoint);
}

void check_together(const Section& root, const Config& config) {
    check_own_client(root, config);
    check_concurrency(root, config);
    check_placeholders(root, config);
}

}  // namespace tcplock::config
