#include "admin/words.hpp"

#include "admin/status.hpp"
#include "example.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace tcplock::admin {
namespace {

using Lines = std::vector<std::string>;
using namespace std::chrono_literals;
using test::example;

TEST(StatusInWords, SaysWhoIsInsideWhoWaitsAndWhatWasRecycled) {
    EXPECT_EQ(
        status_in_words(status(example()), {}),
        (Lines{
            "tcplock-supervisor 0.1.0, process 4242, up 3 h 12 min", "state      serving",
            "line       2 of 100 wait, the first for 12.3 s",
            "clients    10 came, 6 were let in, 1 refused, 1 left the line", "",
            "INSTANCE  PHASE   GEN  INSIDE  JOBS  AGE         MEMORY   PID  REMARK",
            "0         ready   5    1/1     34    20 min 0 s  210 MiB  77",
            "1         vacant  6    0/1     0     -           -        -    next start in 800 ms, "
            "failed 3 in a row",
            "standby   ready   4    0/1     0     20 min 0 s  54 MiB   78", "",
            "CLIENT  STATE    PEER            WAITED  INSIDE     LIMIT IN  INSTANCE  JOB",
            "7       inside   127.0.0.1:5001  5.0 s   1 min 5 s  55.0 s    0         yes",
            "8       waiting  127.0.0.1:5002  12.3 s", "9       waiting  -               80 ms", "",
            "RECYCLED AT           INSTANCE  GEN  REASON    JOBS  AGE         MEMORY",
            "2026-11-28T08:40:00Z  0         2    died      3     1 min 30 s  -",
            "2026-11-28T07:00:00Z  0         1    max_jobs  100   1 h 0 min   1.5 GiB"}));
}

TEST(StatusInWords, HoldsNothingThatATerminalWouldObey) {
    boost::json::value told = status(example());
    told.as_object()["version"] = "\x1b]0;title\x07";
    told.as_object()["why"] = "two\nlines";
    const Lines lines = status_in_words(told, {});
    EXPECT_EQ(lines[0], "tcplock-supervisor ?]0;title?, process 4242, up 3 h 12 min");
    EXPECT_EQ(lines[1], "state      serving: two?lines");
}

TEST(StatusInWords, SaysWhyItIsNotReadyAndWhatAPlaceWaitsFor) {
    View view = example();
    view.core.paused_since = view.instant - 61s;
    view.core.places[2].planned = core::StopReason::schedule;
    view.core.places[0].is_unproven = true;
    const Lines lines = status_in_words(status(view), {});
    EXPECT_EQ(lines[1], "state      paused: an operator has paused it; resume it with: resume");
    EXPECT_EQ(lines[2], "line       2 of 100 wait, the first for 12.3 s; paused for 1 min 1 s");
    EXPECT_TRUE(lines[6].ends_with("waits for its turn: schedule"));
    EXPECT_TRUE(lines[8].ends_with("must answer first"));
    view.core.places[2].missed_probes = 2;
    EXPECT_TRUE(status_in_words(status(view), {})[6].ends_with("no answer, 2 probes missed"));
    view.core.places[2].due = core::StopReason::max_jobs;
    EXPECT_TRUE(status_in_words(status(view), {})[6].ends_with("ends: max_jobs"));
}

TEST(StatusInWords, OfALongLineHasTheFirst) {
    View view = example();
    for (std::uint64_t i = 10; i < 30; ++i) {
        view.core.waiting.push_back({core::ClientId{i}, view.instant});
    }
    const Lines lines = status_in_words(status(view), {});
    EXPECT_NE(std::find(lines.begin(), lines.end(), "… and 12 more wait"), lines.end());
    EXPECT_EQ(clients_in_words(clients(view)).size(), 1U + 1 + 22);
}

TEST(StatusInWords, FitsTheTerminal) {
    const Lines lines = status_in_words(status(example()), {false, 10});
    ASSERT_EQ(lines.size(), 10U);
    EXPECT_EQ(lines.back(), "… and 9 lines more");
}

TEST(StatusInWords, HasColoursOnlyWhereTheyAreWanted) {
    for (const std::string& line : status_in_words(status(example()), {})) {
        EXPECT_EQ(line.find('\033'), std::string::npos);
    }
    EXPECT_EQ(status_in_words(status(example()), {true})[1], "state      \033[1;32mserving\033[0m");
}

TEST(ClientsInWords, SaysThatThereIsNobody) {
    View view = example();
    view.core.waiting.clear();
    view.core.sessions.clear();
    EXPECT_EQ(clients_in_words(clients(view)), Lines{"nobody is inside, and nobody waits"});
}

}  // namespace
}  // namespace tcplock::admin
