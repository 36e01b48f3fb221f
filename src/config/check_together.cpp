#include "config/address.hpp"
#include "config/placeholders.hpp"
#include "config/read.hpp"

#include <string>

namespace tcplock::config {
namespace {

// What the backend's address would be if its port were the gate's.
Parsed<Endpoint> backend_at(const std::string& address, std::uint16_t port) {
    return parse_endpoint(fill(address, {.port = std::to_string(port),
                                         .name = "name",
                                         .instance = "0",
                                         .generation = "1",
                                         .uid = "1000",
                                         .directory = "/directory",
                                         .profile = "/profile"}));
}

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
    return endpoint->host == gate.host || gate.reach == Reach::every_address;
}

}  // namespace

void check_together(const Section& root, const Config& config) {
    Reading& reading = root.reading();
    for (const Listen& listen : config.listen) {
        const auto gate = parse_endpoint(listen.address);
        if (!is_own_client(std::get<Endpoint>(gate), config.backend)) {
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

}  // namespace tcplock::config
