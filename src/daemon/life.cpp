#include "daemon/life.hpp"

#include "daemon/log.hpp"
#include "io/address.hpp"
#include "io/printable.hpp"

#include <fmt/format.h>
#include <utility>

namespace tcplock::daemon {
namespace {

// An office without a Java that starts spends five lines on that before it says anything else.
constexpr std::size_t first_lines_max = 8;
// The journal breaks a line at 48 KiB (journald.conf(5), LineMax), and quoting may double this.
constexpr std::size_t output_bytes_max = 16384;

// What it said last says most.
std::string last_of(std::string text) {
    constexpr std::string_view gap = "…";
    if (text.size() > output_bytes_max) {
        std::size_t surplus = text.size() - output_bytes_max + gap.size();
        while (io::whole_characters(text, surplus).size() != surplus) {
            ++surplus;
        }
        text.replace(0, surplus, gap);
    }
    return text;
}

// The first lines, if they are not among the last ones, and those.
std::string output_of(const Life& life) {
    std::string text;
    const auto add = [&text](std::string_view line) {
        text.append(text.empty() ? "" : " | ").append(line);
    };
    bool is_gap = false;
    for (const auto& [number, line] : life.first_lines) {
        if (number + io::last_lines_max < life.lines) {
            add(line);
            is_gap = true;
        }
    }
    if (is_gap) {
        add("…");
    }
    for (const std::string& line : life.last_lines.lines()) {
        add(line);
    }
    return last_of(std::move(text));
}

void note(Life& life, std::string_view line) {
    const bool is_blank = line.find_first_not_of(' ') == std::string_view::npos;
    if (!is_blank && life.first_lines.size() < first_lines_max) {
        life.first_lines.emplace_back(life.lines, line);
    }
    life.last_lines.add(line);
    ++life.lines;
}

}  // namespace

void tell_stop(Life& life, const core::StopBackend& effect) {
    const bool is_end =
        effect.reason == core::StopReason::shutdown || effect.reason == core::StopReason::idle;
    Line line(Line::Level::info, is_end ? "backend stopping" : "backend recycling");
    line.with("instance", life.setting.values.instance)
        .with("generation", core::number(effect.generation))
        .with("reason", core::to_string(effect.reason))
        .with("jobs", effect.jobs)
        .with("age", effect.age);
    const auto pages = effect.how == core::StopHow::kill ? io::Tree::Shared::counted_in_each
                                                         : io::Tree::Shared::shared_out;
    if (const auto memory = life.tree.memory(pages)) {
        line.with("memory", Bytes{*memory});
    }
    if (core::is_by_probe(effect.reason)) {
        line.with("probe", life.last_probe);
    }
}

void tell_death(const Life& life) {
    Line(Line::Level::warn, "backend died")
        .with("instance", life.setting.values.instance)
        .with("generation", core::number(life.generation))
        .with("exit", io::in_words(*life.exit))
        .with("clients", life.inside_at_death)
        .with("last_output", output_of(life));
}

void tell_quarantine(Life& life, core::PlaceId place) {
    std::string left;
    const auto members = life.tree.scan();
    for (const io::Member& member : members.value_or(std::vector<io::Member>{})) {
        left += fmt::format("{}{} ({}, state {})", left.empty() ? "" : ", ", member.pid,
                            member.name, member.state);
    }
    if (left.empty()) {
        // The address accepts, though nobody on this machine is seen to listen there.
        left = members ? "no process that we can see" : "could not be looked up";
    }
    Line(Line::Level::error, "place quarantined: what lives there cannot be killed")
        .with("place", core::number(place))
        .with("instance", life.setting.values.instance)
        .with("generation", core::number(life.generation))
        .with("left", left);
}

void tell_failing(const core::AnnounceFailing& effect) {
    Line(Line::Level::error,
         "backend failing: newcomers are refused until a start succeeds; those who wait keep "
         "their place")
        .with("failures", effect.failed_starts);
}

std::string why_start_failed(const Life& life) {
    if (!life.why_not_open.empty()) {
        return life.why_not_open;
    }
    if (life.is_too_large) {
        return "its tree uses more memory than recycle.memory_hard_limit allows";
    }
    return life.exit && life.has_died ? io::in_words(*life.exit)
                                      : "no answer in time: " + life.last_probe;
}

Occasion occasion_of(const Life& life) {
    Occasion occasion{"", life.generation, io::describe(life.setting.address), life.setting.values};
    occasion.stop = life.stop;
    return occasion;
}

void FailedStarts::tell(const Life* life, const core::BackOff& effect, const std::string& reason) {
    const std::string output = life ? output_of(*life) : std::string{};
    const std::string told = reason + output;
    const bool is_news = told != std::exchange(last_, told);
    const std::string generation = std::to_string(core::number(effect.generation));
    if (!is_news) {
        Line(Line::Level::warn, "backend start failed again, as before")
            .with("instance", life ? life->setting.values.instance : "-")
            .with("generation", generation)
            .with("failures", effect.failed_starts)
            .with("next_try_in", effect.delay);
        return;
    }
    Line line(Line::Level::error, "backend start failed");
    line.with("instance", life ? life->setting.values.instance : "-")
        .with("generation", generation)
        .with("reason", reason)
        .with("failures", effect.failed_starts)
        .with("next_try_in", effect.delay);
    if (!output.empty()) {
        line.with("last_output", output);
    }
}

io::OutputSink output_sink(Life& life, const FailedStarts& failed_starts) {
    io::OutputSink sink;
    sink.line = [&life, &failed_starts](std::string_view text) {
        note(life, text);
        // In a row of failed starts it says the same each time.
        const auto level = failed_starts.is_row() ? Line::Level::debug : Line::Level::info;
        Line(level, "backend output")
            .with("instance", life.setting.values.instance)
            .with("generation", core::number(life.generation))
            .with("line", text);
    };
    sink.dropped = [&life](std::uint64_t lines, const std::deque<std::string>& last) {
        life.lines += lines;
        for (const std::string& line : last) {
            life.last_lines.add(line);
        }
        Line(Line::Level::warn, "backend output dropped: it prints too much")
            .with("instance", life.setting.values.instance)
            .with("generation", core::number(life.generation))
            .with("lines", lines);
    };
    return sink;
}

}  // namespace tcplock::daemon
