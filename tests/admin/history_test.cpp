#include "admin/history.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace tcplock::admin {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

constexpr core::Instant start = core::Instant{} + 100h;

class HistoryTest : public testing::Test {
protected:
    std::string column(const char* name) const {
        return json::serialize(history_.show(now_).at(name));
    }
    std::size_t size() const { return history_.show(now_).at("waiting").as_array().size(); }

    WallTime now_ = WallTime{} + std::chrono::seconds{1'795'856'400};  // 2026-11-28T09:00:00Z
    History history_{now_, start};
};

TEST_F(HistoryTest, ShowsTheIntervalThatRuns) {
    history_.sample({3, 1200ms, {{"0", 77}}}, start + 1s);
    EXPECT_EQ(column("begins"), "\"2026-11-28T09:00:00Z\"");
    EXPECT_EQ(column("every_ms"), "10000");
    EXPECT_EQ(column("waiting"), "[3]");
    EXPECT_EQ(column("oldest_wait_ms"), "[1200]");
    EXPECT_EQ(column("memory_bytes"), "{\"0\":[77]}");
}

TEST_F(HistoryTest, KeepsTheMostOfAnInterval) {
    history_.sample({3, 1200ms, {{"0", 77}}}, start + 1s);
    history_.sample({1, 0ms, {{"0", 99}}}, start + 2s);
    history_.sample({2, 100ms, {}}, start + 3s);
    EXPECT_EQ(column("waiting"), "[3]");
    EXPECT_EQ(column("oldest_wait_ms"), "[1200]");
    EXPECT_EQ(column("memory_bytes"), "{\"0\":[99]}");
}

TEST_F(HistoryTest, CountsInTheIntervalInWhichItHappens) {
    history_.admitted(100ms);
    history_.admitted(300ms);
    history_.admitted(900ms);
    history_.refused();
    history_.sample({}, start + 10s);
    history_.left();
    EXPECT_EQ(column("admitted"), "[3,0]");
    EXPECT_EQ(column("refused"), "[1,0]");
    EXPECT_EQ(column("left"), "[0,1]");
    EXPECT_EQ(column("wait_median_ms"), "[300,null]");
    EXPECT_EQ(column("wait_max_ms"), "[900,null]");
}

TEST_F(HistoryTest, ShowsTheMedianOfTheIntervalThatRuns) {
    history_.admitted(100ms);
    EXPECT_EQ(column("wait_median_ms"), "[100]");
    history_.admitted(300ms);
    history_.admitted(200ms);
    EXPECT_EQ(column("wait_median_ms"), "[200]");
}

TEST_F(HistoryTest, SaysOfAnInstanceThatDidNotLiveThatNothingIsKnown) {
    history_.sample({0, 0ms, {{"0", 77}}}, start + 1s);
    history_.sample({0, 0ms, {{"1", 55}}}, start + 11s);
    EXPECT_EQ(column("memory_bytes"), "{\"0\":[77,null],\"1\":[null,55]}");
}

TEST_F(HistoryTest, ForgetsWhatIsOlderThanAnHour) {
    history_.refused();
    history_.recycled({now_ + 5s, "0", core::Generation{1}, core::StopReason::max_age, 1, 1h, {}});
    history_.recycled(
        {now_ + 30min, "0", core::Generation{2}, core::StopReason::max_jobs, 100, 30min, {}});
    for (auto after = 10s; after <= 1h; after += 10s) {
        history_.sample({}, start + after);
    }
    EXPECT_EQ(size(), 360U);
    EXPECT_EQ(column("begins"), "\"2026-11-28T09:00:10Z\"");
    const auto recycles = history_.show(now_ + 1h).at("recycles").as_array();
    ASSERT_EQ(recycles.size(), 1U);
    EXPECT_EQ(recycles[0].at("reason").as_string(), "max_jobs");
}

TEST_F(HistoryTest, FillsAPauseOfTheMachineWithEmptyIntervals) {
    history_.sample({5, 1s, {}}, start + 9s);
    history_.sample({7, 1s, {}}, start + 31s);
    EXPECT_EQ(column("waiting"), "[5,0,0,7]");
    history_.sample({8, 1s, {}}, start + 24h);
    EXPECT_EQ(size(), 360U);
    EXPECT_EQ(column("begins"), "\"2026-11-29T08:00:10Z\"");
}

// Nobody looks while nobody comes.
TEST_F(HistoryTest, CountsWhoComesAfterALongRestWhereHeCame) {
    history_.sample({}, start + 1s);
    history_.it_is(start + 25s);
    history_.admitted(100ms);
    EXPECT_EQ(column("admitted"), "[0,0,1]");
    history_.it_is(start + 2h);
    history_.admitted(200ms);
    const auto admitted = history_.show(now_ + 2h).at("admitted").as_array();
    EXPECT_EQ(admitted.size(), 360U);
    EXPECT_EQ(admitted.back().as_uint64(), 1U);
    EXPECT_EQ(std::count(admitted.begin(), admitted.end(), json::value(std::uint64_t{0})), 359);
}

TEST_F(HistoryTest, KeepsABoundedNumberOfFigures) {
    for (int i = 0; i < 100'000; ++i) {
        history_.admitted(1ms);
        history_.recycled({now_, "0", core::Generation{1}, core::StopReason::died, 1, 1s, {}});
    }
    EXPECT_EQ(column("admitted"), "[100000]");
    EXPECT_EQ(history_.show(now_).at("recycles").as_array().size(), 500U);
}

}  // namespace
}  // namespace tcplock::admin
