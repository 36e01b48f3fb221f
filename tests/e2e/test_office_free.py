"""Whether a real office is free for its next client: after a client that was killed in the middle
of a job, after one that left its documents open, and when nothing will ever be free again."""

import datetime
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import documents
import office
from supervisor import Supervisor, processor_seconds, result, wait_until

DEADLOCK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "deadlock.py")
LONG = 10  # so many seconds, or more, an office is to export a document
LINES = 90000  # of one that might take so long


def moment(line):
    return datetime.datetime.fromisoformat(line.time)


class AbandonedJobTest(unittest.TestCase):
    """A client is killed while the office exports for it, and somebody waits."""

    @classmethod
    def setUpClass(cls):
        """A document that takes an office of this machine so long, undisturbed."""
        cls.folder = tempfile.mkdtemp(prefix="tcplock-documents-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.source = os.path.join(cls.folder, "long.odt")
        lines = LINES
        with Supervisor(office.config()) as supervisor:
            supervisor.start()
            for attempt in range(1, 6):
                documents.make("odt", cls.source, "a long document", lines)
                report = cls.export(supervisor, cls.source).result(110)
                assert report["ok"], report
                lasted = supervisor.log.wait("session closed", nth=attempt).seconds("lasted")
                result("long_export", lines=lines, lasted=f"{lasted:.1f}s")
                if lasted >= LONG:
                    return
                lines = int(lines * max(1.2 * LONG / lasted, 1.2))
        raise AssertionError(f"no document takes {LONG} s to export")

    def setUp(self):
        """A copy: an office that is killed leaves a lock beside its document."""
        self.own = os.path.join(self.folder, f"{self._testMethodName}.odt")
        shutil.copy(self.source, self.own)

    @classmethod
    def export(cls, supervisor, source):
        target = source + ".pdf"
        return office.Converter(supervisor.port, "convert", source, target, "writer_pdf_Export")

    def abandon(self, admission):
        """The next client's session, and the recycle if there was one before it."""
        probe = {"interval": "5s", "timeout": "2s", "admission": admission}
        with Supervisor(office.config(probe=probe)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            victim = self.export(supervisor, self.own)
            self.assertEqual(victim.wait_inside(), {"loaded": True})
            (pid,) = office.soffice_pids(supervisor)
            loaded = processor_seconds(pid)
            wait_until(lambda: processor_seconds(pid) > loaded + 0.5, 60, "the office exports")
            waiting = office.Conversions(supervisor.port, count=1, at_once=1)
            victim.process.kill()
            victim.process.wait()
            abandoned = supervisor.log.wait("session closed", client=1)
            waiting.finish(90)
            served = supervisor.log.wait("session closed", client=2)
            recycles = supervisor.log.all("backend recycling")
            self.assertEqual(waiting.errors, [])
            self.assertIn(abandoned["end"], ("--", "CD"))
            self.assertEqual(served["end"], "--")
            self.assertEqual(supervisor.terminate(), 0)
        result(
            "abandoned_job",
            admission=admission,
            next_waited=served["waited"],
            next_was_inside=served["lasted"],
            generation=served["generation"],
            recycled=",".join(line["reason"] for line in recycles) or "no",
        )
        return served, [line["reason"] for line in recycles]

    def test_the_next_client_waits_until_the_office_is_free(self):
        served, recycles = self.abandon("60s")
        # It is free, but the document of the client who was killed is still open in it.
        self.assertEqual(recycles, ["leftovers"])
        self.assertGreater(served.seconds("waited"), 1)
        self.assertLess(served.seconds("lasted"), 5)

    def test_an_office_that_is_not_free_in_time_is_replaced(self):
        served, recycles = self.abandon("1s")
        self.assertEqual(recycles, ["not_free"])
        self.assertLess(served.seconds("lasted"), 5)

    def test_without_the_admission_probe_the_next_client_hangs_inside(self):
        # What everybody gets whose gate asks nothing: for comparison.
        served, recycles = self.abandon("off")
        self.assertEqual(recycles, [])
        self.assertGreater(served.seconds("lasted"), 1)


class LeftoversTest(unittest.TestCase):
    def test_documents_that_a_client_left_open_end_with_their_generation(self):
        with Supervisor(office.config()) as supervisor:
            supervisor.start()
            report = office.Converter(supervisor.port, "leave_open", "3").result()
            self.assertTrue(report["ok"], report)
            told = supervisor.log.wait("documents were left open by clients who have gone")
            line = supervisor.log.wait("backend recycling", generation=1)
            office.convert_one(supervisor.port)
            served = supervisor.log.wait("session closed", client=2)
            result("leftovers", documents=told["documents"], reason=line["reason"])
            self.assertEqual(told["documents"], "3")
            self.assertEqual(line["reason"], "leftovers")
            self.assertEqual(served["generation"], "2")
            self.assertEqual(supervisor.log.count("backend recycling"), 1)


class DeadlockTest(unittest.TestCase):
    def test_a_deadlocked_main_lock_is_found_at_admission(self):
        limit = 4
        probe = {"interval": "1s", "timeout": "1s", "failure_threshold": 3}
        probe["admission"] = f"{limit}s"
        config = office.config(backend=office.TCP, probe=probe, log={"level": "debug"})
        with Supervisor(config) as supervisor:
            supervisor.start()
            port = supervisor.log.wait("backend starting")["address"].split(":")[1]
            client = office.guest(supervisor.port)
            deadlock = subprocess.Popen(
                [sys.executable, DEADLOCK, port],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.addCleanup(deadlock.communicate, timeout=30)
            self.assertEqual(deadlock.stdout.readline(), "the office waits\n")
            waiting = office.Conversions(supervisor.port, count=1, at_once=1)
            client.close()
            ended = supervisor.log.wait("session closed", client=1)
            line = supervisor.log.wait("backend recycling", timeout=60, generation=1)
            waiting.finish(60)
            # By the log's own clock: when a line arrives here says when somebody read it.
            found = (moment(line) - moment(ended)).total_seconds()
            reasons = [
                probe["why"]
                for probe in supervisor.log.all("probe without an answer", generation=1)
                if probe.arrived > ended.arrived
            ]
            result(
                "deadlocked",
                found=f"{found:.2f}s",
                limit=f"{limit}s",
                reason=line["reason"],
                probe_said=repr("; ".join(sorted(set(reasons)))),
                waiter_served=waiting.good != [],
            )
            # It answers whatever does not need the lock: nearly always, on a busy machine.
            lacks_the_lock = "answers, but did not give its main lock within 1 s"
            self.assertGreater(reasons.count(lacks_the_lock), len(reasons) / 2, reasons)
            self.assertEqual(line["reason"], "not_free")
            self.assertGreaterEqual(found, limit - 0.1)
            self.assertLessEqual(found, limit + 8)  # By default it would be 15 s.
            self.assertEqual(waiting.errors, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
