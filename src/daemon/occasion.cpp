#include "daemon/occasion.hpp"

#include "daemon/place.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>

namespace tcplock::daemon {
namespace {

namespace json = boost::json;

std::int64_t milliseconds(core::Duration span) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(span).count();
}

// A spare has no number.
json::value number_or_null(const std::string& instance) {
    std::uint32_t number = 0;
    const char* const last = instance.data() + instance.size();
    const auto [end, error] = std::from_chars(instance.data(), last, number);
    return error == std::errc{} && end == last ? json::value(number) : json::value(nullptr);
}

void add_stop(json::object& out, const core::StopBackend& stop) {
    out["reason"] = core::to_string(stop.reason);
    out["jobs"] = stop.jobs;
    out["age_ms"] = milliseconds(stop.age);
}

void add_exit(json::object& out, const io::ExitStatus& exit) {
    out["exit"] = io::in_words(exit);
    if (exit.signal != 0) {
        out["exit_signal"] = exit.signal;
    } else {
        out["exit_status"] = exit.code;
    }
}

}  // namespace

std::map<std::string, std::string> variables(const Occasion& occasion) {
    std::map<std::string, std::string> told{
        {generation_variable, occasion.values.generation},
        {"TCPLOCK_HOOK", occasion.hook},
        {"TCPLOCK_INSTANCE", occasion.values.instance},
        {"TCPLOCK_ADDRESS", occasion.address},
    };
    if (occasion.stop) {
        told["TCPLOCK_REASON"] = core::to_string(occasion.stop->reason);
    }
    return told;
}

std::string document(const Occasion& occasion) {
    json::object out{{"hook", occasion.hook},
                     {"instance", number_or_null(occasion.values.instance)},
                     {"generation", core::number(occasion.generation)},
                     {"address", occasion.address}};
    if (occasion.after) {
        out["after_ms"] = milliseconds(*occasion.after);
    }
    if (occasion.stop) {
        add_stop(out, *occasion.stop);
    }
    if (occasion.took) {
        out["took_ms"] = milliseconds(*occasion.took);
    }
    if (occasion.exit) {
        add_exit(out, *occasion.exit);
    }
    if (occasion.client) {
        out["client"] = {{"id", core::number(occasion.client->id)},
                         {"peer", occasion.client->peer}};
    }
    return json::serialize(out) + "\n";
}

}  // namespace tcplock::daemon
