"""As process 1 of a container: nothing outlives its generation unnoticed."""

import signal
import unittest

import fake
from container import Contained, backend_with_a_stray, strays, why_not
from supervisor import read_proc, result, wait_until


class ContainerTest(unittest.TestCase):
    def setUp(self):
        reason = why_not()
        if reason:
            self.skipTest(f"no pid namespace: {reason}")

    def test_a_stray_without_any_mark_survived_each_recycle_as_process_1(self):
        with Contained(fake.config(backend=backend_with_a_stray())) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", generation=1)
            (first,) = wait_until(strays, 10, "the first stray")
            self.assertNotIn(b"TCPLOCK", read_proc(f"/proc/{first}/environ"))
            supervisor.signal(signal.SIGUSR1)
            supervisor.log.wait("backend ready", generation=2)
            (second,) = wait_until(strays, 10, "the second stray")
            self.assertNotEqual(second, first, "it went with its generation")
            self.assertEqual(supervisor.terminate(), 0)
            result("strays_as_process_1", ended=2, left=len(strays()))
            self.assertEqual(strays(), [])

    def test_a_stray_that_holds_the_output_kept_a_reader_of_each_generation_for_ever(self):
        # With a child of our own at the start a stray is not known to be a backend's.
        entrypoint = ("/bin/sh", "-c", 'sleep 1000 & exec "$@"', "sh")
        with Contained(fake.config(backend=backend_with_a_stray()), entrypoint) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", generation=1)
            descriptors = supervisor.open_descriptors()
            for generation in range(2, 5):
                supervisor.signal(signal.SIGUSR1)
                supervisor.log.wait("backend ready", generation=generation)
                self.assertEqual(len(strays()), generation)
                wait_until(
                    lambda: supervisor.open_descriptors() <= descriptors, 10, "no descriptor more"
                )
            self.assertEqual(supervisor.terminate(), 0)
            result("output_held", strays=generation, descriptors=descriptors, left=len(strays()))
            self.assertEqual(strays(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
