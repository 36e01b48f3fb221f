// A probe that runs a program: its exit status 0 is an answer.
#pragma once

#include "io/child.hpp"
#include "io/probe.hpp"
#include "io/reaper.hpp"
#include "io/tree.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

namespace tcplock::daemon {

class ProbeCommands {
public:
    // Both must outlive what runs.
    ProbeCommands(boost::asio::io_context& io, io::Reaper& reaper) : io_(io), reaper_(reaper) {}

    // At `timeout` the program and all it started is killed. Its output is not kept, but for the
    // last line, which goes into the detail of a failure.
    boost::asio::awaitable<io::ProbeResult> run(io::ChildSpec child,
                                                std::chrono::nanoseconds timeout);

    // KILL to every tree that runs, and no look back; or to what can be reached of each without a
    // descriptor or memory.
    void kill_all();
    void kill_unseen();

private:
    boost::asio::io_context& io_;
    io::Reaper& reaper_;
    std::uint64_t runs_ = 0;
    std::vector<std::weak_ptr<io::Tree>> running_;
};

}  // namespace tcplock::daemon
