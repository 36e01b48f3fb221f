// The status as an operator reads it in a terminal, from its JSON.
#pragma once

#include <boost/json/value.hpp>

#include <string>
#include <vector>

namespace tcplock::admin {

struct Look {
    bool has_colour = false;
    std::size_t height = 0;  // so many lines at most; 0: as many as there are
};

std::vector<std::string> status_in_words(const boost::json::value& status, const Look& look);
std::vector<std::string> clients_in_words(const boost::json::value& clients);

}  // namespace tcplock::admin
