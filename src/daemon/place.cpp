#include "daemon/place.hpp"

#include "config/address.hpp"
#include "daemon/log.hpp"
#include "daemon/warden.hpp"
#include "io/address.hpp"
#include "io/socket_owner.hpp"
#include "io/vacancy.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <stdexcept>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tcplock::daemon {
namespace {

// Makes a folder, the backend's user's and nobody else's to look into; a sentence if that fails.
std::string make_folder(const std::filesystem::path& path,
                        const std::optional<io::Identity>& user) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (!error) {
        std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
    }
    if (error) {
        return "cannot make " + path.string() + ": " + error.message();
    }
    if (user && user->uid != ::getuid() && ::chown(path.c_str(), user->uid, user->gid) != 0) {
        return "cannot give " + path.string() +
               " to the backend's user: " + std::generic_category().message(errno);
    }
    return {};
}

// An office leaves it to its umask who may connect to its pipe (sal/osl/unx/pipe.cxx).
bool is_office_pipe(const config::Config& config) {
    return config.protocol == config::Protocol::uno &&
           config.backend.address.starts_with(config::unix_prefix);
}

bool is_taken(const io::Endpoint& address) {
    return io::bind_error(address) == std::errc::address_in_use;
}

std::string describe_owner(const io::Endpoint& address) {
    const auto looked = io::socket_owner(address);
    if (!looked) {
        return "somebody who could not be looked up";
    }
    const auto& owner = *looked;
    return owner ? io::in_words(*owner) : "somebody who does not listen there";
}

}  // namespace

std::optional<config::Problem> problem_with_user(const config::Config& config) {
    const std::string& name = config.backend.user;
    if (name.empty()) {
        return std::nullopt;
    }
    const auto found = io::find_user(name);
    const auto* const error = std::get_if<std::error_code>(&found);
    if (!error) {
        return std::nullopt;
    }
    constexpr auto key = "backend.user";
    const std::string why = *error == std::errc::no_such_file_or_directory
                                ? "is no user of this machine"
                                : "cannot be looked up (" + error->message() + ")";
    return config::Problem{config.positions.file, config::line_of(config.positions, key), key,
                           config::wrong(name, why, "a name as in /etc/passwd").message};
}

std::string why_pipe_is_open(const config::Config& config) {
    if (!is_office_pipe(config)) {
        return {};  // And nobody is looked up for nothing: that may take its time.
    }
    unsigned user = ::getuid();
    if (!config.backend.user.empty()) {
        const auto found = io::find_user(config.backend.user);
        const auto* const identity = std::get_if<io::Identity>(&found);
        user = identity ? identity->uid : user;
    }
    if (io::has_name(user)) {
        return {};
    }
    return "user " + std::to_string(user) +
           " is not in /etc/passwd, and the pipe of such a user's office is open to everybody. Add "
           "him there, or have the office listen on TCP: address: \"127.0.0.1:{port}\".";
}

Places::Places(const config::Config& config, const StateDirectory& state, std::string run)
    : config_(config), state_(state), run_(std::move(run)) {
    if (const auto problem = problem_with_user(config)) {
        throw std::runtime_error(problem->key + ": " + problem->message);
    }
    if (!config.backend.user.empty()) {
        user_ = std::get<io::Identity>(io::find_user(config.backend.user));
    }
    if (const std::string why = why_pipe_is_open(config); !why.empty()) {
        throw std::runtime_error("backend.address: " + why);
    }
}

std::string temporary_folder(const config::Placeholders& values) {
    return values.directory + "/tmp";
}

io::OrphanSearch Places::orphans(std::chrono::nanoseconds limit) const {
    return {std::string(supervisor_variable) + "=" + state_.identity(), user_, limit};
}

std::variant<Setting, Unfit> Places::prepare(const core::SpawnBackend& spawn) const {
    const std::string place = std::to_string(core::number(spawn.place));
    const auto directory = state_.path() / ("place-" + place);
    if (std::string why = make_folder(directory, user_); !why.empty()) {
        return Unfit{std::move(why)};
    }
    Setting setting;
    config::Placeholders& values = setting.values;
    values.name = "tcplock-" + state_.identity().substr(0, 8) + "-" + place;
    values.instance = spawn.instance ? std::to_string(core::number(*spawn.instance))
                                     : std::string(spare_instance);
    values.generation = std::to_string(core::number(spawn.generation));
    values.uid = std::to_string(user());
    values.directory = directory.string();
    // We touch nothing inside the folder: it is the backend's user's, who could have put a link to
    // anything there.
    values.profile = (directory / "profile").string();
    return setting;
}

std::string Places::settle(core::PlaceId place, Setting& setting) const {
    auto address = find_address(place, setting.values);
    if (auto* const unfit = std::get_if<Unfit>(&address)) {
        return std::move(unfit->why);
    }
    setting.address = std::get<io::Endpoint>(address);
    setting.child = describe_child(setting.values);
    setting.probe = config_.probe;
    setting.stop_signal = config_.backend.stop_signal;
    const std::string life = state_.identity() + "-" + setting.values.generation;
    setting.child.environment[generation_variable] = life;
    setting.cookie = std::string(generation_variable) + "=" + life;
    for (const std::string& part : config_.backend.command) {
        setting.child.command.push_back(config::fill(part, setting.values));
    }
    return {};
}

std::variant<io::Endpoint, Unfit> Places::find_address(core::PlaceId place,
                                                       config::Placeholders& values) const {
    const bool is_path = config_.backend.address.starts_with(config::unix_prefix);
    return is_path ? find_name(place, values) : find_port(place, values);
}

// Empty if nobody is. What a past backend has left there is for the next one to remove, as servers
// do; nothing else is, and in /tmp anybody can put something.
std::string Places::who_is_in_the_way(const io::Endpoint& socket) const {
    if (is_taken(socket)) {
        return "is taken by " + describe_owner(socket);
    }
    const std::string path = io::path_of(socket);
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) {
        return {};
    }
    if (about.st_uid != user()) {
        return "is a file of user " + std::to_string(about.st_uid);
    }
    return S_ISSOCK(about.st_mode) ? std::string() : "is a file, and no socket";
}

std::variant<io::Endpoint, Unfit> Places::find_name(core::PlaceId place,
                                                    config::Placeholders& values) const {
    const auto& backend = config_.backend;
    values.port = std::to_string(backend.ports.first + core::number(place));
    const std::string usual = values.name;
    std::string why;
    constexpr int tries = 3;
    for (int tried = 0; tried < tries; ++tried) {
        const auto address = io::parse_address(config::fill(backend.address, values));
        if (!address) {
            return Unfit{"backend.address is no socket's path once filled in, or too long"};
        }
        const std::string in_the_way = who_is_in_the_way(*address);
        if (in_the_way.empty()) {
            return *address;
        }
        why = io::describe(*address) + " " + in_the_way;
        if (!config::has_placeholder(backend.address, "name")) {
            break;
        }
        Line(Line::Level::warn, "name taken, trying another")
            .with("place", core::number(place))
            .with("why", why);
        // Not to be foreseen by who is in the way.
        values.name = usual + "-" + std::to_string(std::random_device{}());
    }
    return Unfit{"no free address: " + why};
}

std::variant<io::Endpoint, Unfit> Places::find_port(core::PlaceId place,
                                                    config::Placeholders& values) const {
    const auto& backend = config_.backend;
    const auto& policy = config_.policy.backend;
    const bool is_fixed = !config::has_placeholder(backend.address, "port");
    // The ports of one place are so far apart that no two places ever meet.
    const auto step = static_cast<unsigned>(2 * policy.instances + policy.standby);
    std::string stranger;
    unsigned taken = 0;
    for (unsigned port = backend.ports.first + core::number(place); port <= backend.ports.last;
         port += step) {
        values.port = std::to_string(port);
        const auto address = io::parse_address(config::fill(backend.address, values));
        if (!address) {
            return Unfit{"backend.address is not an address and a port once filled in"};
        }
        if (!is_taken(*address)) {
            return *address;
        }
        // Only the first is looked up: that takes a walk through all of /proc.
        if (++taken == 1) {
            stranger = io::describe(*address) + " is taken by " + describe_owner(*address);
        }
        if (is_fixed) {
            return Unfit{"no free address: " + stranger};
        }
        if (taken == 1) {
            Line(Line::Level::warn, "port taken, trying the next")
                .with("place", core::number(place))
                .with("why", stranger);
        }
    }
    if (taken == 0) {
        return Unfit{"no free address: backend.ports holds no port for place " +
                     std::to_string(core::number(place))};
    }
    return Unfit{"no free address: all " + std::to_string(taken) +
                 " ports of the place in backend.ports are taken; the first, " + stranger};
}

io::ChildSpec Places::describe_child(const config::Placeholders& values) const {
    const auto& backend = config_.backend;
    const char* const path = std::getenv("PATH");
    io::ChildSpec child;
    child.environment = {{"PATH", path && *path ? path : fallback_path},
                         {"HOME", values.directory},
                         {"TMPDIR", temporary_folder(values)},
                         {"LANG", "C.UTF-8"}};
    for (const auto& [name, value] : backend.environment) {
        child.environment[name] = config::fill(value, values);
    }
    child.environment[supervisor_variable] = state_.identity();
    child.environment[run_variable] = run_;
    child.directory = values.directory;
    child.folder = temporary_folder(values);
    if (is_office_pipe(config_)) {
        child.mask = S_IWGRP | S_IWOTH;
    }
    child.user = user_;
    child.nice = backend.nice;
    child.oom_score_adjust = backend.oom_score_adjust;
    child.open_files = backend.limits.open_files;
    child.address_space = backend.limits.address_space;
    child.core_size = backend.limits.core;
    return child;
}

io::ChildSpec Places::helper(const Setting& setting) const {
    io::ChildSpec child = describe_child(setting.values);
    child.environment["PATH"] = fallback_path;
    child.folder.clear();
    return child;
}

io::ChildSpec Places::beside(const Setting& setting,
                             const std::vector<std::string>& command) const {
    io::ChildSpec child = describe_child(setting.values);
    for (const std::string& part : command) {
        child.command.push_back(config::fill(part, setting.values));
    }
    return child;
}

}  // namespace tcplock::daemon
