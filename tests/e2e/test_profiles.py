"""Profiles of their own for each place: what they begin with, and what becomes of a broken one."""

import http.server
import os
import shutil
import signal
import tempfile
import threading
import unittest

import documents
import office
from supervisor import Supervisor, result


class LockTest(unittest.TestCase):
    """A job crashes, and its document is opened again by an office in another place."""

    def opened_again(self, template):
        folder = tempfile.mkdtemp(prefix="tcplock-lock-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        source = os.path.join(folder, "document.odt")
        documents.make("odt", source, "marker of the lock", size=30000)
        backend = {"standby": 1, "profile_template": template}
        with Supervisor(office.config(backend=backend)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", nth=2, timeout=60)
            target = os.path.join(folder, "result.pdf")
            victim = office.Converter(
                supervisor.port, "convert_when_told", source, target, "writer_pdf_Export"
            )
            self.assertEqual(victim.wait_inside(), {"loaded": True})
            inside = supervisor.log.wait("backend ready").number("generation")
            for pid in office.soffice_pids(supervisor):
                if office.generation_of(pid) == inside:
                    os.kill(pid, signal.SIGKILL)
            self.assertFalse(victim.result()["ok"])
            locks = [name for name in os.listdir(folder) if name.startswith(".~lock.")]
            text = os.path.join(folder, "result.txt")
            report = office.Converter(supervisor.port, "convert", source, text, "Text").result()
            last = supervisor.log.wait("session closed", nth=2, timeout=20)
            self.assertNotEqual(last.number("generation"), inside)
            result(
                "document_lock",
                template=template,
                locks_left=len(locks),
                opened=report["ok"],
                error=repr(report.get("error")),
            )
            return locks, report

    def test_with_the_template_it_is_opened(self):
        locks, report = self.opened_again("default")
        self.assertEqual(locks, [])
        self.assertTrue(report["ok"], report)

    def test_without_it_nothing_is_loaded(self):
        locks, report = self.opened_again("none")
        self.assertNotEqual(locks, [])
        self.assertIn("did not load the document", report["error"])


class Listening(http.server.BaseHTTPRequestHandler):
    """Knows that it was asked for something."""

    asked = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_error(404)

    do_HEAD = do_OPTIONS = do_PROPFIND = do_GET

    def log_message(self, *words):
        pass


class LinkTest(unittest.TestCase):
    """A document that names things on another server, which the office could fetch for its author."""

    def fetched(self, template, verb="convert"):
        folder = tempfile.mkdtemp(prefix="tcplock-links-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listening)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        Listening.asked.clear()
        where = f"http://127.0.0.1:{server.server_port}"
        source = os.path.join(folder, "document.html")
        with open(source, "w") as file:
            file.write(f'<html><body>words <img src="{where}/image.png"></body></html>')
        with Supervisor(office.config(backend={"profile_template": template})) as supervisor:
            supervisor.start()
            target = os.path.join(folder, "result.pdf")
            client = office.Converter(
                supervisor.port, verb, source, target, "writer_web_pdf_Export"
            )
            report = client.result()
            self.assertTrue(report["ok"], report)
            self.assertTrue(os.path.exists(target))
            self.assertEqual(supervisor.terminate(), 0)
        asked = sorted(set(Listening.asked))
        result("linked_content", template=template, given_as=verb, fetched=asked)
        return Listening.asked

    def test_with_the_template_it_is_not_fetched(self):
        self.assertEqual(self.fetched("default"), [])

    def test_of_a_document_that_is_given_as_a_stream_it_is(self):
        # LibreOffice trusts what comes from nowhere: the README says so.
        self.assertIn("/image.png", self.fetched("default", "stream"))

    def test_without_it_it_is(self):
        self.assertIn("/image.png", self.fetched("none"))


class OwnTemplateTest(unittest.TestCase):
    def test_each_place_has_a_copy_of_its_own_that_it_may_write_to(self):
        folder = tempfile.mkdtemp(prefix="tcplock-template-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        template = os.path.join(folder, "template")
        os.makedirs(os.path.join(template, "user"))
        with open(os.path.join(template, "user", "mark"), "w") as file:
            file.write("from the template")
        elsewhere = os.path.join(folder, "elsewhere")
        os.makedirs(elsewhere)
        with open(os.path.join(elsewhere, "far"), "w") as file:
            file.write("from elsewhere")
        os.symlink(elsewhere, os.path.join(template, "user", "linked"))
        link = os.path.join(folder, "link")
        os.symlink(template, link)
        for path in (os.path.join(template, "user"), template):
            os.chmod(path, 0o555)
        with Supervisor(office.config(backend={"profile_template": link, "standby": 1})) as both:
            both.start()
            both.log.wait("backend ready", timeout=60, nth=2)
            office.convert_one(both.port)
            for place in ("place-0", "place-1"):
                profile = os.path.join(both.state_directory, place, "profile")
                self.assertFalse(os.path.islink(profile))
                self.assertTrue(os.stat(profile).st_mode & 0o200)
                with open(os.path.join(profile, "user", "mark")) as file:
                    self.assertEqual(file.read(), "from the template")
                linked = os.path.join(profile, "user", "linked")
                self.assertFalse(os.path.islink(linked))
                with open(os.path.join(linked, "far")) as file:
                    self.assertEqual(file.read(), "from elsewhere")
            self.assertEqual(sorted(os.listdir(os.path.join(template, "user"))), ["linked", "mark"])
            self.assertEqual(both.terminate(), 0)

    def test_one_that_is_not_there_is_an_error_at_the_start(self):
        with Supervisor(office.config(backend={"profile_template": "/nowhere"})) as supervisor:
            supervisor.start(listening=False)
            self.assertEqual(supervisor.wait_exit(20), 1)
            said = supervisor.log.lines[-1].text
            self.assertIn("backend.profile_template: /nowhere is no folder (No such file or directory).", said)


class BrokenProfileTest(unittest.TestCase):
    def config(self):
        return office.config(backend={"restart_backoff": {"first": "50ms", "max": "1s"}})

    def profile(self, supervisor):
        return os.path.join(supervisor.state_directory, "place-0", "profile")

    def run_once(self, supervisor):
        supervisor.start()
        supervisor.log.wait("backend ready", timeout=60)
        self.assertEqual(supervisor.terminate(), 0)

    def breaks(self, break_it):
        with Supervisor(self.config()) as first:
            self.run_once(first)
            break_it(self.profile(first))
            with Supervisor(
                self.config(), directory=first.directory, port_block=first.first_port
            ) as again:
                again.start()
                again.log.wait("the profile is made anew", timeout=60)
                again.log.wait("backend ready", timeout=60)
                office.convert_one(again.port)
                failures = again.log.count("backend start failed")
                result("broken_profile", how=break_it.__name__, failed_starts=failures)
                self.assertEqual(again.log.count("the profile is made anew"), 1)
                self.assertTrue(os.path.exists(self.profile(again) + ".broken"), "it is kept")
                self.assertEqual(again.terminate(), 0)

    def test_a_file_in_its_place_is_replaced(self):
        def file_in_its_place(profile):
            shutil.rmtree(profile)
            with open(profile, "w") as file:
                file.write("no folder")

        self.breaks(file_in_its_place)

    def test_one_whose_registry_is_garbage_is_still_of_use(self):
        # LibreOffice goes on without it, and so there is nothing to be mended.
        with Supervisor(self.config()) as first:
            self.run_once(first)
            registry = os.path.join(self.profile(first), "user", "registrymodifications.xcu")
            with open(registry, "w") as file:
                file.write("<oor:items>" + "garbage" * 100)
            with Supervisor(
                self.config(), directory=first.directory, port_block=first.first_port
            ) as again:
                again.start()
                again.log.wait("backend ready", timeout=60)
                office.convert_one(again.port)
                self.assertEqual(again.log.count("backend start failed"), 0)
                self.assertEqual(again.terminate(), 0)

    def test_what_somebody_laid_beside_the_template_gets_into_none(self):
        with Supervisor(self.config()) as supervisor:
            laid = os.path.join(supervisor.state_directory, "profile-template", "user", "basic")
            os.makedirs(laid)
            self.run_once(supervisor)
            self.assertTrue(os.path.exists(self.profile(supervisor)))
            self.assertFalse(os.path.exists(laid))
            self.assertEqual(os.listdir(os.path.dirname(laid)), ["registrymodifications.xcu"])

    def test_places_never_share_one(self):
        backend = {"instances": 2, "standby": 1}
        with Supervisor(office.config(backend=backend)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", nth=3, timeout=90)
            office.convert_one(supervisor.port)
            profiles = [
                os.path.realpath(os.path.join(supervisor.state_directory, f"place-{n}", "profile"))
                for n in range(3)
            ]
            self.assertEqual(len(set(profiles)), 3)
            self.assertTrue(all(os.path.isdir(profile) for profile in profiles))

            def told(pid):
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    return [a for a in file.read().split(b"\0") if b"UserInstallation" in a]

            used = [tuple(told(pid)) for pid in office.soffice_pids(supervisor)]
            self.assertEqual(len(set(used)), 3)


if __name__ == "__main__":
    unittest.main(verbosity=2)
