#include "admin/desk.hpp"

#include "admin/status.hpp"
#include "example.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

namespace tcplock::admin {
namespace {

namespace json = boost::json;

class DeskTest : public testing::Test {
protected:
    Response ask(const std::string& method, const std::string& path, const std::string& body = {},
                 Access access = Access::everything) {
        return desk_.answer({method, path, body}, access, "me");
    }

    // What it came to: the status, the sentence, and how many orders there have been.
    void expect(const Response& response, unsigned status, const std::string& sentence,
                std::size_t orders) {
        EXPECT_EQ(response.status, status);
        EXPECT_EQ(response.body, sentence + "\n");
        EXPECT_EQ(orders_.size(), orders);
    }

    template <class Event>
    const Event& last() const {
        return std::get<Event>(orders_.back());
    }

    View view_ = test::example();
    std::vector<core::Event> orders_;
    std::string by_;
    Reloaded reloaded_;
    Record record_{2, view_.now, view_.instant};
    Desk desk_{{[this]() -> const View& { return view_; }, record_,
                [this](core::Event event, const std::string&, const std::string& by) {
                    orders_.push_back(std::move(event));
                    by_ = by;
                },
                [this](const std::string& by) {
                    by_ = by;
                    return reloaded_;
                }}};
};

TEST_F(DeskTest, HasNothingAtAPathThatItDoesNotKnow) {
    expect(ask("GET", "/v1/statu"), 404, "there is nothing at /v1/statu", 0);
    expect(ask("POST", "/v2/status"), 404, "there is nothing at /v2/status", 0);
}

TEST_F(DeskTest, TellsWhichMethodsThereAre) {
    const Response reads = ask("POST", "/v1/status");
    expect(reads, 405, "/v1/status is not for POST", 0);
    EXPECT_EQ(reads.allow, "GET, HEAD");
    const Response acts = ask("GET", "/v1/drain");
    expect(acts, 405, "/v1/drain is not for GET", 0);
    EXPECT_EQ(acts.allow, "POST");
}

TEST_F(DeskTest, ChangesNothingForWhoMayOnlyRead) {
    for (const char* const path :
         {"/v1/recycle", "/v1/cut", "/v1/pause", "/v1/resume", "/v1/drain", "/v1/reload"}) {
        for (const char* const method : {"POST", "GET", "PUT"}) {
            expect(ask(method, path, "", Access::read_only), 403,
                   "what changes something is to be had on the admin socket only", 0);
        }
    }
    EXPECT_EQ(ask("GET", "/v1/status", "", Access::read_only).status, 200U);
}

TEST_F(DeskTest, SaysWhetherItIsAliveAndReadyAndWhyNot) {
    expect(ask("GET", "/healthz"), 200, "alive", 0);
    expect(ask("GET", "/readyz"), 200, "serving", 0);
    view_.core.is_full = true;
    expect(ask("GET", "/readyz"), 503, "full: the line is full, 2 clients wait", 0);
    expect(ask("GET", "/healthz"), 200, "alive", 0);
}

TEST_F(DeskTest, ServesThePageItsPartsAndWhatItIsDrawnFrom) {
    const auto type_of = [this](const std::string& path) {
        const Response response = ask("GET", path, "", Access::read_only);
        EXPECT_EQ(response.status, 200U) << path;
        EXPECT_FALSE(response.body.empty()) << path;
        return response.type;
    };
    EXPECT_EQ(type_of("/"), "text/html; charset=utf-8");
    EXPECT_EQ(type_of("/page.css"), "text/css; charset=utf-8");
    EXPECT_EQ(type_of("/page.js"), "text/javascript; charset=utf-8");
    EXPECT_EQ(type_of("/v1/history"), "application/json");
    EXPECT_EQ(type_of("/metrics"), "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(DeskTest, HandsOutWhatItPutTogetherUntilThereIsANewView) {
    const std::string before = ask("GET", "/v1/status").body;
    view_.core.waiting.clear();
    EXPECT_EQ(ask("GET", "/v1/status").body, before);
    view_.instant += std::chrono::milliseconds(1);
    EXPECT_NE(ask("GET", "/v1/status").body, before);
}

TEST_F(DeskTest, RecyclesNothingWhereNothingRuns) {
    view_.core.is_asleep = true;
    expect(ask("POST", "/v1/recycle"), 200,
           "nothing runs: nobody came for long, and the next client starts it afresh", 0);
}

TEST_F(DeskTest, SaysWhatBecameOfAReload) {
    reloaded_ = {true, "gate.queue_limit 100 -> 20"};
    expect(ask("POST", "/v1/reload"), 200, "gate.queue_limit 100 -> 20", 0);
    EXPECT_EQ(by_, "me");
    reloaded_ = {false, "f:3: gate: unknown key"};
    expect(ask("POST", "/v1/reload"), 409, "f:3: gate: unknown key", 0);
    expect(ask("POST", "/v1/reload", "{}"), 400, "/v1/reload takes no arguments", 0);
}

TEST_F(DeskTest, RecyclesAllOrOneInTurnOrAtOnce) {
    expect(ask("POST", "/v1/recycle"), 200, "every instance is recycled after its running job", 1);
    EXPECT_EQ(by_, "me");
    EXPECT_EQ(last<core::RecycleRequested>().instance, std::nullopt);
    expect(ask("POST", "/v1/recycle", R"({"instance":1,"now":true})"), 200,
           "instance 1 is recycled, whoever was inside was cut", 2);
    EXPECT_EQ(last<core::RecycleRequested>().instance, core::InstanceId{1});
    EXPECT_EQ(last<core::RecycleRequested>().urgency, core::RecycleRequested::Urgency::at_once);
}

TEST_F(DeskTest, RecyclesNothingThatIsNotThere) {
    expect(ask("POST", "/v1/recycle", R"({"instance":2})"), 404,
           "there is no instance 2, only 0 to 1", 0);
    expect(ask("POST", "/v1/recycle", R"({"instance":-1})"), 400,
           "instance is no number that could be one", 0);
    expect(ask("POST", "/v1/recycle", R"({"instance":4294967296})"), 400,
           "instance is no number that could be one", 0);
    expect(ask("POST", "/v1/recycle", R"({"now":"yes"})"), 400, "now is neither true nor false", 0);
    expect(ask("POST", "/v1/recycle", R"({"instnce":1})"), 400, "unknown key \"instnce\"", 0);
    expect(ask("POST", "/v1/recycle", "[]"), 400, "the body is no JSON object", 0);
    EXPECT_EQ(ask("POST", "/v1/recycle", std::string(60'000, '[')).status, 400U);
}

TEST_F(DeskTest, EndsAClientWhoWaitsOrIsInside) {
    expect(ask("POST", "/v1/cut", R"({"client":8})"), 200,
           "client 8 is ended, unless it was leaving already", 1);
    EXPECT_EQ(last<core::CutRequested>().client, core::ClientId{8});
    expect(ask("POST", "/v1/cut", R"({"client":7})"), 200,
           "client 7 is ended, unless it was leaving already", 2);
    expect(ask("POST", "/v1/cut", R"({"client":70})"), 404,
           "there is no client 70, or it has gone by now", 2);
    expect(ask("POST", "/v1/cut"), 400, "client is missing", 2);
}

TEST_F(DeskTest, PausesAndResumes) {
    expect(ask("POST", "/v1/pause", "{}"), 400, "/v1/pause takes no arguments", 0);
    expect(ask("POST", "/v1/pause"), 200,
           "paused: nobody is let in, and nobody's patience runs, until resume", 1);
    expect(ask("POST", "/v1/resume"), 200, "it was not paused", 2);
    view_.core.paused_since = view_.instant;
    expect(ask("POST", "/v1/pause"), 200, "it was paused already", 3);
    expect(ask("POST", "/v1/resume"), 200, "resumed", 4);
}

TEST_F(DeskTest, NeitherPausesNorRecyclesWhatIsEnding) {
    view_.core.mode = core::Mode::closing;
    expect(ask("POST", "/v1/pause"), 409, "it is shutting down", 0);
    expect(ask("POST", "/v1/recycle"), 409, "it is shutting down", 0);
    expect(ask("POST", "/v1/drain"), 200,
           "no client is accepted any more; it ends when those who wait were served", 1);
    EXPECT_EQ(last<core::ShutdownRequested>().urgency, core::ShutdownRequested::Urgency::drain);
}

// The shape that README promises: a key that goes or changes its kind breaks somebody's script.
TEST_F(DeskTest, AnswersInTheShapeThatIsWritten) {
    const auto parsed = json::parse(ask("GET", "/v1/status").body);
    EXPECT_EQ(
        json::serialize(parsed),
        R"({"version":"0.1.0","pid":4242,"now":"2026-11-28T09:00:00Z","started":"2026-11-28T05:48:00Z",)"
        R"("up_ms":11520000,"protocol":"uno","state":"serving","is_ready":true,"why":"",)"
        R"("counts":{"accepted":10,"admitted":6,"refused":1,"left":1,"waiting":2},)"
        R"("line":{"waiting":2,"limit":100,"oldest_wait_ms":12300,"paused_for_ms":null,"first":[)"
        R"({"client":8,"peer":"127.0.0.1:5002","state":"waiting","waited_ms":12300},)"
        R"({"client":9,"peer":null,"state":"waiting","waited_ms":80}]},)"
        R"("sessions":[{"client":7,"peer":"127.0.0.1:5001","state":"inside","waited_ms":5000,)"
        R"("inside_ms":65000,"limit_in_ms":55000,"instance":0,"generation":5,"has_job":true,)"
        R"("is_idle":false}],"instances":2,"places":[)"
        R"({"instance":null,"was_instance":null,"place":2,"phase":"ready","generation":4,"address":"127.0.0.1:2102",)"
        R"("pid":78,"memory_bytes":56623104,"age_ms":1200000,"inside":0,"slots":1,"jobs":0,)"
        R"("is_unproven":false,"missed_probes":0,"due":null,"planned":null,"failed_starts":0,"next_start_in_ms":null},)"
        R"({"instance":1,"was_instance":null,"place":1,"phase":"vacant","generation":6,"address":null,"pid":null,)"
        R"("memory_bytes":null,"age_ms":null,"inside":0,"slots":1,"jobs":0,"is_unproven":false,"missed_probes":0,)"
        R"("due":null,"planned":null,"failed_starts":3,"next_start_in_ms":800},)"
        R"({"instance":0,"was_instance":null,"place":0,"phase":"ready","generation":5,"address":"127.0.0.1:2100",)"
        R"("pid":77,"memory_bytes":220200960,"age_ms":1200000,"inside":1,"slots":1,"jobs":34,)"
        R"("is_unproven":false,"missed_probes":0,"due":null,"planned":null,"failed_starts":0,"next_start_in_ms":null}],)"
        R"("recycles":[{"at":"2026-11-28T08:40:00Z","instance":"0","generation":2,"reason":"died",)"
        R"("jobs":3,"age_ms":90000,"memory_bytes":null},)"
        R"({"at":"2026-11-28T07:00:00Z","instance":"0","generation":1,"reason":"max_jobs",)"
        R"("jobs":100,"age_ms":3600000,"memory_bytes":1610612736}]})");
    const auto clients = json::parse(ask("GET", "/v1/clients").body);
    EXPECT_EQ(clients.at("clients").as_array().size(), 3U);
}

}  // namespace
}  // namespace tcplock::admin
