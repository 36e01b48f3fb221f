#!/usr/bin/python3
"""How fast the gate is, beside the bare loopback, a bare yardstick, HAProxy and socket-proxyd.

usage: speed.py [--quick] [--rounds N] [--workload NAME]... [--contender NAME]... [options]

tests/bench/speed.sh builds what it needs first. Clients and backend are one process with one
thread (tests/bench/speed/driver.cpp), the same for all. The contenders take turns in each round,
and each run has one that was started for it. Of the rounds the median is told, and the least and
the most; a ratio is that of one round, of which the same is told.

Processor time is what the system has charged the contender's processes with, all threads, user and
kernel. The kernel's work for what goes over loopback, up to the receiver's queue, is charged to
whoever sends: so a part of what clients and backend are the cause of is in it, and what the
contender sends is in part charged here and not to them. It is the same for all.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(TOP / "tests" / "e2e"))

import bench  # noqa: E402
import contenders  # noqa: E402
import supervisor  # noqa: E402

DRIVER_LIMIT = 600  # seconds; each of its waits has a limit of its own


@dataclasses.dataclass
class Workload:
    """What bench_driver is told, which of its figures are shown, and beside which yardstick."""

    what: str
    driver: list
    figures: list
    yardstick: str = "yardstick"


FIGURES = {  # of the driver: how the table names them, and with how many decimals
    "processor_us": ("processor µs each", 1),
    "per_second": ("a second", 0),
    "driver_us": ("of the driver: processor µs each", 1),
    "gap_us": ("gap between two, µs, median", 1),
    "gap_p99_us": ("gap between two, µs, p99", 1),
    "answers_per_second": ("status answers a second", 0),
    "processor_s_per_gb": ("processor s per GB", 3),
    "gbit_per_second": ("Gbit/s", 1),
    "median_us": ("µs, median", 1),
    "p99_us": ("µs, p99", 1),
    "resident_bytes": ("resident bytes each", 0),
    "proportional_bytes": ("proportional bytes each", 0),
    "alone_resident_kib": ("resident KiB without them", 0),
    "processor_us_per_s": ("processor µs a second", 0),
    "come_per_second": ("come a second", 0),
    "come_us": ("processor µs each who comes", 1),
    "leave_us": ("processor µs each who leaves", 1),
    "all_left_ms": ("ms until all have left", 0),
    "ping_p99_us": ("ping of one inside, µs, p99", 0),
    "ping_max_us": ("ping of one inside, µs, worst", 0),
}
MORE_IS_BETTER = {"per_second", "answers_per_second", "gbit_per_second", "come_per_second"}


def workloads(scale):
    """By name. The scale is 1, or less for a run that only shows that all works."""
    sessions = f"sessions={int(10000 * scale)}"
    volume = int(2e9 * scale)
    each = ["processor_us", "per_second"]
    handed = [*each, "driver_us", "gap_us", "gap_p99_us"]
    carried = ["processor_s_per_gb", "gbit_per_second"]
    held = ["resident_bytes", "proportional_bytes", "alone_resident_kib", "processor_us_per_s"]
    idle = f"idle={int(2000 * max(scale, 0.1))}"
    stormed = ["come_per_second", "come_us", "leave_us", "all_left_ms"]
    pinged = ["ping_p99_us", "ping_max_us"]
    alone = "sessions of 20 bytes each way; nobody waits"

    def line(count):
        what = f"sessions of 20 bytes each way; {count} wait, who has been inside comes again"
        return Workload(what, ["handover", sessions, f"waiting={count}"], handed)

    def bulk(what, up, down):
        amount = f"{(up + down) / 1e9:g} GB {what}"
        return Workload(amount, ["bulk", f"up={up}", f"down={down}"], carried, "yardstick-splice")

    return {
        "sessions": Workload(alone, ["sessions", sessions], each),
        "handover-1": line(1),
        "handover-64": line(64),
        "handover-1000": line(1000),
        "handover-10000": line(10000),
        "status": Workload(
            "handover-64, while somebody asks for the status without a pause",
            ["handover", sessions, "waiting=64", "watched=yes"],
            [*each, "driver_us", "gap_p99_us", "answers_per_second"],
        ),
        "uno": Workload(
            "64 wait; each says what an office's client says first, and hears its greeting",
            ["handover", f"sessions={int(3000 * scale)}", "waiting=64"], each,
        ),
        "drain": Workload(
            "an ordered line of 10000, until it is empty", ["drain", "waiting=10000"], each
        ),
        "bulk-up": bulk("from the client", volume, 0),
        "bulk-down": bulk("to the client", 0, volume),
        "bulk-both": bulk("half each way", volume // 2, volume // 2),
        "ping-pong": Workload(
            "64 bytes there and back", ["ping-pong", f"exchanges={int(30000 * scale)}"],
            ["median_us", "p99_us", "processor_us"],
        ),
        "waiting": Workload(
            "10000 wait and have said nothing",
            ["idle", "waiting=10000", "silently=yes", idle], held,
        ),
        "waiting-said": Workload(
            "10000 wait and have said 20 bytes", ["idle", "waiting=10000", idle], held
        ),
        "storm": Workload(
            "10000 come at once and leave again, while one inside pings",
            ["storm", "waiting=10000"], [*stormed, *pinged],
        ),
    }  # fmt: skip


@contextlib.contextmanager
def on_processor(number, is_pinned):
    """What is started meanwhile stays there."""
    before = os.sched_getaffinity(0)
    if is_pinned:
        os.sched_setaffinity(0, {sorted(before)[number % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def run(contender, workload, driver, is_pinned):
    """The driver's figures of one run, or {"broken": why} or {"failed": why}."""
    contender.find_addresses()
    command = [driver, *workload.driver, f"front={contender.front}"]
    command += [] if contender.has_backend_of_its_own else [f"backend={contender.backend}"]
    command += [] if contender.keeps_line else ["gate=no"]
    with on_processor(0, is_pinned):
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    with process:
        try:
            if process.stdout.readline() == "listening\n":
                with on_processor(1, is_pinned), contender.running():
                    words = [*map(str, contender.pids), contender.admin_socket]
                    output, errors = process.communicate(" ".join(words) + "\n", DRIVER_LIMIT)
            else:
                output, errors = process.communicate(timeout=DRIVER_LIMIT)
        except AssertionError as error:
            return {"failed": str(error)}
        except subprocess.TimeoutExpired:
            return {"failed": f"the driver has not ended within {DRIVER_LIMIT} s"}
        finally:
            process.kill()
    if process.returncode != 0:
        return {"failed": errors.strip()}
    found = json.loads(output)
    if not contender.pids:  # Nobody was charged.
        found = {name: value for name, value in found.items() if not name.startswith("processor")}
    return found


def say(what):
    print(what, file=sys.stderr, flush=True)


def measure(selected, chosen, rounds, driver, is_pinned):
    """Figures by workload and contender, one a round."""
    results = {name: {} for name in selected}
    for number in range(1, rounds + 1):
        for name, workload in selected.items():
            for contender in chosen.values():
                if name not in contender.takes:
                    continue
                say(f"round {number} of {rounds}: {name}, {contender.name}")
                found = run(contender, workload, driver, is_pinned)
                for what in ("failed", "broken"):
                    if what in found:
                        say(f"    {what}: {found[what]}")
                results[name].setdefault(contender.name, []).append(found)
    return results


def number(value, decimals):
    return f"{value:,.{decimals}f}".replace(",", " ")


class Results:
    """Of all runs, and how they compare."""

    def __init__(self, workloads_, results):
        self.workloads, self.results = workloads_, results

    def values(self, workload, contender, figure):
        """One a round, or none at all if a round has none."""
        runs = self.results.get(workload, {}).get(contender, [])
        return [one[figure] for one in runs] if runs and all(figure in one for one in runs) else []

    def median(self, workload, contender, figure):
        return statistics.median(self.values(workload, contender, figure) or [float("nan")])

    def was_run(self, workload, *names):
        return all(name in self.results.get(workload, {}) for name in names)

    def best_haproxy(self, workload, figure):
        """Whichever of its settings did best by this figure; not with a log, which costs."""
        settings = ("haproxy", "haproxy-1m", "haproxy-splice")
        names = [name for name in settings if self.values(workload, name, figure)]
        best = max if figure in MORE_IS_BETTER else min
        return best(names, key=lambda name: self.median(workload, name, figure), default="haproxy")

    def ratios(self, workload, contender, figure, base):
        values, to = (self.values(workload, name, figure) for name in (contender, base))
        return [a / b for a, b in zip(values, to)] if all(to) else []

    def row(self, workload, contender, figure):
        title, decimals = FIGURES[figure]
        title = "  " + title
        values = self.values(workload, contender, figure)
        cells = [title, contender, number(statistics.median(values), decimals),
                 f"{number(min(values), decimals)}-{number(max(values), decimals)}"]  # fmt: skip
        for base in (self.workloads[workload].yardstick, self.best_haproxy(workload, figure)):
            to = self.values(workload, base, figure)
            is_ratio = base != contender and to and min(to) > 0
            cells.append(bench.ratio(values, to) if is_ratio else "")
        return cells

    def troubles(self):
        """What failed here, and what a contender broke: of such a workload it has no figures."""
        for workload, by_contender in self.results.items():
            for contender, runs in by_contender.items():
                for number_, one in enumerate(runs, 1):
                    for what in ("failed", "broken"):
                        if what in one:
                            yield f"{what}: {workload}, {contender}, round {number_}: {one[what]}"

    def rows(self):
        for workload, by_contender in self.results.items():
            yield [workload, "", "", "", "", ""]
            for contender, runs in by_contender.items():
                for what in ("failed", "broken"):
                    if any(what in one for one in runs):
                        yield ["  " + what.upper(), contender, "", "", "", ""]
            for figure in self.workloads[workload].figures:
                for contender in by_contender:
                    if self.values(workload, contender, figure):
                        yield self.row(workload, contender, figure)


US = "tcplock"
OURS = [US, "uno-unprobed", "uno"]


def verdict(is_met):
    return "met" if is_met else "NOT MET"


def bounds(results):
    """(what is asked for, the limit, what was found), of those that were measured."""
    haproxy = results.best_haproxy

    def ratio(what, workload, figure, base, limit, is_least=False):
        wanted = f"{'at least' if is_least else 'at most'} {limit:g} of {base}"
        found = results.ratios(workload, US, figure, base)
        if found:
            value = statistics.median(found)
            is_met = value >= limit if is_least else value <= limit
            yield [what, wanted, f"{value:.2f}", verdict(is_met)]
        elif results.was_run(workload, US, base):
            yield [what, wanted, "one failed, see above", verdict(False)]

    line, cost, rate = "handover-64", "processor_us", "per_second"
    yield from ratio("handover, 64 wait: processor", line, cost, "yardstick", 1.35)
    yield from ratio("handover, 64 wait: processor", line, cost, haproxy(line, cost), 0.6)
    yield from ratio("handover, 64 wait: rate", line, rate, haproxy(line, rate), 1.5, is_least=True)
    few, many = (results.values(f"handover-{n}", US, cost) for n in (64, 10000))
    if few and many:
        dearer = statistics.median(many) - statistics.median(few)
        limit = 2 * max(max(values) - min(values) for values in (few, many))
        wanted = f"at most {limit:.1f} µs, twice the spread"
        what = "handover, 10000 wait: dearer than 64 by"
        yield [what, wanted, f"{dearer:.1f} µs", verdict(dearer <= limit)]
    for way in ("bulk-up", "bulk-down", "bulk-both"):
        figure = "processor_s_per_gb"
        yield from ratio(f"{way}: processor", way, figure, "yardstick-splice", 1.15)
        yield from ratio(f"{way}: processor", way, figure, haproxy(way, figure), 1)
    pinged, median = "ping-pong", "median_us"
    yield from ratio("ping-pong: median", pinged, median, "yardstick", 1.3)
    yield from ratio("ping-pong: median", pinged, median, haproxy(pinged, median), 1)
    for workload in ("waiting", "waiting-said"):
        if results.values(workload, US, "resident_bytes"):
            value = results.median(workload, US, "resident_bytes")
            what = f"{workload}: memory each"
            yield [what, "at most 1024 bytes", f"{value:.0f} bytes", verdict(value <= 1024)]


def parse():
    names = list(workloads(1)), list(contenders.all_of(""))
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", maxsplit=1)[0],
        epilog=f"workloads: {' '.join(names[0])}; contenders: {' '.join(names[1])}",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="one short round: that all works")
    add("--rounds", type=int, default=5, metavar="N")
    add("--workload", action="append", choices=names[0], metavar="NAME")
    add("--contender", action="append", choices=names[1], metavar="NAME")
    add("--pin", action="store_true", help="clients and backend on one processor, it on another")
    add("--build", default=str(TOP / "build" / "release"), metavar="DIRECTORY")
    add("--supervisor", metavar="PROGRAM", help="another than that of the build")
    add("--json", metavar="FILE", help="every figure of every run, beside the table")
    return parser.parse_args()


def first_line(*command):
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    return (told.stdout or told.stderr).split("\n", maxsplit=1)[0]


def machine(build):
    """What the figures hold for."""
    with open("/proc/cpuinfo") as file:
        model = next((x.split(":")[1].strip() for x in file if x.startswith("model name")), "")
    cache = pathlib.Path(build, "CMakeCache.txt").read_text()
    compiler = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.M)[1]
    yield f"machine: {len(os.sched_getaffinity(0))} processors, {model}; Linux {os.uname().release}"
    yield f"compiler: {first_line(compiler, '--version')}"
    if contenders.HAPROXY:
        yield first_line(contenders.HAPROXY, "-v")


def select(all_of_them, names):
    return {name: one for name, one in all_of_them.items() if not names or name in names}


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # What runs is ended.
    supervisor.BINARY = os.path.abspath(options.supervisor or f"{options.build}/tcplock-supervisor")
    supervisor.raise_descriptor_limit()
    known = workloads(0.05 if options.quick else 1)
    chosen = select(contenders.all_of(options.build), options.contender)
    rounds = 1 if options.quick else options.rounds
    driver = os.path.join(options.build, "tests/bench/speed/bench_driver")
    found = measure(select(known, options.workload), chosen, rounds, driver, options.pin)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(found, indent=1) + "\n")
    results = Results(known, found)
    bench.table(
        ["", "contender", "median", "least-most", "of the yardstick", "of HAProxy's best"],
        list(results.rows()),
    )
    for trouble in results.troubles():
        print(trouble)
    for name in found:
        print(f"{name}: {known[name].what}")
    for contender in chosen.values():
        print(f"{contender.name}: {contender.settings}")
    for line in machine(options.build):
        print(line)
    print("The yardstick of bulk is yardstick-splice. A ratio: median (least-most) of the rounds.")
    checked = list(bounds(results))
    if checked:
        bench.table(["what is asked for", "", "found", ""], checked)
    # Others may break what is asked of a gate; we may not.
    fatal = ["failed", *(f"broken: {name}, {one}," for name in found for one in OURS)]
    if any(trouble.startswith(tuple(fatal)) for trouble in results.troubles()):
        sys.exit("some runs failed, or we have broken a promise")


if __name__ == "__main__":
    main()
