#!/usr/bin/python3
"""What the gate costs two offices, and what the second one is worth.

usage: instances.py PROGRAM [CONVERSIONS [ROUNDS]]

Four clients convert small documents without a pause, each over a connection of its own. In each
round that is done three times: at two offices without a gate, two clients each; at a gate with two
instances; at a gate with one.

Beside the documents per minute stands where the time goes: how much of all processors was idle
meanwhile, and what a document took of them, in ms: in all, in the offices, and in the gate.
"""

import dataclasses
import statistics

import bench
import office
from supervisor import Supervisor, processor_seconds

NO_GATE, TWO, ONE = "two, no gate", "two instances", "one instance"
INSTANCES = {NO_GATE: 2, TWO: 2, ONE: 1}


@dataclasses.dataclass
class Used:
    """Seconds, since the machine's or the process's start."""

    idle: float
    busy: float
    offices: float
    gate: float

    @staticmethod
    def now(supervisor):
        idle, busy = bench.processors()
        pids = office.soffice_pids(supervisor)
        return Used(
            idle, busy, sum(map(processor_seconds, pids)), supervisor.processor_seconds()
        )

    def since(self, begin):
        return Used(*(a - b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(begin))))


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
        begin = Used.now(supervisor)
        rate = bench.documents_a_minute(ports, conversions)
        return rate, Used.now(supervisor).since(begin)


def main():
    conversions, rounds = bench.arguments(__doc__)
    results = bench.in_turn(INSTANCES, rounds, lambda way: run(way, conversions))
    rates = {way: [rate for rate, _ in runs] for way, runs in results.items()}

    def median(way, figure):
        return statistics.median(figure(used) for _, used in results[way])

    def each(way, figure):
        return f"{median(way, figure) / conversions * 1000:.1f}"

    print(f"{rounds} rounds of {conversions} conversions by {bench.CLIENTS} clients")
    bench.table(
        ["", "documents/min", "of two, no gate", "of one instance", "idle", "ms each", "offices", "gate"],
        [
            [
                way,
                f"{statistics.median(rates[way]):.0f}",
                bench.ratio(rates[way], rates[NO_GATE]),
                bench.ratio(rates[way], rates[ONE]),
                f"{median(way, lambda used: used.idle / (used.idle + used.busy)):.0%}",
                each(way, lambda used: used.busy),
                each(way, lambda used: used.offices),
                each(way, lambda used: used.gate),
            ]
            for way in INSTANCES
        ],
    )


if __name__ == "__main__":
    main()
