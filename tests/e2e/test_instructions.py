"""What a session costs, without a clock: the instructions that the supervisor executes for one.

callgrind counts them, the system's own left out, over two replays of different length; one session
is the difference. The figure repeats to a thousandth. It is the compiler's too, so each has its own.
Run in this directory, with TCPLOCK_BINARY as for the other tests, and TCPLOCK_COMPILER: "GNU 12".
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
INSTRUCTIONS = {"GNU 12": 41_100}
FEW, MANY = 100, 600
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
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def visit(port):
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(WORDS)
        answer = b""
        while len(answer) < len(WORDS):
            answer += client.recv(4096)
    return answer


class InstructionsTest(unittest.TestCase):
    def replay(self, sessions):
        """How many instructions a supervisor executes in all that lets so many in."""
        with echo() as backend:
            config = {
                "protocol": "tcp",
                "gate": {"half_closed": "leave"},
                "backend": {"address": f"127.0.0.1:{backend}"},
                "probe": {"kind": "connect", "interval": "1h"},
            }
            with Supervisor(config) as supervisor:
                counted = os.path.join(supervisor.directory, "callgrind.out")
                supervisor.under = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counted}"]
                supervisor.start()
                supervisor.log.wait("backend ready", timeout=60)
                for _ in range(sessions):
                    self.assertEqual(visit(supervisor.port), WORDS)
                supervisor.log.wait("session closed", nth=sessions, timeout=60)
                self.assertEqual(supervisor.terminate(), 0)
                with open(counted) as file:
                    return int(re.search(r"^summary: (\d+)", file.read(), re.M)[1])

    def test_a_session_costs_no_more_than_it_did(self):
        session = (self.replay(MANY) - self.replay(FEW)) / (MANY - FEW)
        compiler = os.environ["TCPLOCK_COMPILER"]
        known = INSTRUCTIONS.get(compiler)
        result("instructions", compiler=repr(compiler), session=f"{session:.0f}", known=known)
        if known is None:
            self.skipTest(f"nobody has counted them with {compiler}")
        self.assertLess(session, known * 1.05)
        self.assertGreater(session, known * 0.9, "it has become better: lower the figure")


if __name__ == "__main__":
    unittest.main()
