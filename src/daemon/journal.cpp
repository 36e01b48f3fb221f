#include "daemon/journal.hpp"

#include <cstdlib>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace tcplock::daemon {

bool is_journal(int fd) {
    const char* const named = std::getenv("JOURNAL_STREAM");
    struct stat about {};
    if (named == nullptr || ::fstat(fd, &about) != 0) {
        return false;
    }
    return named == std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino);
}

std::string_view priority_of(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::debug:
            return "<7>";
        case config::LogLevel::info:
            return "<6>";
        case config::LogLevel::warn:
            return "<4>";
        case config::LogLevel::error:
            return "<3>";
    }
    return "<6>";
}

std::string_view before_error() {
    return is_journal(STDERR_FILENO) ? priority_of(config::LogLevel::error) : std::string_view();
}

}  // namespace tcplock::daemon
