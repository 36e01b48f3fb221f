#include "admin/metrics.hpp"

#include "admin/gauges.hpp"
#include "example.hpp"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

namespace tcplock::admin {
namespace {

using namespace std::chrono_literals;

class MetricsTest : public testing::Test {
protected:
    std::set<std::string> lines() const {
        std::set<std::string> all;
        std::istringstream text(metrics_.text(view_));
        for (std::string line; std::getline(text, line);) {
            all.insert(line);
        }
        return all;
    }

    void expect(const std::string& line) const {
        EXPECT_TRUE(lines().contains(line)) << line << "\nis not in\n" << metrics_.text(view_);
    }

    View view_ = test::example();
    Metrics metrics_{2};
};

TEST_F(MetricsTest, ShowTheLine) {
    expect("tcplock_queue_length 2");
    expect("tcplock_queue_limit 100");
    expect("tcplock_queue_oldest_seconds 12.3");
    expect("tcplock_sessions_inside 1");
    expect("tcplock_slots 2");
    view_.core.waiting.clear();
    expect("tcplock_queue_oldest_seconds 0");
}

TEST_F(MetricsTest, ShowTheConditionAsOneOfItsWords) {
    expect("tcplock_ready 1");
    expect("tcplock_state{state=\"serving\"} 1");
    expect("tcplock_state{state=\"paused\"} 0");
    view_.core.paused_since = view_.instant;
    expect("tcplock_ready 0");
    expect("tcplock_state{state=\"serving\"} 0");
    expect("tcplock_state{state=\"paused\"} 1");
    expect("tcplock_build_info{version=\"0.1.0\"} 1");
}

TEST_F(MetricsTest, EveryConditionHasItsWordAmongTheStates) {
    const auto is_told = [this] {
        double told = 0;
        for (const auto& family : gauges(view_)) {
            for (const auto& metric : family.metric) {
                told += family.name == "tcplock_state" ? metric.gauge.value : 0;
            }
        }
        return told == 1;
    };
    EXPECT_TRUE(is_told());
    view_.has_served = false;
    EXPECT_TRUE(is_told()) << "starting";
    view_.core.is_asleep = true;
    EXPECT_TRUE(is_told()) << "asleep";
    view_.core.is_full = true;
    EXPECT_TRUE(is_told()) << "full";
    view_.core.is_failing = true;
    EXPECT_TRUE(is_told()) << "failing";
    view_.core.paused_since = view_.instant;
    EXPECT_TRUE(is_told()) << "paused";
    view_.core.mode = core::Mode::draining;
    EXPECT_TRUE(is_told()) << "draining";
    view_.core.mode = core::Mode::closing;
    EXPECT_TRUE(is_told()) << "closing";
}

TEST_F(MetricsTest, ShowWhatLivesByInstance) {
    expect("tcplock_backend_places{backend_instance=\"0\",phase=\"ready\"} 1");
    expect("tcplock_backend_places{backend_instance=\"1\",phase=\"vacant\"} 1");
    expect("tcplock_backend_places{backend_instance=\"standby\",phase=\"ready\"} 1");
    expect("tcplock_backend_memory_bytes{backend_instance=\"0\"} 220200960");
    expect("tcplock_backend_generation{backend_instance=\"0\"} 5");
    expect("tcplock_backend_age_seconds{backend_instance=\"0\"} 1200");
    expect("tcplock_backend_jobs{backend_instance=\"0\"} 34");
}

TEST_F(MetricsTest, CountOneThatIsBeingReplacedWhereItServed) {
    view_.core.places[0].was_instance = core::InstanceId{0};
    expect("tcplock_backend_places{backend_instance=\"0\",phase=\"ready\"} 2");
    expect("tcplock_backend_memory_bytes{backend_instance=\"0\"} 276824064");
}

TEST_F(MetricsTest, TellALimitOnlyWhereThereIsOne) {
    EXPECT_EQ(metrics_.text(view_).find("memory_hard_limit_bytes"), std::string::npos);
    view_.memory_hard_limit = std::uint64_t{3} << 30;
    expect("tcplock_backend_memory_hard_limit_bytes 3221225472");
}

TEST_F(MetricsTest, BeginAtZero) {
    expect("tcplock_recycles_total{backend_instance=\"1\",reason=\"session_timeout\"} 0");
    expect("tcplock_clients_refused_total{reason=\"queue_full\"} 0");
    expect("tcplock_sessions_total{backend_instance=\"1\",end=\"TD\"} 0");
    expect("tcplock_clients_cut_total{reason=\"session_timeout\"} 0");
    expect("tcplock_backend_failed_starts_total 0");
    expect("tcplock_event_loop_delay_seconds_count 0");
}

TEST_F(MetricsTest, CountWhatHappens) {
    metrics_.recycled({view_.now, "1", core::Generation{3}, core::StopReason::died, 7, 90s, {}});
    expect("tcplock_recycles_total{backend_instance=\"1\",reason=\"died\"} 1");
    metrics_.cut(core::CutReason::session_timeout);
    expect("tcplock_clients_cut_total{reason=\"session_timeout\"} 1");
    metrics_.starts("0");
    metrics_.ready("0", 1800ms);
    metrics_.start_failed();
    expect("tcplock_backend_starts_total{backend_instance=\"0\"} 1");
    expect("tcplock_backend_start_seconds_bucket{backend_instance=\"0\",le=\"2\"} 1");
    expect("tcplock_backend_start_seconds_bucket{backend_instance=\"0\",le=\"1\"} 0");
    expect("tcplock_backend_failed_starts_total 1");
    metrics_.probed({"0", core::ProbePurpose::admission, core::ProbeEnded::Verdict::busy, 3ms});
    expect("tcplock_probes_total{backend_instance=\"0\",purpose=\"admission\",result=\"busy\"} 1");
    expect("tcplock_probe_seconds_sum{purpose=\"admission\"} 0.003");
    metrics_.loop_was_late(2ms);
    expect("tcplock_event_loop_delay_seconds_count 1");
}

TEST_F(MetricsTest, CountSessionsByTheirEnd) {
    metrics_.ended({"0", "--", 1500ms, 100, 2000, true});
    metrics_.ended({"0", "TD", 120s, 50, 0, true});
    metrics_.ended({"0", "--", 2ms, 0, 0, false});
    expect("tcplock_sessions_total{backend_instance=\"0\",end=\"--\"} 2");
    expect("tcplock_sessions_total{backend_instance=\"0\",end=\"TD\"} 1");
    expect("tcplock_jobs_total{backend_instance=\"0\"} 2");
    expect("tcplock_bytes_total{direction=\"in\"} 150");
    expect("tcplock_bytes_total{direction=\"out\"} 2000");
    expect("tcplock_session_seconds_bucket{end=\"TD\",le=\"120\"} 1");
    expect("tcplock_session_seconds_bucket{end=\"TD\",le=\"60\"} 0");
}

// accepted = ended sessions + inside + refused + left + waiting, also of those that the core never
// heard of.
TEST_F(MetricsTest, CountWhoWasTurnedAwayBeforeHeCouldWait) {
    expect("tcplock_clients_accepted_total 10");
    metrics_.refused({reason_not_allowed, {}, false});
    metrics_.refused({core::to_string(core::RefuseReason::queue_full), 0s});
    expect("tcplock_clients_accepted_total 11");
    expect("tcplock_clients_refused_total{reason=\"not_allowed\"} 1");
    expect("tcplock_clients_refused_total{reason=\"queue_full\"} 1");
    expect("tcplock_wait_seconds_count{outcome=\"refused\"} 1");
}

}  // namespace
}  // namespace tcplock::admin
