// What a place's profile begins with, and when it is made.
//
// A profile that is there is left as it is; one that is not, or is of no use, is made from the
// template, by a program that runs as the backend's user: the folder is his, and he could have put
// a link to anything there. It is complete or not there. One that was of no use is kept beside it.
#pragma once

#include "config/config.hpp"
#include "daemon/command.hpp"
#include "daemon/place.hpp"
#include "daemon/state_directory.hpp"

#include <boost/asio/awaitable.hpp>

#include <filesystem>
#include <string>

namespace tcplock::daemon {

class Profiles {
public:
    // Writes the template that comes with the program into the state directory, where it is asked
    // for. Throws std::runtime_error with a sentence for the operator.
    Profiles(const config::Config& config, const StateDirectory& state, Commands& commands);

    enum class Existing { kept, replaced };
    // Why there is none, in words; empty if it is there, or is the backend's own to make.
    // `helper` is how a program of the system's runs in the place.
    boost::asio::awaitable<std::string> provide(std::filesystem::path profile, io::ChildSpec helper,
                                                Existing existing);

private:
    std::string restore_template() const;

    Commands& commands_;
    std::filesystem::path template_;  // empty: the backend makes it
    bool is_ours_ = false;            // the one that comes with the program
};

}  // namespace tcplock::daemon
