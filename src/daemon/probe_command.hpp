// A probe that runs a program: its exit status 0 is an answer.
#pragma once

#include "io/child.hpp"
#include "io/probe.hpp"
#include "io/reaper.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>

namespace tcplock::daemon {

// At `timeout` the program and all it started is killed. Its output is not kept, but for the last
// line, which goes into the detail of a failure.
boost::asio::awaitable<io::ProbeResult> run_probe_command(boost::asio::io_context& io,
                                                          io::Reaper& reaper, io::ChildSpec child,
                                                          std::chrono::nanoseconds timeout);

}  // namespace tcplock::daemon
