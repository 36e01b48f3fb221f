#include "config/defaults.hpp"

namespace tcplock::config {
namespace {

// LibreOffice asks by this exit status to be started again once its fresh profile is written
// (EXITHELPER_NORMAL_RESTART in LibreOffice's desktop/source/inc/exithelper.h).
constexpr int office_fresh_profile_exit = 81;
// By this one it says that it cannot go on (EXITHELPER_FATAL_ERROR there), above all that its
// profile is of no use.
constexpr int office_broken_profile_exit = 77;
Config office() {
    Config config;
    config.listen = {{.address = "127.0.0.1:2002", .allow_any = false, .allow = {}}};
    config.backend.command = {"soffice",
                              "--headless",
                              "--norestore",
                              "--nologo",
                              "--nodefault",
                              "--nolockcheck",
                              "-env:UserInstallation=file://{profile}",
                              ""};
    connect_by(Way::pipe, config.backend.command.back(), config.backend.address);
    config.probe.kind = UnoProbe{};
    config.policy.backend.standby = 1;
    config.policy.backend.fresh_profile_exit = office_fresh_profile_exit;
    config.policy.backend.broken_profile_exit = office_broken_profile_exit;
    config.policy.backend.remakes_profiles = true;
    return config;
}

Config plain_service() {
    Config config;
    config.protocol = Protocol::tcp;
    config.half_closed = HalfClosed::keep;
    config.idle_timeout.reset();
    config.policy.gate.first_byte_timeout.reset();
    config.policy.gate.looks_first = false;
    config.backend.profile_template.kind = ProfileTemplate::Kind::none;
    config.probe.kind = ConnectProbe{};
    config.policy.probe.admission = std::nullopt;
    config.policy.probe.beside_clients = false;
    config.policy.probe.tells_if_free = false;
    return config;
}

}  // namespace

// An office makes that path of what its pipe is called, where /tmp can be written to
// (sal/osl/unx/pipe.cxx there).
void connect_by(Way way, std::string& accept, std::string& address) {
    const bool is_pipe = way == Way::pipe;
    accept = is_pipe ? "--accept=pipe,name={name};urp;"
                     : "--accept=socket,host=127.0.0.1,port={port};urp;";
    address = is_pipe ? "unix:/tmp/OSL_PIPE_{uid}_{name}" : "127.0.0.1:{port}";
}

Config gate_alone() {
    Config config = plain_service();
    config.policy.recycle = {.max_jobs = std::nullopt,
                             .max_age = std::nullopt,
                             .memory_soft_limit = std::nullopt,
                             .memory_hard_limit = std::nullopt,
                             .idle_shutdown = std::nullopt};
    config.policy.backend.is_ours = false;
    return config;
}

Config defaults(Protocol protocol) {
    switch (protocol) {
        case Protocol::uno:
            return office();
        case Protocol::tcp:
            return plain_service();
    }
    return {};
}

}  // namespace tcplock::config
