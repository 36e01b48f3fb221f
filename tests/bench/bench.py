"""What the benchmarks share: their arguments, a real office's clients, and a table at the end."""

import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
if len(sys.argv) > 1:
    os.environ["TCPLOCK_BINARY"] = os.path.abspath(sys.argv[1])

import office  # noqa: E402  (finds the program by its environment)

CLIENTS = 4


def arguments(usage):
    """(conversions, rounds), after the program."""
    numbers = sys.argv[2:]
    if len(sys.argv) < 2 or len(numbers) > 2 or not all(number.isdigit() for number in numbers):
        sys.exit(usage)
    conversions, rounds = numbers + ["1000", "3"][len(numbers) :]
    return int(conversions), int(rounds)


def in_turn(ways, rounds, run):
    """What run(way) gave in each round, by way; the ways take turns, so that all meet the same."""
    results = {way: [] for way in ways}
    for number in range(1, rounds + 1):
        for way in ways:
            print(f"round {number} of {rounds}: {way}", file=sys.stderr, flush=True)
            results[way].append(run(way))
    return results


def documents_a_minute(ports, conversions):
    """Of clients that convert without a pause; every conversion must succeed."""
    stream = office.Stream([ports[n % len(ports)] for n in range(CLIENTS)], conversions)
    failed = [report for report in stream.finish(timeout=1800) if not report["ok"]]
    if failed:
        sys.exit(f"{len(failed)} conversions failed, the first: {failed[0]}")
    return conversions / stream.seconds * 60


def processors():
    """Seconds that all of them together have been idle, and busy."""
    with open("/proc/stat") as file:
        user, nice, system, idle, waiting, *interrupts = map(int, file.readline().split()[1:8])
    ticks = os.sysconf("SC_CLK_TCK")
    return (idle + waiting) / ticks, (user + nice + system + sum(interrupts)) / ticks


def ratio(values, to):
    """Of one round each: the median, and how far they are spread."""
    ratios = [value / base for value, base in zip(values, to)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def table(head, rows):
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
