// One request to a running supervisor, over its socket in the file system.
#pragma once

#include <stdexcept>
#include <string>

namespace tcplock::admin {

// Nobody answered: a sentence for the operator, with what to do.
class NoAnswer : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Reply {
    unsigned status = 0;
    std::string body;
    bool is_fine() const { return status >= 200 && status < 300; }
};

// Waits for an answer for at most 10 s. Throws NoAnswer.
Reply ask(const std::string& socket, const std::string& method, const std::string& path,
          const std::string& body = {});

}  // namespace tcplock::admin
