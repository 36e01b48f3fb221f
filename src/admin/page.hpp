// The status page, as it was when this was built: so the program serves it wherever it is put. It
// reads the same JSON as everybody, and needs nothing from elsewhere.
#pragma once

#include <string_view>

namespace tcplock::admin {

extern const std::string_view page_html;
extern const std::string_view page_css;
extern const std::string_view page_js;

}  // namespace tcplock::admin
