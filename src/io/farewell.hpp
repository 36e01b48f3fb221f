// Turning a client away: a clean end, not a reset.
#pragma once

#include "io/descriptor.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <string>

namespace tcplock::io {

// What the client has sent is read and dropped first, for closing on unread bytes would be a reset
// that may overtake everything. At most 64 KiB, and no waiting: a client that floods is reset.
void say_farewell(Descriptor client);

// The same with a reason, which a UNO client gets as the exception of its first call. Ends when the
// client has closed, or at the limit: for it takes its time to call, and a FIN of ours might
// overtake the exception within the client. Who does not speak UNO gets a farewell without words.
boost::asio::awaitable<void> say_why_in_uno(Descriptor client, std::string why,
                                            std::chrono::nanoseconds limit);

}  // namespace tcplock::io
