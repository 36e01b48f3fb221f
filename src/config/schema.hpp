// The configuration as a JSON Schema (draft 7, which editors know best).
//
// It names exactly the keys that are available. It knows the form of every value and the keys that
// go together, but not what only a reader can: numbers that must fit each other, what is on this
// machine. Whatever loads is valid by it.
#pragma once

#include <string>

namespace tcplock::config {

std::string schema();

}  // namespace tcplock::config
