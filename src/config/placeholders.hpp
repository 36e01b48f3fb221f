// What differs from one generation to the next, as it is written in commands and addresses:
// `{port} {name} {instance} {generation} {uid} {directory} {profile}`; `{{` and `}}` are braces.
//
// A text is checked once, when the configuration is loaded, and filled in at every start. What is
// filled in is not looked at again.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tcplock::config {

struct Placeholders {
    std::string port;
    std::string name;
    std::string instance;
    std::string generation;
    std::string uid;
    std::string directory;
    std::string profile;
};

// Without their braces.
std::vector<std::string_view> placeholder_names();

// What is wrong with the placeholders in a text; none if they can be filled in.
std::optional<std::string> wrong_placeholder(std::string_view text);

// Whether a text that was checked holds this placeholder, given without its braces.
bool has_placeholder(std::string_view text, std::string_view name);

// The text, filled in. It must have been checked.
std::string fill(std::string_view text, const Placeholders& values);

}  // namespace tcplock::config
