#include "daemon/state_directory.hpp"

#include "daemon/random_name.hpp"

#include <cerrno>
#include <fcntl.h>
#include <fstream>
#include <stdexcept>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace tcplock::daemon {
namespace {

constexpr auto lock_name = "lock";

std::string reason(int error) {
    return std::generic_category().message(error);
}

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
    throw std::runtime_error("backend.state_directory " + path.string() + ": " + what);
}

void make(const std::filesystem::path& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) {
        fail(path, "cannot be made: " + error.message() +
                       ". Name one in the configuration that this user may write to.");
    }
}

std::string first_word(const std::filesystem::path& path) {
    std::string word;
    std::ifstream(path) >> word;
    return word;
}

// Closed at exec: a backend that survives us must not hold the lock.
io::Descriptor lock(const std::filesystem::path& directory) {
    const auto path = directory / lock_name;
    io::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file) {
        fail(directory, "cannot be written to: " + reason(errno) + ".");
    }
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        if (error == EWOULDBLOCK) {
            const std::string pid = first_word(path);
            fail(directory, "another supervisor (pid " + (pid.empty() ? "unknown" : pid) +
                                ") is using it. Each needs a state directory of its own.");
        }
        fail(directory, "cannot be locked: " + reason(error) + ".");
    }
    const std::string pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(file.get(), 0) != 0 ||
        ::write(file.get(), pid.data(), pid.size()) != static_cast<ssize_t>(pid.size())) {
        fail(directory, "cannot be written to: " + reason(errno) + ".");
    }
    return file;
}

// What tells the directory from a copy of it, whose supervisor has no orphans in common with ours.
std::string serial_of(const std::filesystem::path& directory) {
    struct stat about {};
    if (::stat(directory.c_str(), &about) != 0) {
        fail(directory, "cannot be looked at: " + reason(errno) + ".");
    }
    return std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino);
}

void keep_identity(const std::filesystem::path& directory, const std::string& name) {
    std::ofstream file(directory / "identity");
    file << name << ' ' << serial_of(directory) << '\n';
    if (!file.flush()) {
        fail(directory, "cannot be written to: " + reason(errno) + ".");
    }
}

// Kept from one supervisor to the next: orphans carry the name of the one that was killed.
std::string find_or_make_identity(const std::filesystem::path& directory) {
    const auto path = directory / "identity";
    const std::string serial = serial_of(directory);
    std::string known;
    std::string known_serial;
    std::ifstream(path) >> known >> known_serial;
    if (is_random_name(known) && known_serial == serial) {
        return known;
    }
    const std::string name = random_name();
    keep_identity(directory, name);
    return name;
}

}  // namespace

StateDirectory::StateDirectory(const std::filesystem::path& path) {
    make(path);
    path_ = std::filesystem::canonical(path);
    lock_ = lock(path_);
    identity_ = find_or_make_identity(path_);
}

bool StateDirectory::is_there() const {
    struct stat held {};
    struct stat found {};
    return ::fstat(lock_.get(), &held) == 0 && ::stat((path_ / lock_name).c_str(), &found) == 0 &&
           held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

void StateDirectory::make_anew() {
    make(path_);
    lock_ = lock(path_);
    keep_identity(path_, identity_);
}

}  // namespace tcplock::daemon
