#include "config/address.hpp"
#include "config/kinds.hpp"
#include "config/read.hpp"

#include <algorithm>
#include <string>

namespace tcplock::config {
namespace {

// As it is kept: an address in its usual notation.
Parsed<std::string> parse_listen_address(const std::string& text) {
    if (text == passed_sockets) {
        return text;
    }
    if (text.starts_with(unix_prefix)) {
        return wrong(text, "is not available yet", expected_listener);
    }
    if (text.find(':') == std::string::npos) {
        return wrong(text, "is no address with a port", expected_listener);
    }
    auto endpoint = parse_endpoint(text);
    if (auto* const problem = std::get_if<Wrong>(&endpoint)) {
        return std::move(*problem);
    }
    return to_text(std::get<Endpoint>(endpoint));
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

// Of sockets that are passed nobody knows yet how far they reach.
void check_allow(const Section& section, Protocol protocol, Listen& listen) {
    const auto endpoint = parse_endpoint(listen.address);
    const auto* const known = std::get_if<Endpoint>(&endpoint);
    // A list that was written and could not be read is a problem already.
    const ValuePtr written = section.value("allow");
    const bool is_answered =
        written && (written->kind != Value::Kind::list || !written->items.empty());
    if (known == nullptr || known->reach == Reach::loopback || is_answered ||
        !section.reading().is_protocol_known) {
        return;
    }
    if (protocol == Protocol::tcp) {
        listen.allow_any = true;
        return;
    }
    section.note("allow", why_allow_is_needed(written != nullptr, listen.address));
}

// True if nothing more is to be said of it.
bool is_written_twice(const Section& section, const std::string& address) {
    const auto other = listening_at(section.reading(), address);
    if (!other) {
        return false;
    }
    const bool is_same = other->address == address;
    section.note("address",
                 is_same ? "the same address twice, first " + other->where + ", expected each once"
                         : address + " and " + other->address + " " + other->where +
                               " are in part the same, expected each address once");
    return is_same;
}

void read_one(const Section& section, Config& config) {
    Listen listen;
    section.read<std::string>("address", listen.address,
                              {std::string{expected_listener}, parse_listen_address});
    read_allow(section, listen);
    if (!section.has("address")) {
        section.note("address", "missing, expected " + std::string{expected_listener});
    }
    if (listen.address.empty()) {
        return;
    }
    check_allow(section, config.protocol, listen);
    if (is_written_twice(section, listen.address)) {
        return;
    }
    Reading& reading = section.reading();
    const int line = line_of(reading.positions, section.path_of("address"));
    reading.listening.push_back({listen.address, "in line " + std::to_string(line)});
    config.listen.push_back(std::move(listen));
}

// `listen: systemd`, or an item of it. No deeper: aliases may make a deep tree of a short text.
bool is_systemd(const Value& node) {
    return node.text == passed_sockets || std::ranges::any_of(node.items, [](const auto& item) {
               return item->text == passed_sockets;
           });
}

}  // namespace

std::string why_allow_is_needed(bool is_written, std::string_view address) {
    return std::string{is_written ? "empty" : "missing"} +
           ", expected the networks that may connect, or [any]: " + std::string{address} +
           " can be reached from other machines, and whoever reaches a UNO socket can run programs";
}

std::optional<Listening> listening_at(const Reading& reading, const std::string& address) {
    const auto sought = parse_endpoint(address);
    const auto is_there = [&](const Listening& listening) {
        const auto known = parse_endpoint(listening.address);
        return listening.address == address ||
               (std::holds_alternative<Endpoint>(sought) &&
                std::holds_alternative<Endpoint>(known) &&
                overlap(std::get<Endpoint>(sought), std::get<Endpoint>(known)));
    };
    const auto found = std::ranges::find_if(reading.listening, is_there);
    return found == reading.listening.end() ? std::nullopt : std::optional{*found};
}

void read_listen(const Section& root, Config& config) {
    constexpr std::string_view example =
        "expected at least one listener like \"- address: 127.0.0.1:2002\"";
    const ValuePtr written = root.value("listen");
    if (!written) {
        if (config.listen.empty()) {
            root.note_missing("listen",
                              "missing, protocol tcp has no default, " + std::string{example});
        }
        for (const Listen& listen : config.listen) {
            root.reading().listening.push_back({listen.address, "by default"});
        }
        return;
    }
    config.listen.clear();
    if (is_systemd(*written)) {
        root.note("listen",
                  "\"systemd\" is no listener by itself, expected \"- address: systemd\"");
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
