// The directory a supervisor keeps its places in, and the lock that makes it the only one there.
//
// It also holds the supervisor's identity: a random name that every process it starts carries in
// its environment, by which it knows its orphans again after it was killed. The lock goes with the
// process, however that ends.
#pragma once

#include "io/descriptor.hpp"

#include <filesystem>
#include <string>

namespace tcplock::daemon {

class StateDirectory {
public:
    // Makes the directory if need be. Throws std::runtime_error with a sentence for the operator:
    // cannot be made, cannot be written to, or another supervisor has it.
    explicit StateDirectory(const std::filesystem::path& path);

    // False if somebody has removed it meanwhile, and the lock with it.
    bool is_there() const;
    // The same again, with the same identity. Throws as the constructor does.
    void make_anew();

    const std::filesystem::path& path() const noexcept { return path_; }
    const std::string& identity() const noexcept { return identity_; }

private:
    std::filesystem::path path_;
    io::Descriptor lock_;
    std::string identity_;
};

}  // namespace tcplock::daemon
