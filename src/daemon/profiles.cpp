#include "daemon/profiles.hpp"

#include "daemon/default_profile.hpp"

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace tcplock::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds copy_limit{30};

// Beside the profile first, and then in its place: half a copy is never taken for a profile. What
// was there goes last; without a template that is all.
constexpr auto copy_script = R"(
set -eu
rm -rf -- "$2.new" "$2.old"
if [ -n "$1" ]; then cp -R -- "$1" "$2.new"; fi
if [ -e "$2" ]; then mv -- "$2" "$2.old"; fi
if [ -n "$1" ]; then mv -- "$2.new" "$2"; fi
rm -rf -- "$2.old"
)";

[[noreturn]] void fail(const fs::path& path, const std::string& why) {
    throw std::runtime_error("backend.state_directory: cannot write " + path.string() + ": " + why +
                             ".");
}

// Readable by whomever the backend runs as.
void write_default(const fs::path& folder) {
    constexpr auto for_all = fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                             fs::perms::others_read | fs::perms::others_exec;
    const fs::path file = folder / default_profile_file;
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    for (const fs::path& made : {folder, file.parent_path()}) {
        if (!error) {
            fs::permissions(made, for_all, error);
        }
    }
    if (error) {
        fail(file, error.message());
    }
    std::ofstream out(file, std::ios::trunc);
    out << default_profile;
    if (!out.flush()) {
        fail(file, "the device may be full");
    }
}

}  // namespace

Profiles::Profiles(const config::Config& config, const StateDirectory& state, Commands& commands)
    : commands_(commands) {
    switch (config.backend.profile_template.kind) {
        case config::ProfileTemplate::Kind::none:
            break;
        case config::ProfileTemplate::Kind::ours:
            template_ = state.path() / "profile-template";
            is_ours_ = true;
            write_default(template_);
            break;
        case config::ProfileTemplate::Kind::folder:
            template_ = config.backend.profile_template.folder;
            break;
    }
}

boost::asio::awaitable<std::string> Profiles::provide(fs::path profile, io::ChildSpec beside,
                                                      Existing existing) {
    if (is_ours_ && !fs::exists(template_ / default_profile_file)) {
        try {
            write_default(template_);
        } catch (const std::runtime_error& error) {
            co_return error.what();
        }
    }
    std::error_code ignored;
    const bool is_there = fs::symlink_status(profile, ignored).type() != fs::file_type::not_found;
    if (is_there ? existing == Existing::kept : template_.empty()) {
        co_return std::string{};
    }
    beside.command = {"sh", "-c", copy_script, "sh", template_.string(), profile.string()};
    const CommandResult result =
        co_await commands_.run(std::move(beside), copy_limit, Commands::Outliving::killed);
    co_return result.succeeded ? std::string{}
                               : "cannot make the profile " + profile.string() + ": " + result.why;
}

}  // namespace tcplock::daemon
