"""How a real office is brought to its end: asked in its own protocol, signalled, killed."""

import os
import signal
import subprocess
import sys
import time
import unittest

import office
from supervisor import SCHEDULING_MARGIN, Supervisor, freeze, result

VETO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "veto.py")
GRACE = 8  # backend.stop_grace, seconds: it has half of that to end once it has said that it will
TO_ANSWER = 1  # second that it has to say so


class StopTest(unittest.TestCase):
    def running(self):
        backend = {**office.TCP, "stop_grace": f"{GRACE}s"}
        config = office.config(backend=backend, log={"level": "debug"})
        supervisor = Supervisor(config)
        self.enterContext(supervisor)
        supervisor.start()
        supervisor.log.wait("backend ready", timeout=60)
        office.convert_one(supervisor.port)
        supervisor.log.wait("session closed")  # A frozen office would keep it open.
        return supervisor

    def stop(self, supervisor):
        begin = time.monotonic()
        status = supervisor.terminate()
        self.assertEqual(status, 0)
        supervisor.assert_nothing_left()
        line = supervisor.log.wait("backend stopped")
        asked = supervisor.log.all("the office does not end when asked, signalling it")
        return time.monotonic() - begin, line["exit"], [told["why"] for told in asked]

    def stop_in_time(self, prepare=lambda supervisor: None):
        """The same, of another office if the first one had no time to answer, on a busy machine."""
        for _ in range(2):
            supervisor = self.running()
            prepare(supervisor)
            told = self.stop(supervisor)
            if not any(why.endswith(f" within {TO_ANSWER} s") for why in told[2]):
                break
        return told

    def test_one_that_is_well_ends_when_it_is_asked(self):
        took, how, signalled = self.stop_in_time()
        result("stop_well", took=f"{took:.2f}s", exit=repr(how))
        self.assertEqual((how, signalled), ("exited with status 0", []))
        self.assertLess(took, GRACE)

    def test_one_that_objects_is_signalled(self):
        vetoes = []

        def object_to_it(supervisor):
            port = supervisor.log.wait("backend starting")["address"].split(":")[1]
            veto = subprocess.Popen(
                [sys.executable, VETO, port],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.addCleanup(veto.communicate, timeout=30)
            self.assertEqual(veto.stdout.readline(), "objects\n")
            vetoes.append(veto)

        took, how, signalled = self.stop_in_time(object_to_it)
        objections = vetoes[-1].stdout.readline()
        result("stop_vetoed", took=f"{took:.2f}s", exit=repr(how), why=repr(signalled))
        self.assertEqual(objections, "objected\n")
        self.assertEqual(signalled, ["greeted, but will not end"])
        self.assertLess(took, GRACE + SCHEDULING_MARGIN)

    def test_one_that_is_frozen_is_signalled_when_it_has_not_answered(self):
        supervisor = self.running()
        (pid,) = office.soffice_pids(supervisor)
        freeze(pid)
        took, how, signalled = self.stop(supervisor)
        result("stop_frozen", took=f"{took:.2f}s", exit=repr(how), why=repr(signalled))
        self.assertEqual(signalled, [f"accepted but sent nothing within {TO_ANSWER} s"])
        self.assertGreaterEqual(took, TO_ANSWER)
        self.assertLess(took, GRACE + SCHEDULING_MARGIN)

    def test_a_second_signal_does_not_wait_for_its_answer(self):
        supervisor = self.running()
        (pid,) = office.soffice_pids(supervisor)
        freeze(pid)
        begin = time.monotonic()
        supervisor.signal(signal.SIGTERM)
        supervisor.log.wait("backend stopping")
        time.sleep(0.3)  # Sooner, the two would be one request.
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait_exit(20), 0)
        took = time.monotonic() - begin
        line = supervisor.log.wait("backend stopped")
        result("stop_twice", took=f"{took:.2f}s", exit=repr(line["exit"]))
        self.assertLess(took, GRACE / 2)  # It would have all of that, once signalled.
        supervisor.assert_nothing_left()

    def test_one_without_a_grace_is_killed(self):
        config = office.config(backend={"stop_grace": "0s"})
        with Supervisor(config) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            self.assertEqual(supervisor.terminate(), 0)
            line = supervisor.log.wait("backend stopped")
            self.assertLess(line.seconds("took"), 5)  # the grace that it would have by itself


if __name__ == "__main__":
    unittest.main(verbosity=2)
