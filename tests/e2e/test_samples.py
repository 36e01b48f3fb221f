"""The samples for OpenOffice and unoserver, each with the program replaced by one that is here.

LibreOffice still takes OpenOffice's options. In unoserver's place is the server it is made of,
Python's own, under the same options and the same probe.
"""

import os
import signal
import sys
import threading
import time
import unittest
import xmlrpc.client

import yaml

import office
from supervisor import Supervisor, result
from xmlrpc_backend import UNTIL_SERVING

HERE = os.path.dirname(os.path.abspath(__file__))


def sample(name, *program):
    """As it is written, but for the program, and what every test has of its own."""
    with open(os.path.join(HERE, "..", "..", "config", name), encoding="utf-8") as file:
        config = yaml.load(file, yaml.BaseLoader)  # every value as text: `off` is no truth value
    del config["listen"], config["backend"]["ports"], config["backend"]["state_directory"]
    config["backend"]["command"][:1] = program
    return config


class OpenOfficeTest(unittest.TestCase):
    def test_an_office_that_is_started_with_its_options_converts(self):
        with Supervisor(sample("openoffice.yaml", "soffice")) as supervisor:
            supervisor.start()
            conversions = office.Conversions(supervisor.port, count=9, at_once=3)
            conversions.finish()
            warnings = [line for line in supervisor.log.all("backend output")
                        if "Error in option" in line.text]  # fmt: skip
            result(
                "openoffice_sample",
                converted=len(conversions.good),
                errors=len(conversions.errors),
                options_not_known=len(warnings),
            )
            self.assertEqual(conversions.errors, [])
            self.assertEqual(warnings, [])
            self.assertEqual(supervisor.log.count("backend recycling"), 0)
            self.assertEqual(supervisor.terminate(), 0)
            supervisor.assert_nothing_left()


class UnoserverTest(unittest.TestCase):
    def supervisor(self):
        program = [sys.executable, os.path.join(HERE, "xmlrpc_backend.py")]
        config = sample("unoserver.yaml", *program)
        return Supervisor({**config, "log": {"level": "debug"}})

    def call(self, supervisor, method, *arguments):
        with xmlrpc.client.ServerProxy(f"http://127.0.0.1:{supervisor.port}") as proxy:
            return getattr(proxy, method)(*arguments)

    def test_a_client_that_calls_through_the_gate_is_answered(self):
        with self.supervisor() as supervisor:
            supervisor.start()
            info = self.call(supervisor, "info")  # connects before there is anything to connect to
            ready = supervisor.log.wait("backend ready")
            answers = []
            callers = [
                threading.Thread(
                    target=lambda: answers.append(self.call(supervisor, "convert", 0.2))
                )
                for _ in range(5)
            ]
            for caller in callers:
                caller.start()
            for caller in callers:
                caller.join(30)
            supervisor.log.wait("session closed", nth=6)
            jobs = supervisor.log.all("session closed", job="yes")
            result(
                "unoserver_sample",
                ready_after=ready["after"],
                answers=len(answers),
                sessions=len(jobs),
                port=info["port"],
                uno_port=info["uno_port"],
            )
            self.assertEqual(set(answers), {f"converted by {info['pid']}"})
            self.assertEqual(len(answers), 5)
            self.assertGreaterEqual(ready.seconds("after"), UNTIL_SERVING, "it listens before")
            self.assertEqual(info["uno_port"], f"1{info['port']}")
            self.assertTrue(info["user_installation"].startswith(supervisor.state_directory))
            self.assertEqual(supervisor.log.admission_inversions(), 0)
            self.assertEqual(supervisor.log.count("session closed"), 6)
            self.assertEqual(len(jobs), 6)
            self.assertEqual(supervisor.log.count("backend recycling"), 0)
            self.assertEqual(supervisor.terminate(), 0)

    def test_one_that_converts_for_a_client_who_left_is_recycled_before_the_next(self):
        with self.supervisor() as supervisor:
            supervisor.start()
            first = self.call(supervisor, "info")["pid"]
            body = xmlrpc.client.dumps((60,), "convert")
            connection = xmlrpc.client.Transport().make_connection(f"127.0.0.1:{supervisor.port}")
            connection.request("POST", "/RPC2", body, {"Content-Type": "text/xml"})
            supervisor.log.wait("backend output", line="converting")
            connection.close()
            second = self.call(supervisor, "info")["pid"]
            line = supervisor.log.wait("backend recycling")
            result("unoserver_left_alone", reason=line["reason"], same=first == second)
            self.assertEqual(line["reason"], "release_timeout")
            self.assertNotEqual(first, second)
            self.assertEqual(supervisor.terminate(), 0)
            supervisor.assert_nothing_left()

    def test_one_that_freezes_is_found_by_the_probe(self):
        with self.supervisor() as supervisor:
            supervisor.start()
            pid = self.call(supervisor, "info")["pid"]
            supervisor.log.wait("session closed")
            begin = time.monotonic()
            os.kill(pid, signal.SIGSTOP)
            line = supervisor.log.wait("backend recycling", timeout=40)
            interval, timeout, threshold = 5, 2, 3  # the sample's, and the default
            bound = interval * threshold + timeout
            found = line.arrived - begin
            result("unoserver_frozen", reason=line["reason"], found=f"{found:.1f}s", bound=bound)
            self.assertIn(line["reason"], ("unresponsive", "not_free"))
            self.assertLessEqual(found, bound + 10)
            self.assertNotEqual(self.call(supervisor, "info")["pid"], pid)
            self.assertEqual(supervisor.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
