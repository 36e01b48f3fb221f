#include "config/address.hpp"
#include "config/kinds.hpp"
#include "config/read.hpp"

#include <algorithm>
#include <string>

namespace tcplock::config {
namespace {

Parsed<Endpoint> parse_listen_address(const std::string& text) {
    if (text == "systemd" || text.starts_with("unix:")) {
        return wrong(text, "is not available yet", expected_endpoint);
    }
    return parse_endpoint(text);
}

// An allowed network, or `any`, which stands for itself.
Parsed<Network> parse_allowed(const std::string& text) {
    return text == "any" ? Parsed<Network>{Network{text}} : parse_network(text);
}

void read_allow(const Section& section, Listen& listen) {
    section.read_list<Network>("allow", listen.allow,
                               {std::string{expected_network} + ", or any", parse_allowed});
    if (std::erase(listen.allow, Network{"any"}) == 0) {
        return;
    }
    listen.allow_any = true;
    if (!listen.allow.empty()) {
        section.note("allow", "any stands beside networks, expected [any] alone or networks alone");
        listen.allow.clear();
    }
}

void check_allow(const Section& section, const Endpoint& endpoint, Protocol protocol,
                 Listen& listen) {
    // A list that was written and could not be read is a problem already.
    const ValuePtr written = section.value("allow");
    const bool is_answered =
        written && (written->kind != Value::Kind::list || !written->items.empty());
    if (endpoint.reach == Reach::loopback || is_answered || !section.reading().is_protocol_known) {
        return;
    }
    if (protocol == Protocol::tcp) {
        listen.allow_any = true;
        return;
    }
    section.note("allow",
                 std::string{written ? "empty" : "missing"} +
                     ", expected the networks that may connect, or [any]: " + listen.address +
                     " can be reached from other machines, and whoever reaches a UNO "
                     "socket can run programs");
}

void read_one(const Section& section, Config& config) {
    Listen listen;
    Endpoint endpoint;
    section.read<Endpoint>("address", endpoint,
                           {std::string{expected_endpoint}, parse_listen_address});
    read_allow(section, listen);
    if (!section.has("address")) {
        section.note("address", "missing, expected " + std::string{expected_endpoint});
    }
    if (endpoint.port == 0) {
        return;
    }
    listen.address = to_text(endpoint);
    check_allow(section, endpoint, config.protocol, listen);
    if (std::ranges::find(config.listen, listen.address, &Listen::address) != config.listen.end()) {
        section.note("address", "the same address twice, expected each once");
        return;
    }
    config.listen.push_back(std::move(listen));
}

// `listen: systemd`, or an item of it. No deeper: aliases may make a deep tree of a short text.
bool is_systemd(const Value& node) {
    return node.text == "systemd" || std::ranges::any_of(node.items, [](const ValuePtr& item) {
               return item->text == "systemd";
           });
}

}  // namespace

void read_listen(const Section& root, Config& config) {
    constexpr std::string_view example =
        "expected at least one listener like \"- address: 127.0.0.1:2002\"";
    const ValuePtr written = root.value("listen");
    if (!written) {
        if (config.listen.empty()) {
            root.note_missing("listen",
                              "missing, protocol tcp has no default, " + std::string{example});
        }
        return;
    }
    config.listen.clear();
    if (is_systemd(*written)) {
        root.note("listen", "\"systemd\" is not available yet, " + std::string{example});
        return;
    }
    for (const Section& section : root.sections("listen")) {
        read_one(section, config);
    }
    if (written->kind == Value::Kind::list && written->items.empty()) {
        root.note("listen", "empty, " + std::string{example});
    }
}

}  // namespace tcplock::config
