// From what the core wants to know of a backend to the question it is asked, and from the answer
// back to a verdict.
//
// An office is asked over the port that its clients use. A second, private `--accept` for probes
// was measured beside it: the same times but for bursts of connects that no gate makes, and it
// answers for an office whose clients cannot get in.
#pragma once

#include "config/config.hpp"
#include "core/effects.hpp"
#include "core/events.hpp"
#include "io/probe.hpp"

namespace tcplock::daemon {

// Of any kind but a command, which is run.
io::ProbeSpec probe_spec(const config::Probe& probe, core::ProbePurpose purpose);

// An office that is free says so at once: a late answer to that question says that it was not.
core::ProbeEnded::Verdict verdict_of(const io::ProbeResult& result, core::ProbePurpose purpose);

}  // namespace tcplock::daemon
