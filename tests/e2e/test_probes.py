"""Probes of plain TCP services: each kind finds a frozen backend, connect alone does not."""

import os
import signal
import sys
import time
import unittest

import fake
from crowd import Client
from supervisor import freeze, result, wait_until

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
        with fake.supervisor(
            *options, backend=backend, probe=self.probe(**what), log={"level": "debug"}
        ) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            leader = supervisor.log.wait("backend starting").number("pid")
            begin = time.monotonic()
            freeze(leader)
            line = supervisor.log.wait("backend recycling", timeout=20)
            lines = supervisor.log.lines
            before = [one.message for one in lines[: lines.index(line)]]
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
            since_ready = before[before.index("backend ready") :]
            self.assertEqual(since_ready.count("probe without an answer"), THRESHOLD)
            self.assertLessEqual(found, BOUND + 10)
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

    def test_a_probe_ends_with_its_generation(self):
        # It would reach the next one otherwise, beside a client. The first run answers at once.
        script = (
            "if ! test -e @DIRECTORY@/pid; then echo > @DIRECTORY@/pid; exit; fi; "
            "echo $$$$ > @DIRECTORY@/pid; exec sleep 30"
        )
        probe = self.probe(kind="command", command=["sh", "-c", script], timeout="30s")
        with fake.supervisor(probe=probe) as supervisor:
            supervisor.start()
            pid_file = os.path.join(supervisor.directory, "pid")

            def second_run():
                with open(pid_file) as file:
                    return int(file.read().strip() or 0)

            supervisor.log.wait("backend ready")
            wait_until(second_run, 10, "the second probe runs")
            probing = second_run()
            os.kill(supervisor.log.wait("backend starting").number("pid"), signal.SIGKILL)
            supervisor.log.wait("backend stopped", timeout=20)
            # Killed by now, and perhaps not reaped yet.
            wait_until(lambda: not os.path.exists(f"/proc/{probing}"), 10, "the probe has ended")
            result("probe_of_the_dead", alive=False)
            self.assertEqual(supervisor.terminate(), 0)

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
            freeze(supervisor.log.wait("backend starting").number("pid"))
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
