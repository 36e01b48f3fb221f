"""Probes of plain TCP services: each kind finds a frozen backend, connect alone does not."""

import os
import signal
import sys
import time
import unittest

import fake
from crowd import Client
from supervisor import SCHEDULING_MARGIN, result

INTERVAL, THRESHOLD, TIMEOUT = 1, 2, 1
BOUND = INTERVAL * THRESHOLD + TIMEOUT


class ProbeTest(unittest.TestCase):
    def probe(self, **what):
        return {
            "interval": f"{INTERVAL}s",
            "timeout": f"{TIMEOUT}s",
            "failure_threshold": THRESHOLD,
            **what,
        }

    def assert_freeze_is_found(self, name, *options, backend=None, **what):
        with fake.supervisor(*options, backend=backend, probe=self.probe(**what)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            leader = supervisor.log.wait("backend starting").number("pid")
            begin = time.monotonic()
            os.kill(leader, signal.SIGSTOP)
            line = supervisor.log.wait("backend recycling", timeout=20)
            found = line.arrived - begin
            ready = supervisor.log.wait("backend ready", generation=2)
            result(
                name,
                found=f"{found:.2f}s",
                bound=f"{BOUND}s",
                reason=line["reason"],
                next_ready=ready["after"],
            )
            self.assertEqual(line["reason"], "unresponsive")
            self.assertLessEqual(found, BOUND + SCHEDULING_MARGIN)
            self.assertEqual(supervisor.terminate(), 0)
            supervisor.assert_nothing_left()

    def test_a_greeting_is_waited_for(self):
        self.assert_freeze_is_found(
            "probe_greeting", "--greet", "hello", kind="greeting", expect="hello"
        )

    def test_a_question_is_asked(self):
        self.assert_freeze_is_found("probe_exchange", kind="exchange", send="ping\n", expect="pong")

    def test_a_page_is_fetched(self):
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
        backend = {"command": command}
        self.assert_freeze_is_found(
            "probe_http", backend=backend, kind="http", path="/", status=200
        )

    def test_a_command_is_run(self):
        # The port as argument: 0 if it says hello within half a second.
        script = (
            "import socket, sys;"
            "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 0.5);"
            "s.sendall(b'ping\\n'); sys.exit(s.recv(4) != b'pong')"
        )
        command = [sys.executable, "-I", "-S", "-c", script, "{port}"]
        self.assert_freeze_is_found("probe_command", kind="command", command=command)

    def test_a_wrong_answer_is_none(self):
        probe = self.probe(kind="exchange", send="hello?\n", expect="pong")
        with fake.supervisor(probe=probe, backend={"start_timeout": "1s"}) as supervisor:
            supervisor.start()
            line = supervisor.log.wait("backend start failed", timeout=20)
            result("probe_wrong_answer", reason=repr(line["reason"]))
            self.assertEqual(supervisor.log.count("backend ready"), 0)

    def test_a_backend_that_freezes_under_connect_probes_costs_one_client(self):
        gate = {"session_timeout": "2s"}
        with fake.supervisor(gate=gate) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            os.kill(supervisor.log.wait("backend starting").number("pid"), signal.SIGSTOP)
            first = Client(supervisor.port, "1")
            second = Client(supervisor.port, "2")
            answer = second.answer()
            second.close()
            first.close()
            reason = supervisor.log.wait("backend recycling")["reason"]
            served = supervisor.log.count("session closed", generation=1)
            result("probe_connect", reason=reason, clients_inside_the_frozen_one=served)
            self.assertEqual(answer, "2 g2")
            self.assertEqual(supervisor.log.count("session closed", generation=1, end="TD"), served)


if __name__ == "__main__":
    unittest.main(verbosity=2)
