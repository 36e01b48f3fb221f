"""A backend that nobody comes to is ended, and started again for the next client."""

import signal
import unittest

import fake
from crowd import Client
from supervisor import SCHEDULING_MARGIN, result


class IdleShutdownTest(unittest.TestCase):
    def test_the_next_client_waits_for_the_start(self):
        with fake.supervisor(
            "--start-delay", "500", recycle={"idle_shutdown": "1s"}, backend={"standby": 1}
        ) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend stopping", reason="idle", nth=2)
            supervisor.log.wait("backend stopped", nth=2)
            supervisor.assert_nothing_left()
            client = Client(supervisor.port, "1")
            # Of the two that are started for him he goes to the first that answers.
            self.assertIn(client.answer(), ("1 g3", "1 g4"))
            client.close()
            line = supervisor.log.wait("session closed", client=1)
            result("woken_by_a_client", start="0.5s", waited=line["waited"])
            self.assertGreaterEqual(line.seconds("waited"), 0.5)
            self.assertLess(line.seconds("waited"), 0.5 + 2 * SCHEDULING_MARGIN)
            supervisor.log.wait("backend stopping", reason="idle", nth=4)
            self.assertEqual(supervisor.log.count("backend recycling"), 0)

    def test_the_end_comes_while_it_sleeps(self):
        with fake.supervisor(recycle={"idle_shutdown": "200ms"}) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend stopped")
            supervisor.signal(signal.SIGTERM)
            self.assertEqual(supervisor.wait_exit(20), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
