"""What a UNO client gets to see that is refused: the reason, as an exception of its first call."""

import concurrent.futures
import signal
import unittest

import office
from supervisor import Supervisor, accepted_clients, result, wait_clients, wait_until

EXCEPTION = "com.sun.star.uno.RuntimeException"
FAILING = {"command": ["false"], "restart_backoff": {"first": "10ms", "max": "10s"}}


def in_python(port):
    report = office.Converter(port, "hold").result()
    return report.get("error", "connected")


CLIENTS = {"python": in_python, "java": office.java_client}


class RefusalTest(unittest.TestCase):
    def assert_told(self, name, reason, told):
        for language, words in told.items():
            result(f"refused_{name}", language=language, client=repr(words))
            self.assertEqual(words, f"{EXCEPTION}: tcplock-supervisor: {reason}, try again later")

    def start(self, supervisor):
        """A client is inside, and whoever comes waits."""
        supervisor.start()
        supervisor.log.wait("backend ready", timeout=60)
        return office.guest(supervisor.port)

    def connect_all(self, supervisor):
        return {language: connect(supervisor.port) for language, connect in CLIENTS.items()}

    def test_when_the_line_is_full(self):
        with Supervisor(office.config(gate={"queue_limit": 1, "idle_timeout": "off"})) as supervisor:
            guest = self.start(supervisor)
            waiting = office.Converter(supervisor.port, "hold")
            wait_clients(supervisor.port, 2)
            told = self.connect_all(supervisor)
            self.assert_told("queue_full", "the line is full (1 waiting)", told)
            supervisor.log.wait("client refused", nth=2, end="PQ")
            self.assertEqual(supervisor.log.count("client refused", end="PQ"), 2)
            guest.close()
            self.assertTrue(waiting.result()["ok"])

    def test_when_it_has_waited_too_long(self):
        with Supervisor(office.config(gate={"queue_timeout": "1s", "idle_timeout": "off"})) as supervisor:
            guest = self.start(supervisor)
            told = self.connect_all(supervisor)
            self.assert_told("queue_timeout", "waited longer than gate.queue_timeout", told)
            supervisor.log.wait("client refused", nth=2, end="sQ")
            self.assertEqual(supervisor.log.count("client refused", end="sQ"), 2)
            guest.close()

    def test_when_the_supervisor_ends(self):
        with Supervisor(office.config(gate={"idle_timeout": "off"}, shutdown_timeout="1s")) as supervisor:
            guest = self.start(supervisor)
            with concurrent.futures.ThreadPoolExecutor() as threads:
                waiting = {
                    language: threads.submit(connect, supervisor.port)
                    for language, connect in CLIENTS.items()
                }
                wait_clients(supervisor.port, 3)
                supervisor.signal(signal.SIGTERM)
                told = {language: client.result() for language, client in waiting.items()}
            self.assert_told("shutting_down", "shutting down", told)
            self.assertEqual(supervisor.wait_exit(30), 0)
            self.assertEqual(supervisor.log.count("client refused", end="GQ"), 2)
            guest.close()

    def test_when_the_backend_is_failing(self):
        with Supervisor(office.config(backend=FAILING)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend failing", timeout=30)
            told = self.connect_all(supervisor)
            self.assert_told("backend_failing", "the backend is failing", told)
            supervisor.log.wait("client refused", nth=2, end="PF")
            self.assertEqual(supervisor.log.count("client refused", end="PF"), 2)

    def test_a_crowd_of_silent_ones_is_let_go(self):
        with Supervisor(office.config(backend=FAILING)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend failing", timeout=30)
            silent = [office.crowd.Client(supervisor.port) for _ in range(200)]
            supervisor.log.wait("client refused", nth=len(silent))
            # Sixty-four are given five seconds for their first call, the others no time at all.
            wait_until(lambda: accepted_clients(supervisor.port) <= 64, 4, "the others are gone")
            wait_until(lambda: accepted_clients(supervisor.port) == 0, 10, "all were let go")
            self.assertEqual({client.rest() for client in silent}, {b""})
            result("refused_silent", clients=len(silent))

    def test_a_client_in_java_that_is_not_refused_is_let_in(self):
        with Supervisor(office.config()) as supervisor:
            supervisor.start()
            self.assertEqual(office.java_client(supervisor.port), "connected")
            self.assertEqual(supervisor.log.wait("session closed")["job"], "yes")


if __name__ == "__main__":
    unittest.main(verbosity=2)
