// A listening socket in the file system, and the file that stands for it: made with its mode and
// group from the first moment, and removed again when its owner goes.
//
// What a killed one has left there is replaced; what anybody listens on, and what is no socket, is
// not.
#pragma once

#include "io/descriptor.hpp"

#include <optional>
#include <string>
#include <sys/types.h>

namespace tcplock::io {

class SocketFile {
public:
    // Makes the folder it is in, if that is all that is missing. Throws std::system_error, whose
    // text names the path, or std::runtime_error: somebody listens there, or it is no socket.
    SocketFile(std::string path, mode_t mode, std::optional<gid_t> group);
    // Removes the file, if it still is the one that was made.
    ~SocketFile();
    SocketFile(const SocketFile&) = delete;
    SocketFile& operator=(const SocketFile&) = delete;

    const std::string& path() const noexcept { return path_; }
    // The socket, listening and non-blocking; once.
    Descriptor take() noexcept { return std::move(socket_); }

private:
    static constexpr const char* cannot_listen = "cannot listen on ";

    void clear_the_way() const;
    void bind(mode_t mode);
    [[noreturn]] void fail(const char* what = cannot_listen) const;
    [[noreturn]] void remove_and_fail(const char* what) const;

    std::string path_;
    Descriptor socket_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace tcplock::io
