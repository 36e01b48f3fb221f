// From a YAML file to a Config, or to every problem in it.
//
// Never throws for anything a file, an environment or a file system can hold; nothing is started
// and nothing outside the file and the environment is looked at. Problems are sorted by line.
#pragma once

#include "config/config.hpp"
#include "config/problem.hpp"
#include "config/substitution.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tcplock::config {

using Result = std::variant<Config, std::vector<Problem>>;

Result load_file(const std::filesystem::path& path,
                 const Environment& environment = process_environment());

// `name` stands for the file in problems.
Result load_text(std::string_view text, const std::string& name,
                 const Environment& environment = process_environment());

}  // namespace tcplock::config
