"""How the daemon ends with a real office: killed, or asked to go while clients wait."""

import os
import random
import shutil
import signal
import tempfile
import time
import unittest

import crowd
import office
from supervisor import Supervisor, accepted_clients, reserve_ports, result, wait_until

ROUNDS = int(os.environ.get("TCPLOCK_ROUNDS", "20"))


class EndTest(unittest.TestCase):
    def setUp(self):
        # One directory for all rounds: each daemon finds what the one before it left.
        self.directory = tempfile.mkdtemp(prefix="tcplock-e2e-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.ports = reserve_ports()

    def supervisor(self, **config):
        return Supervisor(office.config(**config), directory=self.directory, port_block=self.ports)

    def guest(self, supervisor):
        """A client that is inside and says nothing: the office has greeted it."""
        client = crowd.Client(supervisor.port, timeout=60)
        greeting = b""
        while len(greeting) < office.URP_GREETING_SIZE:
            block = client.sock.recv(office.URP_GREETING_SIZE)
            self.assertTrue(block, "closed instead of a greeting")
            greeting += block
        return client

    def test_no_office_survives_when_the_supervisor_is_killed(self):
        moments = random.Random(5)
        slowest = 0
        survived = []
        for number in range(ROUNDS):
            with self.subTest(round=number), self.supervisor() as supervisor:
                supervisor.start()
                client = None
                if number % 3 == 0:
                    wait_until(lambda: office.soffice_pids(supervisor), 20, "soffice.bin runs", 0.002)
                    time.sleep(moments.random())  # Anywhere in its start.
                elif number % 3 == 1:
                    supervisor.log.wait("backend ready", 60)
                else:
                    client = self.guest(supervisor)
                supervisor.process.kill()
                supervisor.process.wait()
                try:
                    slowest = max(slowest, supervisor.assert_nothing_left(timeout=5))
                except AssertionError as failure:
                    survived.append(f"round {number}: {failure}")
                if client:
                    client.close()
        result(
            "supervisor_killed",
            rounds=ROUNDS,
            survivors=len(survived),
            slowest=f"{slowest:.2f}s",
            limit="5s",
        )
        self.assertEqual(survived, [])

    def test_those_who_wait_are_served_before_it_ends_on_term(self):
        served = 0
        slowest = 0
        for number in range(ROUNDS):
            config = {"shutdown_timeout": "60s"}
            with self.subTest(round=number), self.supervisor(**config) as supervisor:
                supervisor.start()
                client = self.guest(supervisor)
                waiting = office.Conversions(supervisor.port, count=5, at_once=5)
                wait_until(lambda: accepted_clients(supervisor.port) == 6, 30, "five wait")
                supervisor.signal(signal.SIGTERM)
                line = supervisor.log.wait("shutting down")
                begin = time.monotonic()
                client.close()
                waiting.finish(60)
                status = supervisor.wait_exit(60)
                slowest = max(slowest, time.monotonic() - begin)
                served += len(waiting.good)
                self.assertEqual(line["waiting"], "5")
                self.assertEqual(line["signal"], "TERM")
                self.assertEqual(waiting.errors, [])
                self.assertEqual(status, 0)
                self.assertEqual(supervisor.log.count("client refused"), 0)
                self.assertEqual(supervisor.log.count("stopped"), 1)
                supervisor.assert_nothing_left()
        result("term_with_five_waiting", rounds=ROUNDS, served=served, of=5 * ROUNDS, slowest=f"{slowest:.2f}s")
        self.assertEqual(served, 5 * ROUNDS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
