"""Pooled clients of a real office: who works with pauses is left alone, who sits idle is cut, and
who waits for a long job is not idle."""

import os
import shutil
import tempfile
import time
import unittest

import documents
import office
from supervisor import SCHEDULING_MARGIN, Supervisor, result

LIMIT = 5  # gate.idle_timeout, seconds
DOCUMENTS, PAUSE = 20, 1
OFFICE = (
    "soffice --headless --norestore --nologo --nodefault --nolockcheck "
    "'-env:UserInstallation=file://{profile}' '--accept=socket,host=127.0.0.1,port={port};urp;'"
)
LINES = 90000  # of a document whose export may take a real office ten seconds and more


class PooledClientTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tcplock-documents-")
        self.addCleanup(shutil.rmtree, self.folder)

    def document(self, lines):
        source = os.path.join(self.folder, f"{lines}.odt")
        documents.make("odt", source, "the words of a pooled client", lines)
        return source, os.path.join(self.folder, f"{lines}.pdf"), "writer_pdf_Export"

    def supervisor(self, **backend):
        return Supervisor(office.config(gate={"idle_timeout": f"{LIMIT}s"}, backend=backend))

    def test_one_that_converts_with_pauses_is_not_cut(self):
        with self.supervisor() as supervisor:
            supervisor.start()
            client = office.Converter(
                supervisor.port, "pool", str(DOCUMENTS), str(PAUSE), *self.document(10)
            )
            report = client.result(120)
            line = supervisor.log.wait("session closed")
            result(
                "pooled_client",
                documents=DOCUMENTS,
                pauses=f"{PAUSE}s",
                idle_timeout=f"{LIMIT}s",
                lasted=line["lasted"],
                end=line["end"],
            )
            self.assertTrue(report["ok"], report)
            self.assertEqual(line["end"], "--")
            self.assertGreater(line.seconds("lasted"), DOCUMENTS * PAUSE)

    def test_one_that_sits_idle_is_cut_and_the_office_survives(self):
        with self.supervisor() as supervisor:
            supervisor.start()
            idle = office.Converter(supervisor.port, "hold")
            self.assertEqual(idle.wait_inside(), {"inside": True})
            waiting = office.Conversions(supervisor.port, count=1, at_once=1)
            cut = supervisor.log.wait("session closed", client=1, timeout=30)
            waiting.finish(60)
            served = supervisor.log.wait("session closed", client=2)
            result(
                "idle_client",
                idle_timeout=f"{LIMIT}s",
                cut_after=cut["lasted"],
                end=cut["end"],
                next_in_generation=served["generation"],
                recycled=supervisor.log.count("backend recycling"),
            )
            self.assertEqual(cut["end"], "cD")
            self.assertGreaterEqual(cut.seconds("lasted"), LIMIT)
            # Once it says too late that it is free, it is asked again a LIMIT later.
            self.assertLess(cut.seconds("lasted"), 4 * LIMIT)
            self.assertEqual(waiting.errors, [])
            self.assertEqual(served["generation"], "1")
            self.assertEqual(supervisor.log.count("backend recycling"), 0)
            report = idle.result()
            self.assertFalse(report["ok"])

    def test_one_whose_backend_computes_is_not_idle_although_the_office_is_free(self):
        """As an office is for moments in the middle of a job."""
        ended = os.path.join(self.folder, "ended")
        compute = f"until test -e {ended} || ! test -d {self.folder}; do :; done"
        command = ["sh", "-c", f"({compute}) & exec {OFFICE}"]
        with self.supervisor(command=command, **office.TCP) as supervisor:
            supervisor.start()
            client = office.Converter(supervisor.port, "hold")
            self.assertEqual(client.wait_inside(), {"inside": True})
            entered = time.monotonic()
            while time.monotonic() < entered + 2 * LIMIT:
                self.assertEqual(supervisor.log.count("session closed"), 0)
                time.sleep(0.1)
            open(ended, "w").close()
            at_rest_since = time.monotonic() - entered
            line = supervisor.log.wait("session closed", timeout=30)
            result(
                "computing_backend",
                idle_timeout=f"{LIMIT}s",
                computed_for=f"{at_rest_since:.1f}s",
                cut_after=line["lasted"],
                end=line["end"],
            )
            self.assertEqual(line["end"], "cD")
            self.assertGreater(line.seconds("lasted"), at_rest_since + LIMIT / 2 - 0.1)
            self.assertLess(
                line.seconds("lasted"), at_rest_since + 3.5 * LIMIT + 2 * SCHEDULING_MARGIN
            )
            client.result()

    def test_one_whose_job_takes_long_is_not_idle(self):
        with self.supervisor() as supervisor:
            supervisor.start()
            lines = LINES
            for attempt in range(1, 6):
                client = office.Converter(supervisor.port, "convert", *self.document(lines))
                report = client.result(120)
                line = supervisor.log.wait("session closed", nth=attempt)
                lasted = line.seconds("lasted")
                result("long_job", lines=lines, lasted=line["lasted"], end=line["end"])
                self.assertTrue(report["ok"], report)
                self.assertEqual(line["end"], "--")
                if lasted > 1.5 * LIMIT:
                    return
                lines = int(lines * max(2 * LIMIT / lasted, 1.2))
            self.fail(f"no document takes {1.5 * LIMIT} s to export")


if __name__ == "__main__":
    unittest.main(verbosity=2)
