#include "config/config.hpp"

namespace tcplock::config {

int line_of(const Positions& positions, std::string_view key) {
    while (!key.empty()) {
        const auto written = positions.lines.find(key);
        if (written != positions.lines.end()) {
            return written->second;
        }
        const std::size_t end = key.find_last_of(".[");
        key = key.substr(0, end == std::string_view::npos ? 0 : end);
    }
    return 0;
}

}  // namespace tcplock::config
