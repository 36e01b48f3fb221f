#!/usr/bin/python3
"""What the gate costs two offices, and what the second one is worth.

usage: instances.py PROGRAM [CONVERSIONS [ROUNDS]]

Four clients convert small documents without a pause, each over a connection of its own. In each
round that is done three times: at two offices without a gate, two clients each; at a gate with two
instances; at a gate with one.
"""

import statistics

import bench
import office
from supervisor import Supervisor

NO_GATE, TWO, ONE = "two, no gate", "two instances", "one instance"
INSTANCES = {NO_GATE: 2, TWO: 2, ONE: 1}


def run(way, conversions):
    instances = INSTANCES[way]
    backend = {"instances": instances, **office.TCP}  # that all of them go the same way
    # Who goes past the gate must not be taken for a hung office.
    probe = {"interval": "1h", "timeout": "1s", "failure_threshold": 1000}
    config = office.config(backend=backend, recycle={"max_jobs": "off"}, probe=probe)
    with Supervisor(config) as supervisor:
        supervisor.start()
        supervisor.log.wait("backend ready", nth=instances, timeout=60)
        ports = [supervisor.port]
        if way == NO_GATE:
            starts = supervisor.log.all("backend starting")
            ports = [int(line["address"].split(":")[1]) for line in starts]
        return bench.documents_a_minute(ports, conversions)


def main():
    conversions, rounds = bench.arguments(__doc__)
    results = bench.in_turn(INSTANCES, rounds, lambda way: run(way, conversions))
    print(f"{rounds} rounds of {conversions} conversions by {bench.CLIENTS} clients")
    bench.table(
        ["offices", "documents/min", "of two without a gate (range)", "of one instance (range)"],
        [
            [
                way,
                f"{statistics.median(rates):.0f}",
                bench.ratio(rates, results[NO_GATE]),
                bench.ratio(rates, results[ONE]),
            ]
            for way, rates in results.items()
        ],
    )


if __name__ == "__main__":
    main()
