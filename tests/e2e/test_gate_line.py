"""Five thousand clients in line behind a held slot, some of whom lose patience."""

import random
import time
import unittest

import fake
from crowd import Client, Crowd
from supervisor import accepted_clients, raise_descriptor_limit, result, wait_until

CLIENTS = 5000
LEAVERS = 1000


class LineTest(unittest.TestCase):
    def setUp(self):
        if raise_descriptor_limit() < CLIENTS + 200:
            self.skipTest(f"needs {CLIENTS + 200} descriptors: raise ulimit -n")

    def supervisor(self):
        gate = {"queue_limit": CLIENTS + 100, "queue_timeout": "10min", "session_timeout": "10min",
                "half_closed": "leave"}  # fmt: skip
        return fake.supervisor(gate=gate)

    def form_line(self, supervisor):
        holder = Client(supervisor.port, "0", timeout=300)
        self.assertEqual(holder.answer(), "0 g1")
        crowd = Crowd(supervisor.port)
        for number in range(1, CLIENTS + 1):
            crowd.connect(number)
        wait_until(
            lambda: accepted_clients(supervisor.port) == CLIENTS + 1, 60, "all are in the line", 0.1
        )
        return holder, crowd

    def test_five_thousand_are_served_in_the_order_they_connected(self):
        with self.supervisor() as supervisor:
            supervisor.start()
            holder, crowd = self.form_line(supervisor)
            memory = memory_of(supervisor.pid)
            begin = time.monotonic()
            holder.close()
            crowd.serve_all(begin + 300)
            seconds = time.monotonic() - begin
            supervisor.log.wait("session closed", nth=CLIENTS + 1, timeout=60)
            journal = fake.Journal(supervisor.journal_file)
            result(
                "line",
                clients=CLIENTS,
                served=len(journal.entered) - 1,
                inversions=journal.inversions(),
                most_inside=journal.most_inside(),
                seconds=f"{seconds:.1f}",
                memory_while_all_waited=memory,
            )
            self.assertEqual(journal.entered, list(range(CLIENTS + 1)))
            self.assertEqual(journal.most_inside(), 1)
            self.assertEqual(
                [crowd.answers[number] for number in range(1, CLIENTS + 1)],
                [f"{number} g1" for number in range(1, CLIENTS + 1)],
            )
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_thousand_who_leave_the_line_never_reach_the_backend(self):
        with self.supervisor() as supervisor:
            supervisor.start()
            holder, crowd = self.form_line(supervisor)
            leavers = random.Random(11).sample(range(1, CLIENTS + 1), LEAVERS)
            for index, number in enumerate(leavers):
                (crowd.leave if index % 2 else crowd.leave_by_reset)(number)
            supervisor.log.wait("client left", timeout=60, nth=LEAVERS)
            remaining = CLIENTS + 1 - LEAVERS
            wait_until(lambda: accepted_clients(supervisor.port) == remaining, 10, "4001 remain", 0.1)
            holder.close()
            crowd.serve_all(time.monotonic() + 300)
            supervisor.log.wait("session closed", nth=CLIENTS + 1 - LEAVERS)
            journal = fake.Journal(supervisor.journal_file)
            reached = set(journal.entered) & set(leavers)
            accounted = sum(
                supervisor.log.count(message)
                for message in ("session closed", "client left", "client refused")
            )
            result(
                "leavers",
                clients=CLIENTS,
                left=supervisor.log.count("client left"),
                served=len(journal.entered) - 1,
                leavers_at_the_backend=len(reached),
                inversions=journal.inversions(),
                unaccounted=CLIENTS + 1 - accounted,
            )
            self.assertEqual(reached, set())
            self.assertEqual(
                journal.entered, [n for n in range(CLIENTS + 1) if n not in set(leavers)]
            )
            self.assertEqual(accounted, CLIENTS + 1)
            self.assertEqual(supervisor.log.count("client left", end="CQ"), LEAVERS)
            self.assertEqual(supervisor.terminate(), 0)


def memory_of(pid):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS"):
                return line.split()[1] + "KiB"
    return "?"


if __name__ == "__main__":
    unittest.main(verbosity=2)
