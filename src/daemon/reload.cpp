#include "daemon/reload.hpp"

#include "config/load.hpp"
#include "daemon/log.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace tcplock::daemon {
namespace {

using Reach = config::Change::Reach;

void add_line(std::string& lines, const std::string& line) {
    lines += (lines.empty() ? "" : "\n") + line;
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

Reread read_again(const config::Config& in_force) {
    Reread reread;
    if (in_force.positions.file.empty()) {
        reread.why_not = "there is no file that it was started with";
        return reread;
    }
    auto loaded = config::load_file(in_force.positions.file);
    if (const auto* const problems = std::get_if<std::vector<config::Problem>>(&loaded)) {
        for (const config::Problem& problem : *problems) {
            add_line(reread.why_not, config::to_text(problem));
        }
        return reread;
    }
    reread.config = std::get<config::Config>(std::move(loaded));
    reread.changes = config::changes(in_force, reread.config);
    for (const config::Change& change : reread.changes) {
        if (change.reach == Reach::restart) {
            add_line(reread.why_not, config::to_text(change) + " needs a restart");
        }
    }
    return reread;
}

void tell(const Reread& reread, const std::string& by) {
    if (!reread.why_not.empty()) {
        Line(Line::Level::error, "reload refused, nothing was changed")
            .with("by", by)
            .with("why", reread.why_not);
        return;
    }
    for (const config::Change& change : reread.changes) {
        Line(Line::Level::info, "configuration changed")
            .with("key", change.key)
            .with("before", change.before)
            .with("after", change.after);
    }
    Line(Line::Level::info, "reloaded").with("by", by).with("changes", reread.changes.size());
}

}  // namespace tcplock::daemon
