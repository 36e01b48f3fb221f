// What has been counted and measured since the start, and what is now, as text for Prometheus.
//
// It keeps no gauge: what is now is read from the view that is shown. A label is an instance, a
// reason or an end code, never a client, an address or a process: what a scraper has to keep is
// bounded.
#pragma once

#include "admin/happenings.hpp"
#include "admin/view.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <string>
#include <string_view>

namespace tcplock::admin {

// As a name beside an instance's number, for what has none.
constexpr auto standby_name = "standby";

class Metrics {
public:
    // What can be told by then stands at zero from the beginning, so that the first of its kind is
    // seen as an increase.
    explicit Metrics(std::size_t instances);

    void admitted(core::Duration waited);
    void left(core::Duration waited);
    void refused(const Refused& refused);
    void cut(core::CutReason reason);
    void ended(const EndedSession& session);
    void starts(const std::string& instance);
    void ready(const std::string& instance, core::Duration after);
    void start_failed();
    void recycled(const Recycle& recycle);
    void probed(const Probed& probe);
    void loop_was_late(core::Duration by);

    std::string text(const View& view) const;

private:
    using Counters = prometheus::Family<prometheus::Counter>;
    using Histograms = prometheus::Family<prometheus::Histogram>;

    Counters& counters(const std::string& name, const std::string& help);
    Histograms& histograms(const std::string& name, const std::string& help);
    void begin_at_zero(std::size_t instances);

    // What each session of one instance, and with one end, adds to. To find them by their labels
    // each time would cost a third of all that a session does.
    struct OfSessions {
        prometheus::Counter& ended;
        prometheus::Counter& jobs;
        prometheus::Histogram& lengths;
    };
    OfSessions& of_sessions(const std::string& instance, std::string_view end);

    prometheus::Registry registry_;
    std::uint64_t unheard_ = 0;  // accepted, and turned away before the core had heard of them
    Counters& refused_;
    Counters& left_;
    Counters& cut_;
    Counters& sessions_;
    Counters& jobs_;
    Counters& bytes_;
    Counters& starts_;
    Counters& failed_starts_;
    Counters& recycles_;
    Counters& probes_;
    Histograms& waits_;
    Histograms& lengths_;
    Histograms& start_times_;
    Histograms& probe_times_;
    Histograms& delays_;
    prometheus::Histogram& waits_of_admitted_;
    prometheus::Counter& bytes_in_;
    prometheus::Counter& bytes_out_;
    std::map<std::string, std::map<std::string, OfSessions, std::less<>>> known_sessions_;
};

// The content type of that text.
constexpr auto metrics_type = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace tcplock::admin
