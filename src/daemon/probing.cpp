#include "daemon/probing.hpp"

#include <chrono>
#include <variant>

namespace tcplock::daemon {
namespace {

// Some milliseconds, for an office at rest. One that lets go of its main lock for a moment in the
// middle of a job answers then whoever had to wait for it.
constexpr std::chrono::milliseconds at_once(250);

// What an office is asked. While a client is inside nothing that would wait for its job, unless
// that is the question.
uno::Question question_for(core::ProbePurpose purpose) {
    switch (purpose) {
        case core::ProbePurpose::readiness:
            return uno::Question::root_object;
        case core::ProbePurpose::liveness:
            return uno::Question::round_trip;
        case core::ProbePurpose::admission:
            return uno::Question::open_documents;
        case core::ProbePurpose::idleness:
            return uno::Question::main_lock;
    }
    return uno::Question::round_trip;
}

struct ToIo {
    core::ProbePurpose purpose;

    io::ProbeSpec operator()(const config::UnoProbe&) const {
        return io::UnoProbe{question_for(purpose)};
    }
    io::ProbeSpec operator()(const config::ConnectProbe&) const { return io::ConnectProbe{}; }
    io::ProbeSpec operator()(const config::GreetingProbe& probe) const {
        return io::GreetingProbe{probe.expect};
    }
    io::ProbeSpec operator()(const config::ExchangeProbe& probe) const {
        return io::ExchangeProbe{probe.send, probe.expect};
    }
    io::ProbeSpec operator()(const config::HttpProbe& probe) const {
        return io::HttpProbe{probe.path, static_cast<unsigned>(probe.status)};
    }
    io::ProbeSpec operator()(const config::CommandProbe&) const { return {}; }
};

}  // namespace

io::ProbeSpec probe_spec(const config::Probe& probe, core::ProbePurpose purpose) {
    return std::visit(ToIo{purpose}, probe.kind);
}

core::ProbeEnded::Verdict verdict_of(const io::ProbeResult& result, core::ProbePurpose purpose) {
    const bool had_to_wait = purpose == core::ProbePurpose::idleness && result.duration > at_once;
    if (result.answered && had_to_wait) {
        return core::ProbeEnded::Verdict::busy;
    }
    if (result.answered) {
        return core::ProbeEnded::Verdict::answered;
    }
    return result.is_busy ? core::ProbeEnded::Verdict::busy : core::ProbeEnded::Verdict::failed;
}

}  // namespace tcplock::daemon
