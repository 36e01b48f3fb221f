#include "admin/words.hpp"

#include "admin/table.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <string_view>

namespace tcplock::admin {
namespace {

namespace json = boost::json;
using Lines = std::vector<std::string>;

constexpr std::string_view unknown = "-";

std::string text(const json::value& value) {
    if (value.is_null()) {
        return std::string(unknown);
    }
    const std::string plain =
        value.is_string() ? std::string(value.get_string()) : json::serialize(value);
    return harmless(plain, LineEnds::replaced);
}

std::string span(const json::value& value) {
    return value.is_null() ? std::string(unknown) : span_in_words(value.to_number<std::int64_t>());
}

std::string size(const json::value& value) {
    return value.is_null() ? std::string(unknown) : size_in_words(value.to_number<std::uint64_t>());
}

void append(Lines& lines, Lines more) {
    lines.insert(lines.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
}

std::string coloured(const std::string& words, const char* colour, const Look& look) {
    return look.has_colour ? std::string(colour) + words + "\033[0m" : words;
}

std::string state_of(const json::value& status, const Look& look) {
    constexpr auto bold_green = "\033[1;32m";
    constexpr auto bold_red = "\033[1;31m";
    const bool is_ready = status.at("is_ready").as_bool();
    const std::string why = text(status.at("why"));
    return coloured(text(status.at("state")), is_ready ? bold_green : bold_red, look) +
           (why.empty() ? "" : ": " + why);
}

std::string line_in_words(const json::value& line) {
    std::string words =
        "line       " + text(line.at("waiting")) + " of " + text(line.at("limit")) + " wait";
    if (!line.at("oldest_wait_ms").is_null()) {
        words += ", the first for " + span(line.at("oldest_wait_ms"));
    }
    if (!line.at("paused_for_ms").is_null()) {
        words += "; paused for " + span(line.at("paused_for_ms"));
    }
    return words;
}

std::string counts_in_words(const json::value& counts) {
    return "clients    " + text(counts.at("accepted")) + " came, " + text(counts.at("admitted")) +
           " were let in, " + text(counts.at("refused")) + " refused, " + text(counts.at("left")) +
           " left the line";
}

// Why it takes nobody, or will not for long; when the next start comes.
std::string remark(const json::value& place) {
    if (!place.at("due").is_null()) {
        return "ends: " + text(place.at("due"));
    }
    if (const auto missed = place.at("missed_probes").to_number<std::uint64_t>(); missed > 0) {
        return "no answer, " + std::to_string(missed) + (missed == 1 ? " probe" : " probes") +
               " missed";
    }
    if (!place.at("planned").is_null()) {
        return "waits for its turn: " + text(place.at("planned"));
    }
    if (!place.at("next_start_in_ms").is_null()) {
        return "next start in " + span(place.at("next_start_in_ms")) + ", failed " +
               text(place.at("failed_starts")) + " in a row";
    }
    return place.at("is_unproven").as_bool() ? "must answer first" : "";
}

bool is_standby(const json::value& place) {
    return place.at("instance").is_null();
}

std::string name_of(const json::value& place) {
    if (!is_standby(place)) {
        return text(place.at("instance"));
    }
    return place.at("was_instance").is_null() ? "standby" : "was " + text(place.at("was_instance"));
}

// The instances by their numbers, then the standbys.
json::array in_order(json::array places) {
    std::stable_sort(places.begin(), places.end(), [](const auto& one, const auto& other) {
        if (is_standby(one) || is_standby(other)) {
            return !is_standby(one) && is_standby(other);
        }
        return one.at("instance").template to_number<std::uint64_t>() <
               other.at("instance").template to_number<std::uint64_t>();
    });
    return places;
}

Lines places_in_words(const json::value& places) {
    Table table({"INSTANCE", "PHASE", "GEN", "INSIDE", "JOBS", "AGE", "MEMORY", "PID", "REMARK"});
    for (const json::value& place : in_order(places.as_array())) {
        table.add({name_of(place), text(place.at("phase")), text(place.at("generation")),
                   text(place.at("inside")) + "/" + text(place.at("slots")), text(place.at("jobs")),
                   span(place.at("age_ms")), size(place.at("memory_bytes")), text(place.at("pid")),
                   remark(place)});
    }
    return table.lines();
}

Lines clients_table(const json::array& inside, const json::array& waiting) {
    Table table({"CLIENT", "STATE", "PEER", "WAITED", "INSIDE", "LIMIT IN", "INSTANCE", "JOB"});
    for (const json::value& client : inside) {
        table.add({text(client.at("client")), text(client.at("state")), text(client.at("peer")),
                   span(client.at("waited_ms")), span(client.at("inside_ms")),
                   span(client.at("limit_in_ms")), text(client.at("instance")),
                   client.at("has_job").as_bool() ? "yes" : "no"});
    }
    for (const json::value& client : waiting) {
        table.add({text(client.at("client")), text(client.at("state")), text(client.at("peer")),
                   span(client.at("waited_ms"))});
    }
    return table.lines();
}

Lines recycles_in_words(const json::array& recycles, std::size_t most) {
    Table table({"RECYCLED AT", "INSTANCE", "GEN", "REASON", "JOBS", "AGE", "MEMORY"});
    for (std::size_t i = 0; i < std::min(most, recycles.size()); ++i) {
        const json::value& one = recycles[i];
        table.add({text(one.at("at")), text(one.at("instance")), text(one.at("generation")),
                   text(one.at("reason")), text(one.at("jobs")), span(one.at("age_ms")),
                   size(one.at("memory_bytes"))});
    }
    return table.is_empty() ? Lines{} : table.lines();
}

// The heads of tables, and nothing else, are in capitals.
void underline_heads(Lines& lines, const Look& look) {
    constexpr auto dim = "\033[2m";
    for (std::string& line : lines) {
        const bool is_head = line.starts_with("INSTANCE") || line.starts_with("CLIENT") ||
                             line.starts_with("RECYCLED");
        if (is_head) {
            line = coloured(line, dim, look);
        }
    }
}

// What does not fit is said to be missing.
void cut_to(Lines& lines, std::size_t height) {
    if (height > 1 && lines.size() > height) {
        const std::size_t missing = lines.size() - height + 1;
        lines.resize(height - 1);
        lines.push_back("… and " + std::to_string(missing) + " lines more");
    }
}

}  // namespace

std::vector<std::string> status_in_words(const json::value& status, const Look& look) {
    constexpr std::size_t recycles_shown = 8;
    const json::value& line = status.at("line");
    Lines lines{"tcplock-supervisor " + text(status.at("version")) + ", process " +
                    text(status.at("pid")) + ", up " + span(status.at("up_ms")),
                "state      " + state_of(status, look), line_in_words(line),
                counts_in_words(status.at("counts")), ""};
    append(lines, places_in_words(status.at("places")));
    const auto& inside = status.at("sessions").as_array();
    const auto& waiting = line.at("first").as_array();
    if (!inside.empty() || !waiting.empty()) {
        lines.emplace_back();
        append(lines, clients_table(inside, waiting));
        const auto all = line.at("waiting").to_number<std::size_t>();
        if (all > waiting.size()) {
            lines.push_back("… and " + std::to_string(all - waiting.size()) + " more wait");
        }
    }
    if (Lines recycles = recycles_in_words(status.at("recycles").as_array(), recycles_shown);
        !recycles.empty()) {
        lines.emplace_back();
        append(lines, std::move(recycles));
    }
    cut_to(lines, look.height);
    underline_heads(lines, look);
    return lines;
}

std::vector<std::string> clients_in_words(const json::value& clients) {
    json::array inside;
    json::array waiting;
    for (const json::value& client : clients.at("clients").as_array()) {
        (client.at("state") == "waiting" ? waiting : inside).push_back(client);
    }
    if (inside.empty() && waiting.empty()) {
        return {"nobody is inside, and nobody waits"};
    }
    return clients_table(inside, waiting);
}

}  // namespace tcplock::admin
