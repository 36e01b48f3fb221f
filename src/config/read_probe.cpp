#include "config/kinds.hpp"
#include "config/probe_kinds.hpp"
#include "config/read.hpp"

#include <yaml-cpp/binary.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace tcplock::config {
namespace {

ProbeKind probe_named(std::size_t index) {
    const std::array<ProbeKind, probe_kind_names.size()> kinds{
        UnoProbe{}, ConnectProbe{}, GreetingProbe{}, ExchangeProbe{}, HttpProbe{}, CommandProbe{}};
    return kinds[index];
}

Kind<ProbeKind> probe_kind(const Section& section, Protocol protocol) {
    const std::string why = protocol == Protocol::uno ? "is not possible with protocol uno"
                                                      : "is not possible with protocol tcp";
    std::vector<std::pair<std::string_view, ProbeKind>> choices;
    for (std::size_t i = 0; i < probe_kind_names.size(); ++i) {
        if (probe_kind_names[i] != barred_probe_kind(protocol) ||
            !section.reading().is_protocol_known) {
            choices.emplace_back(probe_kind_names[i], probe_named(i));
        }
    }
    return choice(std::move(choices), why);
}

// Bytes to send or expect: text, or anything at all as `!!binary`.
void read_bytes(const Section& section, std::string_view name, std::string& target) {
    constexpr std::size_t longest = 4096;  // a probe, not a session
    constexpr std::string_view expected = "text, or !!binary and base64";
    const std::size_t problems_before = section.reading().problems.size();
    const ValuePtr node = section.value(name);
    if (!node) {
        section.note(name, "missing, expected " + std::string{expected});
        return;
    }
    if (node->encoding == Value::Encoding::base64) {
        const auto bytes = YAML::DecodeBase64(node->text);
        target.assign(bytes.begin(), bytes.end());
    } else {
        section.read(name, target,
                     {std::string{expected}, [](const std::string& text) { return text; }});
    }
    if (section.reading().problems.size() != problems_before) {
        return;
    }
    if (target.empty() || target.size() > longest) {
        section.note(name, target.empty() ? "holds no byte, expected " + std::string{expected}
                                          : "is too long, expected at most 4096 bytes");
    }
}

Parsed<std::string> parse_http_path(const std::string& text) {
    const bool is_printable =
        std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!text.starts_with('/') || !is_printable) {
        return wrong(text, "is not a path", "one that begins with / and holds no blank");
    }
    return text;
}

// Reads the keys of one kind of probe.
struct ReadOwnKeys {
    const Section& section;

    void operator()(UnoProbe&) const {}
    void operator()(ConnectProbe&) const {}
    void operator()(GreetingProbe& probe) const { read_bytes(section, "expect", probe.expect); }
    void operator()(ExchangeProbe& probe) const {
        read_bytes(section, "send", probe.send);
        read_bytes(section, "expect", probe.expect);
    }
    void operator()(HttpProbe& probe) const {
        constexpr int lowest = 100;
        constexpr int highest = 599;
        section.read("path", probe.path, {"a path like /health", parse_http_path});
        section.read("status", probe.status, integer<int>(lowest, highest));
    }
    void operator()(CommandProbe& probe) const { read_command(section, probe.command); }
};

void refuse_keys_of_others(const Section& section, std::string_view kind) {
    for (const std::string_view key : {"send", "expect", "path", "status", "command"}) {
        std::string owners;
        bool is_own = false;
        for (const OwnKey& own : probe_own_keys) {
            if (own.key == key) {
                owners += (owners.empty() ? "" : " or ") + std::string{own.kind};
                is_own = is_own || own.kind == kind;
            }
        }
        if (!is_own && section.has(key)) {
            section.note(key, "has no effect with kind " + std::string{kind} +
                                  ", expected it with kind " + owners);
        }
    }
}

void read_admission(const Section& section, const ProbeKind& kind, core::ProbePolicy& policy) {
    const bool is_connect = std::holds_alternative<ConnectProbe>(kind);
    if (is_connect) {
        policy.admission = std::nullopt;
    }
    section.read("admission", policy.admission, or_off(duration()));
    if (is_connect && policy.admission) {
        section.note("admission",
                     "a backend that accepts is not a backend that is free, expected off, or "
                     "another kind than connect");
    }
}

}  // namespace

void read_probe(const Section& section, Config& config) {
    constexpr std::int64_t most_failures = 1000;
    Probe& probe = config.probe;
    const std::size_t problems_before = section.reading().problems.size();
    section.read("kind", probe.kind, probe_kind(section, config.protocol));
    const bool is_kind_known = section.reading().problems.size() == problems_before;
    core::ProbePolicy& policy = config.policy.probe;
    if (is_kind_known) {
        std::visit(ReadOwnKeys{section}, probe.kind);
        refuse_keys_of_others(section, probe_kind_names[probe.kind.index()]);
        read_admission(section, probe.kind, policy);
    } else {
        section.read("admission", policy.admission, or_off(duration()));
    }
    section.read("interval", policy.interval, duration());
    section.read("timeout", probe.timeout, duration());
    section.read("failure_threshold", policy.failure_threshold,
                 integer<std::size_t>(1, most_failures));
    policy.tells_if_free =
        config.protocol == Protocol::uno && std::holds_alternative<UnoProbe>(probe.kind);
    // Greeting and the uno probe open a connection of their own that does no job, so that they may
    // go in beside a client. Of any other service nothing is known.
    policy.beside_clients =
        config.protocol == Protocol::uno && (std::holds_alternative<UnoProbe>(probe.kind) ||
                                             std::holds_alternative<GreetingProbe>(probe.kind));
}

}  // namespace tcplock::config
