// Lets everybody else go on first: what is ready by now has had its turn when this returns. For work
// that takes its time and may be done in pieces, on the thread where everybody waits.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace tcplock::io {

boost::asio::awaitable<void> turn();

}  // namespace tcplock::io
