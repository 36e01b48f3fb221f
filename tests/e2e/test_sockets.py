"""Any service behind a socket in the file system: one of our own, and one that somebody else runs."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import crowd
from supervisor import Supervisor, result, wait_until

SERVICE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "socket_service.py")


def speak(port, word):
    """What a client hears who says this."""
    with contextlib.closing(crowd.Client(port, timeout=20)) as client:
        client.sock.sendall(word)
        heard = b""
        while len(heard) < len(word):
            heard += client.sock.recv(65536)
        return heard


class OwnServiceTest(unittest.TestCase):
    def config(self, **backend):
        return {
            "protocol": "tcp",
            "backend": {
                "command": [sys.executable, SERVICE, "{directory}/{name}"],
                "address": "unix:{directory}/{name}",
                **backend,
            },
            "probe": {"kind": "exchange", "send": "ping", "expect": "ping"},
        }

    def test_it_serves_and_is_started_again_where_it_left_its_socket(self):
        with Supervisor(self.config()) as supervisor:
            supervisor.start()
            self.assertEqual(speak(supervisor.port, b"x" * 100_000), b"x" * 100_000)
            for generation in range(1, 6):
                line = supervisor.log.wait("backend starting", generation=generation)
                os.kill(line.number("pid"), signal.SIGKILL)
                supervisor.log.wait("backend ready", generation=generation + 1)
                self.assertEqual(speak(supervisor.port, b"hello"), b"hello")
            failed = supervisor.log.count("backend start failed")
            result("own_socket", kills=5, failed_starts=failed, address=line["address"])
            self.assertEqual(failed, 0)
            self.assertEqual(supervisor.terminate(), 0)

    def test_it_is_started_again_where_a_killed_supervisor_left_it(self):
        with Supervisor(self.config()) as first:
            first.start()
            first.log.wait("backend ready")
            path = first.log.wait("backend starting")["address"].removeprefix("unix:")
            first.kill_with_its_warden()
            self.assertTrue(os.path.exists(path))
            with Supervisor(self.config(), directory=first.directory) as again:
                again.start()
                again.log.wait("backend ready")
                self.assertEqual(again.log.wait("backend starting")["address"], f"unix:{path}")
                self.assertEqual(again.log.count("backend start failed"), 0)
                self.assertEqual(again.terminate(), 0)

    def test_it_is_started_again_where_it_had_never_answered(self):
        config = self.config(start_timeout="2s", restart_backoff={"first": "50ms"})
        config["probe"]["expect"] = "pong"
        with Supervisor(config) as supervisor:
            supervisor.start()
            first = supervisor.log.wait("backend start failed", timeout=30)
            second = supervisor.log.wait("backend start failed again, as before", timeout=30)
            result("never_answered", reason=repr(first["reason"]), again=second["failures"])
            self.assertIn("no answer in time", first["reason"])

    def test_several_have_sockets_of_their_own(self):
        with Supervisor(self.config(instances=3, standby=1)) as supervisor:
            supervisor.start()
            for nth in range(1, 5):
                supervisor.log.wait("backend ready", nth=nth)
            addresses = {line["address"] for line in supervisor.log.all("backend starting")}
            self.assertEqual(len(addresses), 4)
            for _ in range(6):
                self.assertEqual(speak(supervisor.port, b"hello"), b"hello")
            self.assertEqual(supervisor.terminate(), 0)


class ForeignServiceTest(unittest.TestCase):
    def test_the_gate_alone_connects_there_and_waits_while_it_is_away(self):
        folder = tempfile.mkdtemp(prefix="tcplock-socket-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        path = os.path.join(folder, "service.sock")

        def start():
            service = subprocess.Popen([sys.executable, SERVICE, path])
            self.addCleanup(service.wait)
            self.addCleanup(service.kill)
            return service

        config = {
            "protocol": "tcp",
            "backend": {"address": f"unix:{path}", "restart_backoff": {"max": "200ms"}},
            "probe": {"interval": "100ms", "timeout": "1s", "failure_threshold": 1},
        }
        with Supervisor(config) as supervisor:
            supervisor.start()
            service = start()
            self.assertEqual(speak(supervisor.port, b"hello"), b"hello")
            ready = supervisor.log.wait("backend ready")
            self.assertEqual(ready["address"], f"unix:{path}")
            service.kill()
            service.wait()
            supervisor.log.wait("backend must answer again before the next client", 20)
            os.unlink(path)
            with contextlib.closing(crowd.Client(supervisor.port)) as waiting:
                waiting.sock.sendall(b"again")
                start()
                wait_until(lambda: os.path.exists(path), 20, "the service is there again")
                self.assertEqual(waiting.sock.recv(5), b"again")
            result("foreign_socket", starts=supervisor.log.count("backend ready"))
            self.assertEqual(supervisor.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
