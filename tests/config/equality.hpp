// Whether two configurations say the same, field by field; where they were written does not count.
//
// Each struct is taken apart by a structured binding, so that a field added later does not compile
// here until it is compared.
#pragma once

#include "config/config.hpp"

#include <tuple>

namespace tcplock::config {

inline bool operator==(const Listen& left, const Listen& right) {
    const auto& [address, any, allow] = left;
    return std::tie(address, any, allow) == std::tie(right.address, right.allow_any, right.allow);
}

inline bool operator==(const PortRange& left, const PortRange& right) {
    const auto& [first, last] = left;
    return std::tie(first, last) == std::tie(right.first, right.last);
}

inline bool operator==(const Limits& left, const Limits& right) {
    const auto& [files, space, core] = left;
    return std::tie(files, space, core) ==
           std::tie(right.open_files, right.address_space, right.core);
}

inline bool operator==(const Backend& left, const Backend& right) {
    const auto& [command, address, ports, directory, profile, environment, user, signal, nice,
                 score, limits] = left;
    return std::tie(command, address, ports, directory, profile, environment, user, signal, nice,
                    score, limits) == std::tie(right.command, right.address, right.ports,
                                               right.state_directory, right.profile_template,
                                               right.environment, right.user, right.stop_signal,
                                               right.nice, right.oom_score_adjust, right.limits);
}

inline bool operator==(const UnoProbe&, const UnoProbe&) {
    return true;
}
inline bool operator==(const ConnectProbe&, const ConnectProbe&) {
    return true;
}
inline bool operator==(const GreetingProbe& left, const GreetingProbe& right) {
    const auto& [expect] = left;
    return expect == right.expect;
}
inline bool operator==(const ExchangeProbe& left, const ExchangeProbe& right) {
    const auto& [send, expect] = left;
    return std::tie(send, expect) == std::tie(right.send, right.expect);
}
inline bool operator==(const HttpProbe& left, const HttpProbe& right) {
    const auto& [path, status] = left;
    return std::tie(path, status) == std::tie(right.path, right.status);
}
inline bool operator==(const CommandProbe& left, const CommandProbe& right) {
    const auto& [command] = left;
    return command == right.command;
}

inline bool operator==(const Probe& left, const Probe& right) {
    const auto& [kind, timeout] = left;
    return std::tie(kind, timeout) == std::tie(right.kind, right.timeout);
}

}  // namespace tcplock::config

namespace tcplock::core {

inline bool operator==(const GatePolicy& left, const GatePolicy& right) {
    const auto& [concurrency, limit, queue, session, first_byte, looks, release] = left;
    return std::tie(concurrency, limit, queue, session, first_byte, looks, release) ==
           std::tie(right.concurrency, right.queue_limit, right.queue_timeout,
                    right.session_timeout, right.first_byte_timeout, right.looks_first,
                    right.release_timeout);
}

inline bool operator==(const BackoffPolicy& left, const BackoffPolicy& right) {
    const auto& [first, max] = left;
    return std::tie(first, max) == std::tie(right.first, right.max);
}

inline bool operator==(const BackendPolicy& left, const BackendPolicy& right) {
    const auto& [is_ours, instances, standby, start, grace, stop, backoff, fresh, broken, remakes] =
        left;
    return std::tie(is_ours, instances, standby, start, grace, stop, backoff, fresh, broken,
                    remakes) == std::tie(right.is_ours, right.instances, right.standby,
                                         right.start_timeout, right.stop_grace, right.stop_timeout,
                                         right.restart_backoff, right.fresh_profile_exit,
                                         right.broken_profile_exit, right.remakes_profiles);
}

inline bool operator==(const ProbePolicy& left, const ProbePolicy& right) {
    const auto& [interval, threshold, admission, beside, tells_if_free] = left;
    return std::tie(interval, threshold, admission, beside, tells_if_free) ==
           std::tie(right.interval, right.failure_threshold, right.admission, right.beside_clients,
                    right.tells_if_free);
}

inline bool operator==(const RecyclePolicy& left, const RecyclePolicy& right) {
    const auto& [jobs, age, soft, hard, idle] = left;
    return std::tie(jobs, age, soft, hard, idle) ==
           std::tie(right.max_jobs, right.max_age, right.memory_soft_limit, right.memory_hard_limit,
                    right.idle_shutdown);
}

inline bool operator==(const Policy& left, const Policy& right) {
    const auto& [gate, backend, probe, recycle, hooks, shutdown] = left;
    return std::tie(gate, backend, probe, recycle, hooks.before_admission, hooks.session_timeout,
                    shutdown) == std::tie(right.gate, right.backend, right.probe, right.recycle,
                                          right.hooks.before_admission, right.hooks.session_timeout,
                                          right.shutdown_timeout);
}

}  // namespace tcplock::core

namespace tcplock::config {

inline bool operator==(const Admin& left, const Admin& right) {
    const auto& [socket, mode, group, http] = left;
    return std::tie(socket, mode, group, http) ==
           std::tie(right.socket, right.socket_mode, right.socket_group, right.http);
}

inline bool operator==(const Config& left, const Config& right) {
    const auto& [protocol, listen, half_closed, idle, backend, probe, hooks, schedule, admin, level,
                 format, policy, positions] = left;
    static_cast<void>(positions);
    return std::tie(protocol, listen, half_closed, idle, backend, probe, hooks, schedule, admin, level,
                    format, policy) == std::tie(right.protocol, right.listen, right.half_closed,
                                        right.idle_timeout, right.backend, right.probe, right.hooks,
                                        right.schedule, right.admin, right.log_level, right.log_format, right.policy);
}

}  // namespace tcplock::config
