#!/usr/bin/python3
"""What recycling costs clients who convert without a pause: with a real office, cold and standby.

usage: recycle_gap.py PROGRAM [CONVERSIONS [ROUNDS]]

Four clients convert small documents, each over a connection of its own. In each round that is done
three times: never recycled, recycled cold after every hundred, and the same with a standby. A gap
is the time in which nobody is inside between two sessions; what a recycle adds is its gap, less the
median of the gaps without one.
"""

import datetime
import statistics

import bench
import office
from supervisor import Supervisor

WAYS = {
    "never": ({"standby": 0}, {"max_jobs": "off"}),
    "cold": ({"standby": 0}, {"max_jobs": 100}),
    "standby": ({"standby": 1}, {"max_jobs": 100}),
}


def instant(line):
    return datetime.datetime.fromisoformat(line.time.replace("Z", "+00:00")).timestamp()


def gaps(log):
    """(those within a generation, those over a recycle), in seconds.

    Where the next session begins beside the last job of the old generation, which a standby allows,
    the gap is none."""
    sessions = log.all("session closed", job="yes")
    sessions.sort(key=lambda line: instant(line) - line.seconds("lasted"))
    ordinary, recycled = [], []
    left = instant(sessions[0])  # by everybody who had been inside
    newest = sessions[0].number("generation")
    for after in sessions[1:]:
        gap = max(0.0, instant(after) - after.seconds("lasted") - left)
        left = max(left, instant(after))
        is_first = after.number("generation") > newest
        newest = max(newest, after.number("generation"))
        (recycled if is_first else ordinary).append(gap)
    return ordinary, recycled


def run(way, conversions):
    backend, recycle = WAYS[way]
    with Supervisor(office.config(backend=backend, recycle=recycle)) as supervisor:
        supervisor.start()
        supervisor.log.wait("backend ready", nth=1 + backend["standby"], timeout=60)
        rate = bench.documents_a_minute([supervisor.port], conversions)
        supervisor.log.wait("session closed", job="yes", nth=conversions)
        return rate, *gaps(supervisor.log)


def milliseconds(seconds):
    return f"{seconds * 1000:.0f} ms"


def quantile(values, share):
    """The value that this share of all does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main():
    conversions, rounds = bench.arguments(__doc__)
    results = bench.in_turn(WAYS, rounds, lambda way: run(way, conversions))
    rows = []
    for way, outcomes in results.items():
        rates = [rate for rate, _, _ in outcomes]
        usual = statistics.median(gap for _, ordinary, _ in outcomes for gap in ordinary)
        added = [max(0.0, gap - usual) for _, _, recycled in outcomes for gap in recycled]
        rows.append([
            way,
            len(added),
            milliseconds(usual),
            milliseconds(statistics.median(added)) if added else "-",
            milliseconds(quantile(added, 0.99)) if added else "-",
            f"{statistics.median(rates):.0f}",
            bench.ratio(rates, [rate for rate, _, _ in results["never"]]),
        ])  # fmt: skip
    print(f"{rounds} rounds of {conversions} conversions by {bench.CLIENTS} clients")
    head = ["recycled", "recycles", "usual gap", "added, median", "added, p99"]
    bench.table([*head, "documents/min", "of never (range)"], rows)


if __name__ == "__main__":
    main()
