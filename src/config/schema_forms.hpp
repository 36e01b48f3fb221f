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
    // Of a section: nothing, or what may stand there instead of it. Of a list of sections: nothing.
    schema_kinds::Kind kind;
};

std::vector<Form> schema_forms();

}  // namespace tcplock::config
