// The hardened profile for LibreOffice, config/libreoffice-profile, as it was when this was built:
// so the program finds it wherever it is put.
#pragma once

#include <string_view>

namespace tcplock::daemon {

// Below the profile.
constexpr std::string_view default_profile_file = "user/registrymodifications.xcu";

extern const std::string_view default_profile;

}  // namespace tcplock::daemon
