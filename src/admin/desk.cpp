#include "admin/desk.hpp"

#include "admin/page.hpp"
#include "admin/status.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

namespace tcplock::admin {
namespace {

namespace json = boost::json;

constexpr unsigned bad_request = 400;
constexpr unsigned forbidden = 403;
constexpr unsigned not_found = 404;
constexpr unsigned not_allowed = 405;
constexpr unsigned conflict = 409;
constexpr unsigned unavailable = 503;

constexpr auto status_path = "/v1/status";
constexpr auto clients_path = "/v1/clients";
constexpr auto history_path = "/v1/history";
constexpr auto metrics_path = "/metrics";

struct File {
    std::string_view path;
    std::string_view type;
    std::string_view content;
};

const std::array<File, 3> files{{{"/", "text/html; charset=utf-8", page_html},
                                 {"/page.css", "text/css; charset=utf-8", page_css},
                                 {"/page.js", "text/javascript; charset=utf-8", page_js}}};

constexpr std::array<std::string_view, 6> to_read{"/healthz",   "/readyz",    status_path,
                                                  clients_path, history_path, metrics_path};
constexpr std::array<std::string_view, 6> to_act{"/v1/recycle", "/v1/cut",    "/v1/pause",
                                                 "/v1/reload",  "/v1/resume", "/v1/drain"};

template <class Paths>
bool is_one_of(const Paths& paths, std::string_view path) {
    return std::find(paths.begin(), paths.end(), path) != paths.end();
}

Response text(unsigned status, std::string line) {
    Response response;
    response.status = status;
    response.body = std::move(line) + "\n";
    return response;
}

const File* file_at(std::string_view path) {
    const auto* const found = std::find_if(files.begin(), files.end(),
                                           [path](const File& file) { return file.path == path; });
    return found == files.end() ? nullptr : found;
}

// What was asked for, or what is wrong with it.
using Arguments = std::variant<json::object, std::string>;

// Nothing is an object without keys; a key that nobody knows is a misspelling.
Arguments arguments_of(const std::string& body, std::initializer_list<std::string_view> known) {
    if (body.empty()) {
        return json::object{};
    }
    boost::system::error_code error;
    const json::value value = json::parse(body, error);
    if (error || !value.is_object()) {
        return "the body is no JSON object" + (error ? ": " + error.message() : std::string());
    }
    for (const auto& entry : value.get_object()) {
        if (std::find(known.begin(), known.end(), std::string_view(entry.key())) == known.end()) {
            return "unknown key \"" + std::string(entry.key()) + "\"";
        }
    }
    return value.get_object();
}

// Empty if it is not there; one that is no such number is as wrong as can be.
template <class Number>
std::optional<Number> number_in(const json::object& arguments, std::string_view key,
                                std::string& problem) {
    const json::value* const value = arguments.if_contains(key);
    if (value == nullptr) {
        return std::nullopt;
    }
    boost::system::error_code error;
    const auto number = value->to_number<Number>(error);
    if (error) {
        problem = std::string(key) + " is no number that could be one";
        return std::nullopt;
    }
    return number;
}

bool is_client(const View& view, core::ClientId client) {
    const auto is_it = [client](const auto& one) { return one.client == client; };
    return std::any_of(view.core.waiting.begin(), view.core.waiting.end(), is_it) ||
           std::any_of(view.core.sessions.begin(), view.core.sessions.end(), is_it);
}

}  // namespace

Response Desk::answer(const Request& request, Access access, const std::string& by) {
    const bool reads = request.method == "GET" || request.method == "HEAD";
    const bool is_action = is_one_of(to_act, request.path);
    if (!is_action && !is_one_of(to_read, request.path) && file_at(request.path) == nullptr) {
        return text(not_found, "there is nothing at " + request.path);
    }
    if (is_action && access == Access::read_only) {
        return text(forbidden, "what changes something is to be had on the admin socket only");
    }
    if (is_action ? request.method != "POST" : !reads) {
        Response response = text(not_allowed, request.path + " is not for " + request.method);
        response.allow = is_action ? "POST" : "GET, HEAD";
        return response;
    }
    return is_action ? act(request, by) : read(request);
}

// ---- Reading -----------------------------------------------------------------------------------

Response Desk::read(const Request& request) {
    if (const File* const file = file_at(request.path)) {
        return {200, std::string(file->type), std::string(file->content)};
    }
    // That this is answered at all says that the event loop turns.
    if (request.path == "/healthz") {
        return text(200, "alive");
    }
    const View& view = callbacks_.look();
    if (request.path == "/readyz") {
        const Condition condition = condition_of(view);
        const std::string why = condition.why.empty() ? "" : ": " + condition.why;
        return text(condition.is_ready ? 200 : unavailable, condition.state + why);
    }
    const char* const type = request.path == metrics_path ? metrics_type : "application/json";
    return {200, type, body_of(request.path, view)};
}

const std::string& Desk::body_of(const std::string& path, const View& view) {
    if (view.instant != bodies_of_) {
        bodies_.clear();
        bodies_of_ = view.instant;
    }
    const auto [found, is_new] = bodies_.try_emplace(path);
    if (!is_new) {
        return found->second;
    }
    if (path == metrics_path) {
        return found->second = callbacks_.record.metrics().text(view);
    }
    json::object object;
    if (path == history_path) {
        object = callbacks_.record.history().show(view.now);
    } else {
        object = path == status_path ? status(view) : clients(view);
    }
    return found->second = json::serialize(object) + "\n";
}

// ---- Acting ------------------------------------------------------------------------------------

Response Desk::act(const Request& request, const std::string& by) const {
    if (request.path == "/v1/recycle") {
        return recycle(request.body, by);
    }
    if (request.path == "/v1/cut") {
        return cut(request.body, by);
    }
    if (!request.body.empty()) {
        return text(bad_request, request.path + " takes no arguments");
    }
    if (request.path == "/v1/reload") {
        const Reloaded reloaded = callbacks_.reload(by);
        return text(reloaded.is_done ? 200 : conflict, reloaded.text);
    }
    if (request.path == "/v1/pause") {
        return pause(by);
    }
    if (request.path == "/v1/resume") {
        const bool was_paused = callbacks_.look().core.paused_since.has_value();
        callbacks_.order(core::ResumeRequested{}, "resume", by);
        return text(200, was_paused ? "resumed" : "it was not paused");
    }
    callbacks_.order(core::ShutdownRequested{core::ShutdownRequested::Urgency::drain}, "drain", by);
    return text(200, "no client is accepted any more; it ends when those who wait were served");
}

Response Desk::recycle(const std::string& body, const std::string& by) const {
    auto arguments = arguments_of(body, {"instance", "now"});
    if (const auto* const problem = std::get_if<std::string>(&arguments)) {
        return text(bad_request, *problem);
    }
    const auto& asked = std::get<json::object>(arguments);
    std::string problem;
    const auto instance = number_in<std::uint32_t>(asked, "instance", problem);
    const json::value* const now = asked.if_contains("now");
    if (now != nullptr && !now->is_bool()) {
        problem = "now is neither true nor false";
    }
    if (!problem.empty()) {
        return text(bad_request, problem);
    }
    const View& view = callbacks_.look();
    if (instance && *instance >= view.instances) {
        return text(not_found, "there is no instance " + std::to_string(*instance) +
                                   ", only 0 to " + std::to_string(view.instances - 1));
    }
    if (view.core.mode != core::Mode::serving) {
        return text(conflict, condition_of(view).why);
    }
    if (view.core.is_asleep) {
        return text(200, "nothing runs: nobody came for long, and the next client starts it afresh");
    }
    core::RecycleRequested event;
    if (instance) {
        event.instance = core::InstanceId{*instance};
    }
    const bool is_at_once = now != nullptr && now->get_bool();
    event.urgency = is_at_once ? core::RecycleRequested::Urgency::at_once
                               : core::RecycleRequested::Urgency::in_turn;
    const std::string which = instance ? "instance " + std::to_string(*instance) : "every instance";
    callbacks_.order(event, is_at_once ? "recycle at once" : "recycle", by);
    return text(200, which + (is_at_once ? " is recycled, whoever was inside was cut"
                                         : " is recycled after its running job"));
}

Response Desk::cut(const std::string& body, const std::string& by) const {
    auto arguments = arguments_of(body, {"client"});
    if (const auto* const problem = std::get_if<std::string>(&arguments)) {
        return text(bad_request, *problem);
    }
    std::string problem = "client is missing";
    const auto number =
        number_in<std::uint64_t>(std::get<json::object>(arguments), "client", problem);
    if (!number) {
        return text(bad_request, problem);
    }
    const core::ClientId client{*number};
    if (!is_client(callbacks_.look(), client)) {
        return text(not_found,
                    "there is no client " + std::to_string(*number) + ", or it has gone by now");
    }
    callbacks_.order(core::CutRequested{client}, "cut", by);
    return text(200,
                "client " + std::to_string(*number) + " is ended, unless it was leaving already");
}

Response Desk::pause(const std::string& by) const {
    const View& view = callbacks_.look();
    if (view.core.mode != core::Mode::serving) {
        return text(conflict, condition_of(view).why);
    }
    const bool was_paused = view.core.paused_since.has_value();
    callbacks_.order(core::PauseRequested{}, "pause", by);
    return text(200, was_paused
                         ? "it was paused already"
                         : "paused: nobody is let in, and nobody's patience runs, until resume");
}

}  // namespace tcplock::admin
