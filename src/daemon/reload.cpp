#include "daemon/reload.hpp"

#include "config/load.hpp"
#include "daemon/log.hpp"
#include "daemon/place.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <variant>

namespace tcplock::daemon {
namespace {

using Reach = config::Change::Reach;

void add_line(std::string& lines, const std::string& line) {
    lines += (lines.empty() ? "" : "\n") + line;
}

// The journal breaks a line of more than 48 KiB.
std::string the_beginning_of(const std::string& text) {
    constexpr std::size_t most = 8192;
    return text.size() <= most ? text : text.substr(0, most) + "…";
}

// What is wrong with it here and now, as it would be at a start.
std::string why_not(const config::Config& in_force, const config::Config& fresh,
                    const PassedSockets& passed) {
    if (fresh.positions.lines.empty() && !in_force.positions.lines.empty()) {
        return fresh.positions.file +
               " is empty: somebody may be in the middle of writing it. Write another file, and "
               "rename it";
    }
    std::string lines;
    for (const config::Problem& problem : problems_with(passed, fresh)) {
        add_line(lines, config::to_text(problem));
    }
    if (const std::string why = why_pipe_is_open(fresh); !why.empty()) {
        add_line(lines, "backend.address: " + why);
    }
    return lines;
}

// How many there are by default follows from other keys.
std::string why_standby_changed(const config::Change& change, const config::Config& fresh) {
    constexpr auto key = "backend.standby";
    if (change.key != key || fresh.positions.lines.contains(key)) {
        return {};
    }
    return ": by default it follows from the other keys; write \"standby: " + change.before +
           "\" to keep it";
}

}  // namespace

bool Reread::needs_fresh_backends() const {
    return std::any_of(changes.begin(), changes.end(), [](const config::Change& change) {
        return change.reach == Reach::recycles;
    });
}

std::string Reread::in_words() const {
    std::string lines;
    for (const config::Change& change : changes) {
        const bool recycles = change.reach == Reach::recycles;
        add_line(lines, config::to_text(change) + (recycles ? ", by a recycle in turn" : ""));
    }
    return lines.empty() ? "nothing has changed" : lines;
}

Reread read_again(const config::Config& in_force, const PassedSockets& passed) {
    Reread reread;
    const std::string& file = in_force.positions.file;
    if (file.empty()) {
        reread.why_not = "it was started with arguments, and no file";
        return reread;
    }
    std::error_code error;
    const auto status = std::filesystem::status(file, error);
    // A pipe would be waited for, with everything.
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
        reread.why_not = file + " is no file that can be read again";
        return reread;
    }
    auto loaded = config::load_file(file);
    if (const auto* const problems = std::get_if<std::vector<config::Problem>>(&loaded)) {
        for (const config::Problem& problem : *problems) {
            add_line(reread.why_not, config::to_text(problem));
        }
        return reread;
    }
    reread.config = std::get<config::Config>(std::move(loaded));
    reread.why_not = why_not(in_force, reread.config, passed);
    reread.changes = config::changes(in_force, reread.config);
    for (const config::Change& change : reread.changes) {
        if (change.reach == Reach::restart) {
            add_line(reread.why_not, config::to_text(change) + " needs a restart" +
                                         why_standby_changed(change, reread.config));
        }
    }
    return reread;
}

void tell_refusal(const Reread& reread, const std::string& by) {
    Line(Line::Level::error, "reload refused, nothing was changed")
        .with("by", by)
        .with("why", the_beginning_of(reread.why_not));
}

void tell_changes(const Reread& reread, const std::string& by) {
    for (const config::Change& change : reread.changes) {
        Line(Line::Level::info, "configuration changed")
            .with("key", change.key)
            .with("before", the_beginning_of(change.before))
            .with("after", the_beginning_of(change.after));
    }
    Line(Line::Level::info, "reloaded").with("by", by).with("changes", reread.changes.size());
}

}  // namespace tcplock::daemon
