#include "config/places.hpp"

#include "config/address.hpp"
#include "config/placeholders.hpp"

#include <algorithm>
#include <limits>

namespace tcplock::config {
namespace {

bool names_profile(const std::string& argument) {
    return argument.starts_with("-env:UserInstallation=");
}

// The one that is made from the built-in template.
bool uses_our_profile(const Backend& backend) {
    return backend.profile_template.kind == ProfileTemplate::Kind::ours &&
           std::ranges::any_of(backend.command, [](const std::string& argument) {
               return names_profile(argument) && has_placeholder(argument, "profile");
           });
}

}  // namespace

bool is_socket_path(const Backend& backend) {
    return std::string_view{backend.address}.starts_with(unix_prefix);
}

bool is_told(const Backend& backend, std::string_view placeholder) {
    const auto holds = [placeholder](const std::string& text) {
        return has_placeholder(text, placeholder);
    };
    return std::ranges::any_of(backend.command, holds) ||
           std::ranges::any_of(backend.environment,
                               [&](const auto& variable) { return holds(variable.second); });
}

bool has_own_profiles(const Backend& backend) {
    const auto named = std::ranges::find_if(backend.command, names_profile);
    return named != backend.command.end()
               ? has_placeholder(*named, "profile") || has_placeholder(*named, "directory")
               : is_told(backend, "profile") || is_told(backend, "directory");
}

std::size_t count_addresses(const Backend& backend) {
    const auto holds = [&backend](std::string_view name) {
        return has_placeholder(backend.address, name);
    };
    if (!is_socket_path(backend)) {
        return holds("port") ? backend.ports.count() : 1;
    }
    const bool differs = holds("name") || holds("directory") || holds("profile");
    return differs ? std::numeric_limits<std::size_t>::max() : 1;
}

bool bears_standby(const Config& config) {
    const std::size_t needed = 2 * config.policy.backend.instances + 1;
    return config.protocol == Protocol::uno && uses_our_profile(config.backend) &&
           count_addresses(config.backend) >= needed && !config.hooks.before_admission &&
           !config.hooks.session_timeout;
}

}  // namespace tcplock::config
