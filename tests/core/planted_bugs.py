#!/usr/bin/env python3
"""Plants bugs in a copy of src/core, one line each, and runs the simulation on every one of them.

A simulation is worth as much as what it notices: a bug that survives fails this test.
Usage: planted_bugs.py [--seeds N] [--compiler CXX]
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent / "src"
UNITS = ["backend", "gate", "pool", "recycle", "supervisor"]
FLAGS = ["-std=c++20", "-O1"]
# A bug that shows once in thousands of histories gets so many times as many before it has survived.
PATIENCE = 10

# (promise, file, the line as it is, the line as a tired person might have written it)
BUGS = [
    (1, "backend.cpp", "taken < policy_.gate.concurrency;", "taken <= policy_.gate.concurrency;"),
    (1, "backend.cpp", "(probe_takes_one ? 1 : 0)", "0 * probe_takes_one"),
    (1, "backend.cpp", "return policy_.probe.beside_clients || inside_ < policy_.gate.concurrency;",
     "return true;"),
    (2, "gate.cpp", "const auto head = waiting_.begin();",
     "const auto head = std::prev(waiting_.end());"),
    (2, "supervisor.cpp", "while (!gate_.is_empty() && !gate_.is_paused()) {",
     "for (bool once = true; once && !gate_.is_empty() && !gate_.is_paused(); once = false) {"),
    (2, "pool.cpp", "backend.instance() && backend.has_free_slot();",
     "backend.instance() == InstanceId{0} && backend.has_free_slot();"),
    (3, "supervisor.cpp", "++counts_.left;", ";"),
    (3, "supervisor.cpp", "--counts_.admitted;", ";"),
    (3, "supervisor.cpp", "gate_.enter(session.waiter);",
     "gate_.enter(gate_.newcomer(event.client, now));"),
    (4, "recycle.cpp", "wear.jobs >= *policy.max_jobs", "wear.jobs > *policy.max_jobs"),
    (4, "backend.hpp", "return phase_ == Phase::ready && !due_;", "return phase_ == Phase::ready;"),
    (4, "backend.cpp", "enter(Phase::starting, now + policy_.backend.start_timeout);",
     "enter(Phase::ready, std::nullopt);"),
    (4, "backend.cpp", "enter(Phase::killing, now + policy_.backend.stop_timeout);",
     "enter(Phase::vacant, std::nullopt);"),
    (4, "supervisor.cpp", "if (!backend || !backend->is_alive()) {", "if (!backend) {"),
    (4, "supervisor.cpp", "if (!due || is_waited_for(backend.generation())) {", "if (!due) {"),
    (5, "supervisor.cpp", "!pool_.has_aftermath()", "true"),
    (5, "backend.cpp", "if (is_prepared()) {  // Otherwise", "if (true) {  // Otherwise"),
    (5, "supervisor.cpp", "if (!is_mended && goes_on_in_doubt(*backend)) {", "if (false) {"),
    (4, "pool.cpp", "if (backend.instance() || !backend.is_alive()", "if (!backend.is_alive()"),
    (4, "pool.cpp", "if (!heir || (now_holder && !heir->is_open())) {", "if (!heir) {"),
    (4, "pool.cpp", "if (now_holder && now_holder->is_open()) {", "if (false) {"),
    (4, "pool.cpp", "if (now_holder && now_holder->is_open()) {", "if (now_holder) {"),
    (2, "pool.cpp", "heir->become(instance);", ";"),
    (4, "pool.cpp", "now_holder->become(std::nullopt);", ";"),
    (4, "backend.cpp", "enter(Phase::stopping, now + policy_.backend.stop_grace);", ";"),
    (6, "backend.cpp", "phase_ == Phase::vacant && !has_aftermath_;", "is_still() && !has_aftermath_;"),
    (4, "supervisor.cpp", "backend.make_due(StopReason::memory_soft_limit);", ";"),
    (8, "supervisor.cpp", "backend.jobs() > 0", "true"),
    (12, "supervisor.cpp", "backend.make_due(StopReason::memory_hard_limit);", ";"),
    (12, "supervisor.cpp", "cut_all_inside(backend.generation(), CutReason::memory_hard_limit, CutReason::neighbour,\n                       effects);", ";"),
    (12, "supervisor.cpp", "inside.size() == 1 ?", "inside.size() != 0 ?"),
    (12, "supervisor.cpp", "stop_unasked(backend, StopReason::memory_hard_limit, now, effects);", ";"),
    (4, "supervisor.cpp", "when == When::between_jobs &&", "true &&"),
    (4, "supervisor.cpp", "if (event.memory) {", "if (false) {"),
    (8, "supervisor.cpp", "*due == StopReason::hook_failed || *due == StopReason::memory_hard_limit",
     "*due == StopReason::hook_failed"),
    (12, "supervisor.cpp", "now >= *quiet_since_ + *limit", "false"),
    (12, "supervisor.cpp", "first = earlier(first, *quiet_since_ + *policy_.recycle.idle_shutdown);",
     ";"),
    (7, "supervisor.cpp",
     "for (Backend& backend : pool_.places()) {\n            forget_failed_starts(backend);\n        }",
     ""),
    (7, "supervisor.cpp", "quiet_since_.reset();\n        is_asleep_ = false;", "quiet_since_.reset();"),
    (8, "supervisor.cpp", "pool_.postpone_standby(now);", ";"),
    (7, "pool.cpp", "is_postponed(now) ? policy_.backend.instances", "is_postponed(now) ? 0"),
    (5, "backend.cpp", "probe_is_stale_ = is_probing_;", ";"),
    (3, "supervisor.cpp", "++counts_.refused;\n            break;", "break;"),
    (5, "supervisor.cpp", "found->second.speaks_by.reset();\n    if", "if"),
    (5, "supervisor.cpp", "session.speaks_by && *session.speaks_by <= now", "false"),
    (5, "supervisor.cpp", "session.speaks_by = to_speak_by(head.since, now);", ";"),
    (5, "supervisor.cpp", "session.generation == generation && session.is_idle",
     "session.generation == generation"),
    (5, "supervisor.cpp", "found->second.is_idle = false;", ";"),
    (5, "backend.cpp", "verdict == ProbeEnded::Verdict::answered ? News::is_free : News::is_not_free",
     "News::is_free"),
    (5, "supervisor.cpp", "session.ends = now + policy_.gate.release_timeout;\n    effects",
     "effects"),
    (5, "supervisor.cpp", "if (!backend || is_outside(session)) {", "if (!backend) {"),
    (4, "supervisor.cpp", "!session.is_cut && !is_outside(session);", "!is_outside(session);"),
    (5, "supervisor.cpp", "backend->need_aftermath();", ";"),
    (5, "supervisor.cpp", "begin_aftermath(*backend, effects);  // It", "// It"),
    (5, "supervisor.cpp", "!policy_.backend.is_ours && backend.phase()", "backend.phase()"),
    (5, "backend.cpp", "prove_within(policy_.backend.start_timeout, now);", ";"),
    (5, "supervisor.cpp", "std::max(since + limit, now + std::min(limit, time_to_look));",
     "since + limit;"),
    (8, "backend.cpp", "if (!needs_preparation_) {\n            open_up();",
     "if (true) {\n            open_up();"),
    (8, "backend.cpp", "working_ > 0", "inside_ > 0"),
    (5, "supervisor.cpp", "event.how == SessionEnded::How::released ||\n", "false ||\n"),
    (5, "supervisor.cpp", "found->second.ends = now + policy_.gate.release_timeout;", ";"),
    (5, "backend.cpp", "prove_within(*policy_.probe.admission, now);", ";"),
    (5, "backend.cpp", "if (verdict == ProbeEnded::Verdict::answered) {",
     "if (verdict != ProbeEnded::Verdict::failed) {"),
    (5, "supervisor.cpp", "backend->make_due(StopReason::leftovers);", ";"),
    (5, "backend.cpp", "(policy_.probe.beside_clients && probe_began_ >= next_miss_)", "true"),
    (5, "backend.cpp", "!prove_by_ || (policy_.probe.beside_clients && probe_began_ >= next_miss_)",
     "!prove_by_"),
    (5, "backend.cpp", "next_miss_ = std::max(next_miss_, now);", "next_miss_ += 1h;"),
    (6, "backend.cpp", "return hurry(now);", "return std::nullopt;"),
    (6, "backend.cpp", "enter(Phase::quarantined, std::nullopt);",
     "enter(Phase::vacant, std::nullopt);"),
    (7, "supervisor.cpp", "failed_starts_ = 0;", ";"),
    (7, "pool.cpp", "next = backend.spawnable_from();", ";"),
    (7, "backend.cpp", "(has_served_ || working_ > 0 || was_long)", "(has_served_ || was_long)"),
    (7, "pool.cpp", "std::min(quarantined, policy_.backend.instances);", "0;"),
    (8, "backoff.hpp", "policy_.max : next_ * 2;", "policy_.max : next_;"),
    (8, "backend.cpp", "not_before_ = now + pause;", "not_before_ = now;"),
    (8, "supervisor.cpp", "if (is_failed_start || !was_healthy) {", "if (is_failed_start) {"),
    (8, "supervisor.cpp", "if (is_failed_start || !was_healthy) {", "if (!was_healthy) {"),
    (4, "backend.cpp", "is_open() && is_prepared() && !prove_by_", "is_open() && !prove_by_"),
    (4, "backend.cpp", "needs_preparation_ = true;  // The proof follows.", ";"),
    (4, "backend.cpp", "needs_preparation_ = policy_.hooks.before_admission;", ";"),
    (4, "backend.cpp", "phase_ == Phase::vacant && !has_aftermath_;", "phase_ == Phase::vacant;"),
    (4, "backend.cpp", "(phase_ == Phase::ready && !is_preparing_)", "phase_ == Phase::ready"),
    (5, "backend.cpp",
     "prove_within(policy_.probe.admission.value_or(policy_.backend.start_timeout), now);", ";"),
    (7, "backend.cpp", "!due_ && needs_preparation_ && !is_preparing_;", "!due_ && needs_preparation_ && inside_ > 0;"),
    (7, "supervisor.cpp", "backend.aftermath_ended();", ";"),
    (7, "supervisor.cpp", "if (backend->has_been_open()) {", "if (true) {"),
    (7, "supervisor.cpp", "failed_starts_ += pool_.serves() ? 0 : 1;", "++failed_starts_;"),
    (4, "pool.cpp", "!backend.is_alive() || is_over) {", "!backend.is_alive()) {"),
    (8, "backend.cpp", "has_remade_profile_ |= remakes_profile_;", ";"),
    (8, "backend.cpp", "return remakes_profile_ = must_remake_profile();",
     "return has_remade_profile_ |= (remakes_profile_ = must_remake_profile());"),
    (8, "backend.cpp", "return policy_.backend.remakes_profiles && is_doubtful",
     "return is_doubtful"),
    (8, "pool.cpp", "missing -= std::min(missing, occupied());", ";"),
    (12, "supervisor.cpp", "while (gate_.head_is_impatient(now)) {", "while (false) {"),
    (12, "supervisor.cpp", "first = earlier(first, shutdown_by_);", ";"),
    (12, "supervisor.cpp", "mode_ = Mode::finished;\n        shutdown_by_.reset();",
     "mode_ = Mode::finished;"),
    (8, "pool.cpp", "if (!can_spare(*backend) && now < by) {", "if (false) {"),
    (8, "pool.cpp", "if (!can_spare(*backend) && now < by) {", "if (!can_spare(*backend)) {"),
    (8, "pool.cpp", "(policy_.backend.standby > 0 ? 0 : 1);", "1;"),
    (8, "pool.cpp", "return static_cast<std::size_t>(others) >= needed;",
     "return static_cast<std::size_t>(others) + 1 >= needed;"),
    (8, "pool.cpp", "std::max(since, last_turn_)", "now"),
    (8, "pool.cpp", "backend->take_turn();\n        last_turn_ = now;", "backend->take_turn();"),
    (12, "pool.cpp", "next_turn_by_.reset();", ";"),
    (4, "pool.cpp", "std::pair(backend.is_open(), backend.is_open() && backend.has_been_open());",
     "std::pair(backend.is_open(), false);"),
    (8, "backend.cpp", "planned_.reset();", ";"),
    (2, "supervisor.cpp", "while (!gate_.is_empty() && !gate_.is_paused()) {",
     "while (!gate_.is_empty()) {"),
    (12, "stopwatch.hpp", "before_ = total(now);", ";"),
    (12, "gate.cpp", "(pause_.before() - waiter.paused_before)", "pause_.before()"),
    (12, "gate.cpp", "<= pause_.since().value_or(now)", "<= now"),
    (12, "supervisor.cpp", "gate_.resume(now);\n        mode_", "mode_"),
    (3, "supervisor.cpp", "if (const auto waiter = gate_.take(event.client)) {",
     "if (const auto waiter = gate_.take(event.client); false) {"),
    (3, "supervisor.cpp", "!found->second.is_cut && !found->second.has_left) {\n        send_away(event.client, found->second, CutReason::requested",
     "!found->second.has_left) {\n        send_away(event.client, found->second, CutReason::requested"),
    (4, "supervisor.cpp", "!event.instance || backend.served_as()", "true || backend.served_as()"),
    (4, "backend.cpp",
     "was_instance_ = instance || phase_ != Phase::ready ? std::nullopt : instance_;", ";"),
    (4, "supervisor.cpp", "backend.make_due(event.reason);\n        cut_all_inside", "cut_all_inside"),
    (4, "supervisor.cpp", "cut_all_inside(backend.generation(), CutReason::recycle_requested,\n                       CutReason::recycle_requested, effects);", ";"),
    (2, "supervisor.cpp", "gate_.obey(policy_.gate);", ";"),
    (4, "pool.cpp", "backend.obey(policy, now);", ";"),
    (4, "backend.cpp", "if (is_alive() && is_worn_out(", "if (false && is_worn_out("),
    (5, "backend.cpp", "is_aftermath_due_ = is_aftermath_due_ && policy.hooks.session_timeout;",
     ";"),
    (7, "backend.cpp", "if (needs_preparation_ && !policy.hooks.before_admission) {",
     "if (false) {"),
    (4, "supervisor.cpp",
     "Phase::ready) {\n        backend.plan_recycle(reason, now);\n    }\n}\n\n// ---- Backends", "Phase::ready) {\n        ;\n    }\n}\n\n// ---- Backends"),
    (4, "supervisor.cpp",
     "Phase::starting) {\n        stop(backend, reason, now, effects);", "Phase::starting) {\n        ;"),
    (7, "supervisor.cpp", "forget_failed_starts(backend);  // Whatever it was, it may be mended.", ";"),
    (7, "supervisor.cpp", "        backend.forget_pauses();", ";"),
    (7, "supervisor.cpp", "backend.end_pause();", ";"),
    (4, "supervisor.cpp", "replace(backend, event.reason, now, effects);", ";"),
    (7, "supervisor.cpp", "!backend.begin_again() && !is_at_once", "false"),
    (4, "backend.cpp", "News Backend::open_up() noexcept {\n    has_begun_again_ = false;",
     "News Backend::open_up() noexcept {"),
    (4, "backend.cpp", "++failed_in_a_row_;\n    has_begun_again_ = false;", "++failed_in_a_row_;"),
    (4, "backend.cpp", "if (has_served_ && was_asked_again_) {", "if (false) {"),
    (3, "supervisor.cpp", "if (mode_ != Mode::serving) {\n        return;  // Who waits has no",
     "if (false) {\n        return;  // Who waits has no"),
    (8, "supervisor.cpp", "if (is_meant && event.reason == StopReason::schedule) {", "if (false) {"),
    (7, "supervisor.cpp", "!backend.is_alive();\n        if (is_meant &&", "false;\n        if (is_meant &&"),
    (5, "backend.cpp", "next_probe_ = std::min(next_probe_, now + policy.probe.interval);", ";"),
    (4, "supervisor.cpp", "if (outdated_by &&", "if (false &&"),
    (7, "backend.cpp", "not_before_ = {};", ";"),
    (3, "backend.cpp", "seen.jobs = wear_.jobs;", ";"),
    (3, "supervisor.cpp", "seen.paused_since = gate_.paused_since();", ";"),
    (3, "supervisor.cpp", "unserved_.total(now) - head.unserved_before", "unserved_.total(now)"),
    (3, "supervisor.cpp", "newcomer.unserved_before = unserved_.total(now);", ";"),
    (3, "supervisor.cpp", "finish_if_done(effects);\n    note_service(now);",
     "finish_if_done(effects);"),
    (3, "supervisor.cpp", "unserved_.stop(now);", ";"),
    (3, "stopwatch.hpp", "since_.value_or(now)", "now"),
]


def run_compiler(compiler, source, arguments):
    result = subprocess.run([compiler, *FLAGS, *arguments], capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{source} does not compile:\n{result.stderr}")


def compile_headers(compiler, folder):
    """Those of the standard library, once: they are the greater part of every compilation."""
    texts = [file.read_text() for file in (SOURCE / "core").iterdir() if file.suffix != ".txt"]
    includes = {found for text in texts for found in re.findall(r"^#include <.*>$", text, re.M)}
    header = folder / "standard.hpp"
    header.write_text("\n".join(sorted(includes)) + "\n")
    compiled = f"{header}.gch"
    run_compiler(compiler, header, ["-x", "c++-header", str(header), "-o", compiled])
    return header


def compile_unit(compiler, headers, source, target, include):
    files = ["-include", str(headers), "-c", str(source), "-o", str(target)]
    run_compiler(compiler, source, [f"-I{include}", f"-I{HERE}", *files])


def link(compiler, objects, target):
    subprocess.run([compiler, "-o", str(target), *map(str, objects)], check=True)


def simulate(program, seeds, first=1):
    """None if every promise was kept, otherwise how it was noticed."""
    command = [str(program), "--from", str(first), "--seeds", str(seeds)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if result.returncode == 0:
        return None
    said = (result.stdout.splitlines() or result.stderr.splitlines() or ["killed"])[0]
    return said.replace("broken promise ", "")


def plant(folder, file, line, bug):
    """A copy of src/ in which exactly one line of core/ differs."""
    include = folder / "src"
    (include / "core").mkdir(parents=True)
    for original in (SOURCE / "core").iterdir():
        text = original.read_text()
        if original.name == file:
            text = text.replace(line, bug, 1)
        (include / "core" / original.name).write_text(text)
    return include


def check_table():
    """Before anything is compiled: every line is there."""
    for _, file, line, _ in BUGS:
        if line not in (SOURCE / "core" / file).read_text():
            sys.exit(f"{file} has no line with: {line}\nThe table of bugs is out of date.")


def try_bug(compiler, headers, clean, seeds, file, line, bug):
    with tempfile.TemporaryDirectory(prefix="planted-bug-") as name:
        folder = pathlib.Path(name)
        include = plant(folder, file, line, bug)
        objects = dict(clean)
        # A header reaches every unit of the core; the world itself sees only declarations.
        changed = UNITS if file.endswith(".hpp") else [file.removesuffix(".cpp")]
        for unit in changed:
            objects[unit] = folder / f"{unit}.o"
            source = include / "core" / f"{unit}.cpp"
            compile_unit(compiler, headers, source, objects[unit], include)
        program = folder / "simulation"
        link(compiler, objects.values(), program)
        return simulate(program, seeds) or simulate(program, PATIENCE * seeds, first=seeds + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--compiler", default="c++")
    arguments = parser.parse_args()
    compiler, seeds = arguments.compiler, arguments.seeds
    survivors = 0
    check_table()
    with tempfile.TemporaryDirectory(prefix="planted-bugs-") as name:
        folder = pathlib.Path(name)
        headers = compile_headers(compiler, folder)
        sources = [SOURCE / "core" / f"{unit}.cpp" for unit in UNITS]
        sources += [HERE / "world.cpp", HERE / "simulation.cpp"]
        clean = {source.stem: folder / f"{source.stem}.o" for source in sources}
        for source in sources:
            compile_unit(compiler, headers, source, clean[source.stem], SOURCE)
        link(compiler, clean.values(), folder / "simulation")
        unplanted = simulate(folder / "simulation", seeds)
        if unplanted:
            sys.exit(f"without any planted bug: {unplanted}")
        for number, (promise, file, line, bug) in enumerate(BUGS, 1):
            noticed = try_bug(compiler, headers, clean, seeds, file, line, bug)
            survivors += noticed is None
            print(f"{number:2}  promise {promise:2}  {file:15}  {line}  =>  {bug}\n"
                  f"      {noticed or 'SURVIVED'}", flush=True)
    print(f"planted {len(BUGS)}, caught {len(BUGS) - survivors}, survived {survivors}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
