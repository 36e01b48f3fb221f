// What must be looked up before a backend is forked, because the child may not: the program's path,
// and the user's numbers. Either may block as long as the file system or the user database does.
#pragma once

#include "io/child.hpp"
#include "io/child_setup.hpp"

#include <optional>
#include <string>
#include <variant>

namespace tcplock::io {

template <class T>
using Or = std::variant<T, SpawnFailure>;

// "what: the system's reason".
SpawnFailure failure(const std::string& what, int error);

// A command with a slash is taken as it is, another is sought in the PATH the child will have.
Or<std::string> find_program(const ChildSpec& spec);

// Nothing if no user is named or if that is who we are: so the supervisor's own user may be named
// without privilege.
Or<std::optional<Identity>> find_user(const std::string& user);

}  // namespace tcplock::io
