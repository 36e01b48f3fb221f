#!/usr/bin/python3
"""What the way to the office costs its clients: over TCP, or over a socket in the file system.

usage: transport.py PROGRAM [CONVERSIONS [ROUNDS]]

Four clients convert small documents without a pause, each over a connection of its own, through a
gate before one real office.
"""

import statistics

import bench
import office
from supervisor import Supervisor

TCP, PIPE = "TCP", "pipe"
BACKENDS = {TCP: office.TCP, PIPE: office.PIPE}


def run(way, conversions):
    config = office.config(backend=BACKENDS[way], recycle={"max_jobs": "off"})
    with Supervisor(config) as supervisor:
        supervisor.start()
        supervisor.log.wait("backend ready", timeout=60)
        return bench.documents_a_minute([supervisor.port], conversions)


def main():
    conversions, rounds = bench.arguments(__doc__)
    results = bench.in_turn(BACKENDS, rounds, lambda way: run(way, conversions))
    print(f"{rounds} rounds of {conversions} conversions by {bench.CLIENTS} clients")
    bench.table(
        ["way", "documents/min", "of TCP (range)"],
        [
            [way, f"{statistics.median(rates):.0f}", bench.ratio(rates, results[TCP])]
            for way, rates in results.items()
        ],
    )


if __name__ == "__main__":
    main()
