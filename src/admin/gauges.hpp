// What is to be seen now, as families of Prometheus.
#pragma once

#include "admin/view.hpp"

#include <cstdint>
#include <prometheus/metric_family.h>
#include <vector>

namespace tcplock::admin {

std::vector<prometheus::MetricFamily> gauges(const View& view);

// Of the core's count, which starts where somebody may wait, and of those turned away before.
prometheus::MetricFamily accepted(const View& view, std::uint64_t unheard);

}  // namespace tcplock::admin
