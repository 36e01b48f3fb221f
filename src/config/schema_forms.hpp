// What each key is for and what it may be, for the schema: a line or two for each that is
// available.
//
// Defaults are not here; the schema takes them from what `show-config` prints.
#pragma once

#include "config/schema_kinds.hpp"

#include <string_view>
#include <vector>

namespace tcplock::config {

struct Form {
    std::string_view path;  // as in the table of keys
    std::string_view description;
    schema_kinds::Kind kind;  // of a section and of a list of sections: nothing
};

std::vector<Form> schema_forms();

}  // namespace tcplock::config
