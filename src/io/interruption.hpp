// Ends a system call that waits where none may.
//
// A descriptor that was made to block nobody blocks again once somebody changes that who has the
// same open file; there is no call that takes a client and cannot wait. But what waits ends with
// EINTR when a signal comes: while one of these lives, SIGALRM comes again and again, and does
// nothing else. Of the main thread, which such signals go to first (signal(7)); one at a time.
#pragma once

namespace tcplock::io {

class Interruption {
public:
    Interruption();
    ~Interruption();

    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;
};

}  // namespace tcplock::io
