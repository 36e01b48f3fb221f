"""A spare office that takes over: nobody but who is inside notices what happens to an office."""

import os
import random
import signal
import threading
import time
import unittest

import office
from supervisor import (
    SCHEDULING_MARGIN,
    SMALL,
    Supervisor,
    result,
    wait_clients,
    wait_until,
)

INTERVAL, TIMEOUT, THRESHOLD = 1, 1, 2  # of the probe, in seconds
FOUND_WITHIN = INTERVAL * THRESHOLD + TIMEOUT  # a frozen office
CLIENTS = 4


class Blows(threading.Thread):
    """Hits one of the two offices at a time, whichever it is, and waits until both are well."""

    SIGNALS = (signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV)

    def __init__(self, supervisor, count, seed):
        super().__init__()
        self._supervisor = supervisor
        self._count = count
        self._random = random.Random(seed)
        self.hit = {}  # generation: signal
        self.error = None

    def run(self):
        try:
            for _ in range(self._count):
                well = wait_until(self.two_that_are_well, 60, "both offices are well", pause=0.1)
                # Anywhere in a job, or between two.
                time.sleep(self._random.uniform(0, 0.4))
                pid, generation = self._random.choice(well)
                number = self._random.choice(self.SIGNALS)
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue  # It was being recycled.
                self.hit[generation] = number
        except AssertionError as error:
            self.error = error

    def two_that_are_well(self):
        log = self._supervisor.log
        ready = {line.number("generation") for line in log.all("backend ready")}
        ended = {line.number("generation") for line in log.all("backend recycling")}
        offices = [(pid, office.generation_of(pid)) for pid in office.soffice_pids(self._supervisor)]
        well = [
            (pid, generation)
            for pid, generation in offices
            if generation in ready - ended and generation not in self.hit
        ]
        return well if len(well) == 2 else None


class DefaultTest(unittest.TestCase):
    def test_an_office_has_one_and_clients_do_not_wait_for_its_recycles(self):
        config = office.config(recycle={"max_jobs": 2})
        del config["backend"]["standby"]
        with Supervisor(config) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            office.convert_one(supervisor.port)
            for takeover in range(1, 3 + 1):
                # The one that serves, and another beside it.
                supervisor.log.wait("backend ready", nth=takeover + 1, timeout=60)
                inside = office.guest(supervisor.port)  # the last of this one
                waiting = office.caller(supervisor.port)
                wait_clients(supervisor.port, 2)
                office.leaves(inside)
                office.leaves(office.greeted(waiting))
                wait_clients(supervisor.port, 0)
                supervisor.log.wait("backend takes over", nth=takeover)
            office.convert_one(supervisor.port)
            supervisor.log.wait("session closed", nth=8)
            sessions = supervisor.log.all("session closed")
            starts = supervisor.log.all("backend ready")
            longest = max(line.seconds("waited") for line in sessions)
            result(
                "default_standby",
                sessions=len(sessions),
                recycles=supervisor.log.count("backend recycling"),
                quickest_start=f"{min(line.seconds('after') for line in starts):.3f}s",
                longest_wait=f"{longest:.3f}s",
            )
            self.assertEqual({line["end"] for line in sessions}, {"--"})
            self.assertEqual({line["generation"] for line in sessions}, {"1", "2", "3", "4"})
            self.assertEqual({line.seconds("recycle") for line in sessions}, {0.0})


class StandbyTest(unittest.TestCase):
    def test_only_those_inside_are_cut_whatever_happens_to_the_offices(self):
        blows, seed = (20 if SMALL else 200), 11
        config = office.config(
            backend={"standby": 1, "restart_backoff": {"first": "50ms", "max": "1s"}},
            probe={
                "interval": f"{INTERVAL * 1000:.0f}ms",
                "timeout": f"{TIMEOUT * 1000:.0f}ms",
                "failure_threshold": THRESHOLD,
            },
        )
        with Supervisor(config) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", nth=2, timeout=60)
            hits = Blows(supervisor, blows, seed)
            hits.start()
            reports = []
            while hits.is_alive():
                stream = office.Stream([supervisor.port] * CLIENTS, count=40)
                reports += stream.finish(timeout=300)
            hits.join()
            failed = [report for report in reports if not report["ok"]]
            supervisor.log.wait("session closed", nth=len(reports), timeout=20)
            sessions = supervisor.log.all("session closed")
            cut = [line for line in sessions if line["end"] != "--"]
            longest = max(line.seconds("waited") for line in sessions)
            silent = supervisor.log.all("backend recycling", reason="unresponsive")
            stalled = {line.number("generation") for line in silent} - set(hits.hit)
            signals = [signal.Signals(number).name for number in hits.hit.values()]
            result(
                "blows",
                seed=seed,
                **{name: signals.count(name) for name in sorted(set(signals))},
                conversions=len(reports),
                failed=len(failed),
                cut=len(cut),
                refused=supervisor.log.count("client refused"),
                stalled_by_itself=len(stalled),
                longest_wait=f"{longest:.2f}s",
                frozen_found_within=f"{FOUND_WITHIN:.1f}s",
            )
            self.assertIsNone(hits.error)
            self.assertEqual(supervisor.log.count("client refused"), 0)
            # One may have its result and be cut while it says goodbye, never the reverse.
            self.assertLessEqual(len(failed), len(cut), failed[:3])
            # Each of them was inside an office that was hit, or crashed, and one only in each. On a
            # machine that is busy an office may stand still by itself, but not often.
            cut_in = [line.number("generation") for line in cut]
            crashed = {line.number("generation") for line in office.crashes(supervisor.log)}
            self.assertLessEqual(set(cut_in), set(hits.hit) | crashed | stalled)
            self.assertLessEqual(len(stalled), max(1, blows // 100))
            self.assertEqual(len(cut_in), len(set(cut_in)))
            # Before him a frozen office had to be found, and the others of the line had their turn.
            self.assertLess(longest, FOUND_WITHIN + 2 * CLIENTS * SCHEDULING_MARGIN)


if __name__ == "__main__":
    unittest.main(verbosity=2)
