#include "admin/command.hpp"

#include "admin/ask.hpp"
#include "admin/table.hpp"
#include "admin/terminal.hpp"
#include "admin/words.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <iostream>

namespace tcplock::admin {
namespace {

namespace json = boost::json;

bool say(const Reply& reply) {
    (reply.is_fine() ? std::cout : std::cerr) << harmless(reply.body, LineEnds::kept);
    return reply.is_fine();
}

json::value read(const Command& command, const std::string& path) {
    const Reply reply = ask(command.socket, "GET", path);
    if (!reply.is_fine()) {
        throw NoAnswer("the answer at " + command.socket +
                       " is: " + harmless(reply.body, LineEnds::kept));
    }
    boost::system::error_code error;
    json::value value = json::parse(reply.body, error);
    if (error) {
        throw NoAnswer("the answer at " + command.socket + " cannot be read: " + error.message());
    }
    return value;
}

bool show_status(const Command& command) {
    if (command.keeps_watching) {
        return watch(
            [&](const Look& look) { return status_in_words(read(command, "/v1/status"), look); });
    }
    const json::value status = read(command, "/v1/status");
    if (command.wants_json) {
        std::cout << harmless(json::serialize(status), LineEnds::replaced) << '\n';
        return true;
    }
    for (const std::string& line : status_in_words(status, {may_use_colour()})) {
        std::cout << line << '\n';
    }
    return true;
}

bool show_clients(const Command& command) {
    const json::value clients = read(command, "/v1/clients");
    if (command.wants_json) {
        std::cout << harmless(json::serialize(clients), LineEnds::replaced) << '\n';
        return true;
    }
    for (const std::string& line : clients_in_words(clients)) {
        std::cout << line << '\n';
    }
    return true;
}

bool act(const Command& command) {
    json::object arguments;
    if (command.number) {
        arguments[command.name == "cut" ? "client" : "instance"] = *command.number;
    }
    if (command.is_at_once) {
        arguments["now"] = true;
    }
    const std::string body = arguments.empty() ? "" : json::serialize(arguments);
    return say(ask(command.socket, "POST", "/v1/" + command.name, body));
}

}  // namespace

bool run(const Command& command) {
    if (command.name == "status") {
        return show_status(command);
    }
    if (command.name == "clients") {
        return show_clients(command);
    }
    if (command.name == "health") {
        return say(ask(command.socket, "GET", command.asks_if_alive ? "/healthz" : "/readyz"));
    }
    return act(command);
}

}  // namespace tcplock::admin
