#include "daemon/profiles.hpp"

#include "daemon/default_profile.hpp"
#include "daemon/log.hpp"

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace tcplock::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds copy_limit{30};

// Beside the profile first, and then in its place: half a copy is never taken for a profile. What
// was there is kept as one that is broken; without a template that is all. The template may be a
// link, hold some, and not be writable; the profile has what they lead to, for a sandbox may let us
// make none.
constexpr auto copy_script = R"(
set -eu
if [ -d "$2.new" ]; then chmod -R u+rwX -- "$2.new"; fi
rm -rf -- "$2.new"
if [ -n "$1" ]; then
    mkdir -- "$2.new"
    cp -RL -- "$1/." "$2.new"
    chmod -R u+rwX -- "$2.new"
fi
if [ -e "$2" ] || [ -L "$2" ]; then
    rm -rf -- "$2.broken"
    mv -- "$2" "$2.broken"
fi
if [ -n "$1" ]; then mv -- "$2.new" "$2"; fi
)";

[[noreturn]] void fail(const fs::path& path, const std::string& why) {
    throw std::runtime_error("backend.state_directory: cannot write " + path.string() + ": " + why +
                             ".");
}

// Also what its owner has shut against himself.
void clear_away(const fs::path& folder, std::error_code& error) {
    std::error_code ignored;  // What is still shut cannot be removed, and that is told.
    const auto open = [&ignored](const fs::path& path) {
        const bool is_folder = fs::symlink_status(path, ignored).type() == fs::file_type::directory;
        if (is_folder) {
            fs::permissions(path, fs::perms::owner_all, fs::perm_options::add, ignored);
        }
        return is_folder;
    };
    if (open(folder)) {  // and no link to one
        for (fs::recursive_directory_iterator at(folder, ignored), end; at != end;
             at.increment(ignored)) {
            open(at->path());
        }
    }
    fs::remove_all(folder, error);
}

// Readable by whomever the backend runs as; and whole, if it is there at all. Nothing is beside it:
// what a backend of earlier had laid there would be in each new profile.
void write_default(const fs::path& folder) {
    constexpr auto file_mode = fs::perms::owner_read | fs::perms::owner_write |
                               fs::perms::group_read | fs::perms::others_read;
    constexpr auto folder_mode =
        file_mode | fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
    const fs::path file = folder / default_profile_file;
    const fs::path half = file.string() + ".new";
    std::error_code error;
    clear_away(folder, error);
    if (error) {
        fail(folder, error.message() + ". It is made anew at each start: remove it");
    }
    fs::create_directories(file.parent_path(), error);
    if (error) {
        fail(file, error.message());
    }
    std::ofstream out(half, std::ios::trunc);
    out << default_profile;
    if (!out.flush()) {
        fail(file, "the device may be full");
    }
    fs::permissions(half, file_mode, error);
    for (const fs::path& made : {folder, file.parent_path()}) {
        if (!error) {
            fs::permissions(made, folder_mode, error);
        }
    }
    if (!error) {
        fs::rename(half, file, error);
    }
    if (error) {
        fail(file, error.message());
    }
}

// A link to nothing is there, too.
bool is_there(const fs::path& path) {
    std::error_code ignored;  // What cannot be looked at is taken to be there.
    return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
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
            std::error_code error;
            if (!fs::is_directory(template_, error)) {
                throw std::runtime_error("backend.profile_template: " + template_.string() +
                                         " is no folder" +
                                         (error ? " (" + error.message() + ")" : "") + ".");
            }
            break;
    }
}

boost::asio::awaitable<std::string> Profiles::provide(fs::path profile, io::ChildSpec helper,
                                                      Existing existing) {
    const bool has_one = is_there(profile);
    if (has_one ? existing == Existing::kept : template_.empty()) {
        co_return std::string{};
    }
    if (has_one) {
        Line(Line::Level::warn, "the profile is made anew: starts have failed with what was there")
            .with("profile", profile.string())
            .with("kept_as", profile.string() + ".broken");
    }
    if (const std::string why = restore_template(); !why.empty()) {
        co_return why;
    }
    helper.command = {"sh", "-c", copy_script, "sh", template_.string(), profile.string()};
    const CommandResult result =
        co_await commands_.run(std::move(helper), copy_limit, Commands::Outliving::killed);
    co_return result.succeeded ? std::string{}
                               : "cannot make the profile " + profile.string() + ": " + result.why;
}

// It may have gone with the state directory.
std::string Profiles::restore_template() const {
    if (!is_ours_ || is_there(template_ / default_profile_file)) {
        return {};
    }
    try {
        write_default(template_);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return {};
}

}  // namespace tcplock::daemon
