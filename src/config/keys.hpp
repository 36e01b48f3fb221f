// Every key of the configuration by its full path, and what is said about those that are not.
//
// One table: what can be written, what is only planned, and where a misspelt or misplaced key
// belongs. What values a key takes is said where it is read.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tcplock::config {

struct Key {
    enum class Standing { available, coming };

    std::string_view path;  // "gate.queue_limit"; items of lists as "listen[].address"
    Standing standing;
};

// In the order of the documentation.
std::span<const Key> keys();

// What is wrong with a key at this path: unknown, with a suggestion, or not available yet. Empty
// if it is fine. The path is written as in the table.
std::string wrong_key(std::string_view path);

// The one of some words that was probably meant; empty if none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> words);

}  // namespace tcplock::config
