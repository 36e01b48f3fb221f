#include "admin/record.hpp"

#include <chrono>
#include <variant>

namespace tcplock::admin {

void Record::note(const core::Effect& effect, const std::string& instance) {
    if (std::holds_alternative<core::SpawnBackend>(effect)) {
        metrics_.starts(instance);
    } else if (const auto* const ready = std::get_if<core::AnnounceReady>(&effect)) {
        metrics_.ready(instance, ready->after);
    } else if (const auto* const back_off = std::get_if<core::BackOff>(&effect)) {
        if (back_off->failed_starts > 0) {
            metrics_.start_failed();
        }
    } else if (const auto* const cut = std::get_if<core::CutClient>(&effect)) {
        metrics_.cut(cut->reason);
    }
}

void Record::admitted(core::Duration waited) {
    metrics_.admitted(waited);
    history_now().admitted(waited);
}

void Record::left(core::Duration waited) {
    metrics_.left(waited);
    history_now().left();
}

void Record::refused(const Refused& refused) {
    metrics_.refused(refused);
    history_now().refused();
}

void Record::recycled(const Recycle& recycle) {
    metrics_.recycled(recycle);
    history_now().recycled(recycle);
}

History& Record::history_now() {
    history_.it_is(std::chrono::steady_clock::now());
    return history_;
}

}  // namespace tcplock::admin
