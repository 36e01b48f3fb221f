// The configurations we ship, as texts.
#pragma once

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace tcplock::config::test {

inline const std::vector<std::string> sample_names{
    "tcplock.yaml", "tcp-service.yaml", "gate-alone.yaml", "openoffice.yaml", "unoserver.yaml"};

inline std::string sample(const std::string& name) {
    std::ifstream file{std::string{TCPLOCK_SAMPLES} + "/" + name};
    return {std::istreambuf_iterator<char>{file}, {}};
}

}  // namespace tcplock::config::test
