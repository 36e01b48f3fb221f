// Where a generation is to live: its address, folder and profile, and everything it is told.
//
// Paths depend on the place alone, so that a document lock left by one generation is the next one's
// own. The port does too, and the name, unless a stranger is in the way: then the place moves on,
// and names him.
#pragma once

#include "config/config.hpp"
#include "config/placeholders.hpp"
#include "config/problem.hpp"
#include "core/effects.hpp"
#include "daemon/state_directory.hpp"
#include "io/child.hpp"
#include "io/orphans.hpp"
#include "io/socket.hpp"
#include "io/user.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <unistd.h>
#include <variant>

namespace tcplock::daemon {

// What everything started by one supervisor carries in its environment, and what the processes of
// one generation do.
constexpr auto supervisor_variable = "TCPLOCK_SUPERVISOR";
constexpr auto generation_variable = "TCPLOCK_GENERATION";
// What one is called that serves no instance yet.
constexpr auto spare_instance = "standby";
// Where a program is sought that is started without a PATH of ours to hand on.
constexpr auto fallback_path = "/usr/local/bin:/usr/bin:/bin";

struct Setting {
    io::Endpoint address;
    config::Placeholders values;
    io::ChildSpec child;
    config::Probe probe;  // what it is asked, and how it is told to stop, as it was started
    int stop_signal = 0;
    std::string cookie;  // in the environment of this generation's processes, and no other's
};

// Where its temporary files are, unless backend.environment says otherwise.
std::string temporary_folder(const config::Placeholders& values);

// Why a generation cannot live there: a sentence for the operator.
struct Unfit {
    std::string why;
};

// What is wrong with `backend.user` on this machine, to be asked before anything is started.
std::optional<config::Problem> problem_with_user(const config::Config& config);

// Why its office's pipe would be open to everybody here; empty if it would not.
std::string why_pipe_is_open(const config::Config& config);

class Places {
public:
    // Looks up the backend's user, once. Throws std::runtime_error if there is none. `run` is the
    // value of `run_variable` (daemon/warden.hpp).
    Places(const config::Config& config, const StateDirectory& state, std::string run);

    // Makes the place's folder.
    std::variant<Setting, Unfit> prepare(const core::SpawnBackend& spawn) const;
    // Looks for a free address, and says what is to be started there. Why there is none, in words;
    // empty if there is one.
    std::string settle(core::PlaceId place, Setting& setting) const;

    // A program run for a generation, in its folder and with its environment, but not of its tree.
    io::ChildSpec beside(const Setting& setting, const std::vector<std::string>& command) const;
    // The same for one of the system's own programs, wherever the backend looks for its own.
    io::ChildSpec helper(const Setting& setting) const;

    // Whom the backends run as.
    unsigned user() const { return user_ ? user_->uid : ::getuid(); }

    // By what everything is known that a supervisor on this state directory starts.
    io::OrphanSearch orphans(std::chrono::nanoseconds limit) const;

private:
    std::variant<io::Endpoint, Unfit> find_address(core::PlaceId place,
                                                   config::Placeholders& values) const;
    std::variant<io::Endpoint, Unfit> find_port(core::PlaceId place,
                                                config::Placeholders& values) const;
    std::variant<io::Endpoint, Unfit> find_name(core::PlaceId place,
                                                config::Placeholders& values) const;
    std::string who_is_in_the_way(const io::Endpoint& socket) const;
    io::ChildSpec describe_child(const config::Placeholders& values) const;

    const config::Config& config_;
    const StateDirectory& state_;
    const std::string run_;
    std::optional<io::Identity> user_;  // absent: ours
};

}  // namespace tcplock::daemon
