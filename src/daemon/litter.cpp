#include "daemon/litter.hpp"

#include "daemon/log.hpp"
#include "io/socket_owner.hpp"
#include "io/unix_socket.hpp"

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace tcplock::daemon {

namespace fs = std::filesystem;

namespace {

constexpr std::chrono::seconds sweep_limit{30};

// What cannot be looked at is taken for something; so is a folder of whom the backend ran as
// before.
bool holds_nothing(const std::string& folder, unsigned user) {
    std::error_code error;
    struct stat about {};
    if (::lstat(folder.c_str(), &about) != 0) {
        return errno == ENOENT;
    }
    return S_ISDIR(about.st_mode) && about.st_uid == user && fs::is_empty(folder, error) && !error;
}

// The name is still there, and nobody listens any more.
bool is_left_behind(const std::string& path) {
    const auto socket = io::unix_endpoint(path);
    std::error_code ignored;  // What cannot be looked at is left.
    return socket && fs::symlink_status(path, ignored).type() == fs::file_type::socket &&
           io::listens(*socket) == io::Listens::no;
}

}  // namespace

boost::asio::awaitable<void> Litter::sweep(const Setting& setting,
                                           std::vector<std::string> sockets) {
    std::erase_if(sockets, [](const std::string& path) { return !is_left_behind(path); });
    std::vector<std::string> litter = std::move(sockets);
    if (std::string folder = temporary_folder(setting.values);
        !holds_nothing(folder, places_.user())) {
        litter.push_back(std::move(folder));
    }
    if (litter.empty()) {
        co_return;
    }
    io::ChildSpec child = places_.helper(setting);
    child.command = {"rm", "-rf", "--"};
    child.command.insert(child.command.end(), litter.begin(), litter.end());
    const CommandResult result =
        co_await commands_.run(std::move(child), sweep_limit, Commands::Outliving::killed);
    if (!result.succeeded) {
        Line(Line::Level::warn, "what the backend has left behind cannot be swept away")
            .with("generation", setting.values.generation)
            .with("first", litter.front())
            .with("why", result.why);
    }
}

}  // namespace tcplock::daemon
