// Environment variables in values: `${NAME}`, `${NAME:-default}`, and `$$` for a dollar sign.
//
// As in a shell, the default stands for an unset and for an empty variable. What is put in is
// plain text: it is not looked at again, neither for variables nor as YAML. Braces inside a default
// must balance.
#pragma once

#include "config/problem.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace tcplock::config {

// The value of a variable, none if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

// This process's own environment.
Environment process_environment();

Parsed<std::string> substitute(std::string_view text, const Environment& environment);

// The text that substitutes to `text`: every dollar sign doubled.
std::string escape_dollars(std::string_view text);

}  // namespace tcplock::config
