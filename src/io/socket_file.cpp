#include "io/socket_file.hpp"

#include "io/unix_socket.hpp"

#include <cerrno>
#include <filesystem>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>

namespace tcplock::io {
namespace {

constexpr int backlog = 1024;
constexpr mode_t folder_mode = 0755;
constexpr mode_t all_bits = 0777;

}  // namespace

SocketFile::SocketFile(std::string path, mode_t mode, std::optional<gid_t> group)
    : path_(std::move(path)) {
    const std::string folder = std::filesystem::path(path_).parent_path();
    if (::mkdir(folder.c_str(), folder_mode) != 0 && errno != EEXIST) {
        fail();
    }
    clear_the_way();
    bind(mode);
    struct stat made {};
    if (::lstat(path_.c_str(), &made) != 0) {
        fail();
    }
    device_ = made.st_dev;
    inode_ = made.st_ino;
    // A sandbox may forbid to ask even for what it is.
    const bool is_anothers = group && made.st_gid != *group;
    if (is_anothers && ::lchown(path_.c_str(), static_cast<uid_t>(-1), *group) != 0) {
        remove_and_fail("cannot change the group of ");
    }
    if (::listen(socket_.get(), backlog) != 0) {
        remove_and_fail(cannot_listen);
    }
}

SocketFile::~SocketFile() {
    struct stat found {};
    if (::lstat(path_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
        ::unlink(path_.c_str());
    }
}

void SocketFile::clear_the_way() const {
    struct stat found {};
    if (::lstat(path_.c_str(), &found) != 0) {
        return;
    }
    if (!S_ISSOCK(found.st_mode)) {
        throw std::runtime_error("cannot listen on " + path_ +
                                 ": there is something that is no socket");
    }
    const auto asked = ask_who_listens(*unix_endpoint(path_));
    if (const auto* const listening = std::get_if<Listening>(&asked)) {
        throw std::runtime_error("cannot listen on " + path_ + ": process " +
                                 std::to_string(listening->pid) + " does so already");
    }
    if (std::get<std::error_code>(asked) != std::errc::connection_refused ||
        ::unlink(path_.c_str()) != 0) {
        errno = EADDRINUSE;
        fail();
    }
}

// The mode comes with the file: set afterwards, it would come too late for somebody. No other
// thread makes files.
void SocketFile::bind(mode_t mode) {
    const auto address = unix_endpoint(path_);
    if (!address) {
        errno = ENAMETOOLONG;
        fail();
    }
    socket_ = Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_) {
        fail();
    }
    const mode_t before = ::umask(all_bits & ~mode);
    const int result =
        ::bind(socket_.get(), address->data(), static_cast<socklen_t>(address->size()));
    const int error = errno;
    ::umask(before);
    if (result != 0) {
        errno = error;
        fail();
    }
}

void SocketFile::fail(const char* what) const {
    throw std::system_error(errno, std::generic_category(), what + path_);
}

void SocketFile::remove_and_fail(const char* what) const {
    const int error = errno;
    ::unlink(path_.c_str());
    errno = error;
    fail(what);
}

}  // namespace tcplock::io
