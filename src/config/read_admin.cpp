#include "config/address.hpp"
#include "config/kinds.hpp"
#include "config/read.hpp"

#include <optional>
#include <string>

namespace tcplock::config {
namespace {

// Whoever can reach it reads who is inside and who waits, and no more.
void check_http(const Section& section, const std::optional<std::string>& http) {
    const auto listening = http ? listening_at(section.reading(), *http) : std::nullopt;
    if (listening) {
        section.note("http", *http + " is where clients connect, at " + listening->address + " " +
                                 listening->where + ", expected an address of its own");
    }
}

Kind<std::string> http_address() {
    return {std::string{expected_endpoint}, [](const std::string& text) -> Parsed<std::string> {
                auto endpoint = parse_endpoint(text);
                if (auto* const wrong = std::get_if<Wrong>(&endpoint)) {
                    return std::move(*wrong);
                }
                return to_text(std::get<Endpoint>(endpoint));
            }};
}

}  // namespace

void read_admin(const Section& section, Config& config) {
    Admin& admin = config.admin;
    section.read("socket", admin.socket, or_off(socket_path()));
    section.read("socket_mode", admin.socket_mode, file_mode());
    section.read("socket_group", admin.socket_group, group_name());
    section.read("http", admin.http, or_off(http_address()));
    check_http(section, admin.http);
}

}  // namespace tcplock::config
