// The kinds of probe by name, and the keys that say what a probe of one kind does.
#pragma once

#include "config/config.hpp"

#include <array>
#include <string_view>

namespace tcplock::config {

// In the order of the alternatives of ProbeKind.
inline constexpr std::array<std::string_view, 6> probe_kind_names{"uno",      "connect", "greeting",
                                                                  "exchange", "http",    "command"};

struct OwnKey {
    std::string_view key;
    std::string_view kind;
};
inline constexpr std::array<OwnKey, 6> probe_own_keys{{{"expect", "greeting"},
                                                       {"expect", "exchange"},
                                                       {"send", "exchange"},
                                                       {"path", "http"},
                                                       {"status", "http"},
                                                       {"command", "command"}}};

// The one kind that does not go with a protocol.
constexpr std::string_view barred_probe_kind(Protocol protocol) {
    return protocol == Protocol::uno ? "http" : "uno";
}

}  // namespace tcplock::config
