"""What a session costs, without a clock: the instructions that the supervisor executes for one.

callgrind counts them, the system's own left out, over two replays of different length; one session
is the difference. Of clients who come one after the other the figure repeats to a thousandth. It is
the compiler's too, so each has its own. The gate stands alone, for valgrind lacks a call without
which no backend is started (pidfd_open). Run in this directory, with TCPLOCK_BINARY as for the other
tests, and TCPLOCK_COMPILER: "GNU 12 x86_64".
"""

import contextlib
import os
import re
import socket
import threading
import unittest

from supervisor import Supervisor, result

# Measured with -O2, as the release has it. A regression of a twentieth breaks the test, and so does
# an improvement of a tenth: then the figure here is too large to notice the next regression.
INSTRUCTIONS = {
    "GNU 12 x86_64": {"alone": 41_200, "line": 41_500},
    "GNU 14 x86_64": {"alone": 39_600, "line": 40_300},
}
FEW, MANY = 100, 600
AT_ONCE = 20  # in a line, of which one is inside
WORDS = b"twenty bytes of word"


@contextlib.contextmanager
def echo():
    """A backend that says what it is told, one client after another."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with contextlib.suppress(OSError):  # It is closed at the end.
                while True:
                    client, _ = listener.accept()
                    with client:
                        while words := client.recv(4096):
                            client.sendall(words)

        threading.Thread(target=serve, daemon=True).start()
        yield {
            "protocol": "tcp",
            "gate": {"half_closed": "leave"},
            "backend": {"address": f"127.0.0.1:{listener.getsockname()[1]}"},
            "probe": {"kind": "connect", "interval": "1h"},
        }
        listener.shutdown(socket.SHUT_RDWR)


def come(port):
    client = socket.create_connection(("127.0.0.1", port), 30)
    client.sendall(WORDS)
    return client


def is_answered(client):
    with client:
        answer = b""
        while len(answer) < len(WORDS) and (some := client.recv(4096)):
            answer += some
    return answer == WORDS


def alone(port, sessions):
    """Nobody waits."""
    return sum(is_answered(come(port)) for _ in range(sessions))


def line(port, sessions):
    """All but one of each row wait, and have said what they have to say."""
    rows = ([come(port) for _ in range(AT_ONCE)] for _ in range(sessions // AT_ONCE))
    return sum(is_answered(client) for row in rows for client in row)


class InstructionsTest(unittest.TestCase):
    def replay(self, visit, sessions):
        """How many instructions a supervisor executes in all that lets so many in."""
        with echo() as config, Supervisor(config) as supervisor:
            counted = os.path.join(supervisor.directory, "callgrind.out")
            supervisor.under = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counted}"]
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            self.assertEqual(visit(supervisor.port, sessions), sessions)
            supervisor.log.wait("session closed", nth=sessions, timeout=60)
            self.assertEqual(supervisor.terminate(), 0)
            with open(counted) as file:
                return int(re.search(r"^summary: (\d+)", file.read(), re.M)[1])

    def assert_costs_what_it_did(self, visit):
        few, many = (self.replay(visit, sessions) for sessions in (FEW, MANY))
        session = (many - few) / (MANY - FEW)
        compiler = os.environ["TCPLOCK_COMPILER"]
        known = INSTRUCTIONS[compiler][visit.__name__] if compiler in INSTRUCTIONS else None
        result("instructions", replay=visit.__name__, compiler=repr(compiler),
               session=f"{session:.0f}", known=known)  # fmt: skip
        if known is None:
            self.skipTest(f"nobody has counted them with {compiler}")
        self.assertLess(session, known * 1.05)
        self.assertGreater(session, known * 0.9, "it has become better: lower the figure")

    def test_a_session_costs_no_more_than_it_did(self):
        self.assert_costs_what_it_did(alone)

    def test_nor_does_one_that_waited(self):
        self.assert_costs_what_it_did(line)


if __name__ == "__main__":
    unittest.main()
