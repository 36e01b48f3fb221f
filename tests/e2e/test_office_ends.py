"""How the daemon ends with a real office: killed, or asked to go while clients wait."""

import os
import random
import shutil
import signal
import tempfile
import time
import unittest

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
        config = office.config(backend={"standby": 1}, **config)
        return Supervisor(config, directory=self.directory, port_block=self.ports)

    def test_no_office_survives_when_the_supervisor_is_killed(self):
        moments = random.Random(5)
        slowest = survivors = 0
        for number in range(ROUNDS):
            with self.subTest(round=number), self.supervisor() as supervisor:
                supervisor.may_leave_orphans = True  # They are counted, and for the next to end.
                supervisor.start()
                client = self.kill(supervisor, number, moments)
                try:
                    slowest = max(slowest, supervisor.assert_nothing_left(timeout=30))
                except AssertionError as error:
                    survivors += 1
                    print(error)
                if client:
                    client.close()
        with self.supervisor() as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", 60)
            ended = supervisor.log.count("orphan of an earlier supervisor ended")
            last = supervisor.terminate()
            supervisor.assert_nothing_left()
        result(
            "supervisor_killed",
            rounds=ROUNDS,
            survivors=survivors,
            slowest=f"{slowest:.2f}s",
            limit="30s",
            ended_by_the_last_start=ended,
        )
        self.assertEqual((survivors, ended, last), (0, 0, 0))

    def kill(self, supervisor, number, moments):
        """SIGKILL to the daemon: its office starts, is idle, or has a client inside."""
        client = None
        if number % 3 == 0:
            # Anywhere in its start; or right at the office's own, when its launcher does not know
            # yet whom to pass a signal on to.
            wait_until(lambda: office.soffice_pids(supervisor), 60, "soffice.bin runs", 0.0005)
            time.sleep(moments.random() if number % 2 else 0)
        elif number % 3 == 1:
            supervisor.log.wait("backend ready", 60)
        else:
            client = office.guest(supervisor.port)
        supervisor.process.kill()
        supervisor.process.wait()
        return client

    def test_those_who_wait_are_served_before_it_ends_on_term(self):
        served = 0
        slowest = 0
        for number in range(ROUNDS):
            config = {"shutdown_timeout": "60s"}
            with self.subTest(round=number), self.supervisor(**config) as supervisor:
                supervisor.start()
                client = office.guest(supervisor.port)
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
                crashed = office.crashes(supervisor.log)
                self.assertEqual((waiting.errors, crashed), ([], []))
                self.assertEqual(status, 0)
                self.assertEqual(supervisor.log.count("client refused"), 0)
                self.assertEqual(supervisor.log.count("stopped"), 1)
                supervisor.assert_nothing_left()
        result(
            "term_with_five_waiting",
            rounds=ROUNDS,
            served=served,
            of=5 * ROUNDS,
            slowest=f"{slowest:.2f}s",
        )
        self.assertEqual(served, 5 * ROUNDS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
