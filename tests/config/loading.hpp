// Loading in tests: a configuration that must load, the problems of one that must not.
//
// The environment is empty unless a test brings its own.
#pragma once

#include "config/load.hpp"

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace tcplock::config::test {

inline Environment variables(std::map<std::string, std::string> values = {}) {
    return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional{found->second};
    };
}

inline std::vector<std::string> lines_of(const std::vector<Problem>& problems) {
    std::vector<std::string> lines;
    for (const Problem& problem : problems) {
        lines.push_back(to_text(problem));
    }
    return lines;
}

// The problems of a text, one line each; none if it loads.
inline std::vector<std::string> problems_of(std::string_view text,
                                            const Environment& environment = variables()) {
    const Result result = load_text(text, "f", environment);
    const auto* const problems = std::get_if<std::vector<Problem>>(&result);
    return problems == nullptr ? std::vector<std::string>{} : lines_of(*problems);
}

// Throws, and so ends the test, if the text does not load.
inline Config loaded(std::string_view text, const Environment& environment = variables()) {
    Result result = load_text(text, "f", environment);
    if (const auto* const problems = std::get_if<std::vector<Problem>>(&result)) {
        std::string all{text};
        for (const std::string& line : lines_of(*problems)) {
            all += "\n" + line;
        }
        throw std::invalid_argument{all};
    }
    return std::get<Config>(std::move(result));
}

}  // namespace tcplock::config::test
