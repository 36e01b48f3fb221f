"""Many clients through the gate: 20 000 of them, sixty-four at a time."""

import os
import random
import time
import unittest

import fake
from crowd import Crowd
from supervisor import SMALL, raise_descriptor_limit, result

CLIENTS = int(os.environ.get("TCPLOCK_CLIENTS", "2000" if SMALL else "20000"))
AT_ONCE = 64


class CrowdTest(unittest.TestCase):
    def test_a_crowd_is_let_in_one_by_one_in_the_order_it_came(self):
        raise_descriptor_limit()
        with fake.supervisor("--close-delay-max", "20", "--seed", "7") as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            begin = time.monotonic()
            deadline = begin + 120 + CLIENTS * 0.06
            crowd = Crowd(supervisor.port)
            for number in range(CLIENTS):
                while crowd.inside_or_waiting() >= AT_ONCE:
                    self.assertLess(time.monotonic(), deadline, supervisor.log.tail(10))
                    crowd.serve(1)
                crowd.connect(number)
            crowd.serve_all(deadline)
            seconds = time.monotonic() - begin
            processor = supervisor.processor_seconds()
            status = supervisor.terminate()

            closed = supervisor.log.all("session closed")
            refused = supervisor.log.count("client refused")
            left = supervisor.log.count("client left")
            served = sum(crowd.answers[number] == f"{number} g1" for number in range(CLIENTS))
            journal = fake.Journal(supervisor.journal_file)
            served_in_order = [line.number("client") for line in closed]
            result(
                "crowd",
                clients=CLIENTS,
                at_once=AT_ONCE,
                served=served,
                most_inside=journal.most_inside(),
                inversions=journal.inversions(),
                unaccounted=CLIENTS - len(closed) - refused - left,
                probes=journal.count["visit"],
                seconds=f"{seconds:.0f}",
                processor=f"{processor:.2f}s",
            )
            self.assertEqual(status, 0)
            self.assertEqual(served, CLIENTS)
            self.assertEqual(journal.most_inside(), 1)
            self.assertEqual(journal.count["violation"], 0)
            self.assertEqual(journal.inversions(), 0)
            self.assertEqual(journal.entered, list(range(CLIENTS)))
            self.assertEqual(len(closed) + refused + left, CLIENTS)
            self.assertEqual(len(set(served_in_order)), CLIENTS)
            self.assertEqual(supervisor.log.count("backend starting"), 1)

    def test_those_who_reset_their_session_let_nobody_in_beside_them(self):
        """With half_closed: keep, where a reset might free the slot too early."""
        clients, timer = CLIENTS // 20, random.Random(5)
        raise_descriptor_limit()
        with fake.supervisor(
            "--close-delay-max", "20", "--seed", "8", gate={"half_closed": "keep"}
        ) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            deadline = time.monotonic() + 120 + clients * 0.06
            crowd = Crowd(supervisor.port)
            crowd.resets = lambda _: timer.random() < 0.5
            for number in range(clients):
                while crowd.inside_or_waiting() >= AT_ONCE:
                    self.assertLess(time.monotonic(), deadline, supervisor.log.tail(10))
                    crowd.serve(1)
                crowd.connect(number)
            crowd.serve_all(deadline)
            supervisor.log.wait("session closed", nth=clients, timeout=60)
            status = supervisor.terminate()
            journal = fake.Journal(supervisor.journal_file)
            ends = [line["end"] for line in supervisor.log.all("session closed")]
            result(
                "crowd_of_resets",
                clients=clients,
                reset=ends.count("CD"),
                most_inside=journal.most_inside(),
                inversions=journal.inversions(),
                unaccounted=clients - len(ends),
            )
            self.assertEqual(status, 0)
            self.assertGreater(ends.count("CD"), clients // 4)
            self.assertEqual(journal.most_inside(), 1)
            self.assertEqual(journal.count["violation"], 0)
            self.assertEqual(journal.entered, list(range(clients)))
            self.assertEqual(supervisor.log.count("backend starting"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
