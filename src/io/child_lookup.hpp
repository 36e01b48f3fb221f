// What must be looked up before a backend is forked, because the child may not: the program's path.
// It may block as long as the file system does.
#pragma once

#include "io/child.hpp"

#include <string>
#include <variant>

namespace tcplock::io {

template <class T>
using Or = std::variant<T, SpawnFailure>;

// "what: the system's reason".
SpawnFailure failure(const std::string& what, int error);

// A command with a slash is taken as it is, another is sought in the PATH the child will have.
Or<std::string> find_program(const ChildSpec& spec);

}  // namespace tcplock::io
