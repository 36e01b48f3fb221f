"""What the command line says, with which exit code, and that wrong input starts nothing."""

import os
import tempfile
import unittest

import fake
from crowd import Client
from supervisor import Supervisor, result, run_command

OK, USAGE, CONFIGURATION = 0, 2, 78

# A configuration that is right, of which each case below spoils one line. {touch} is made by the
# backend's command if it is ever run.
RIGHT = """\
protocol: tcp
listen:
  - address: 127.0.0.1:{port}
gate:
  queue_limit: 10
backend:
  command: [touch, {touch}]
  address: "127.0.0.1:{{port}}"
  ports: {ports}
  state_directory: {state}
probe:
  kind: connect
recycle:
  max_jobs: 100
"""

# (what is wrong, line to replace, replacement, number of the line, words of the message)
WRONG = [
    ("unknown key", "  queue_limit: 10", "  queue_limt: 10", 5, "queue_limit"),
    ("unknown section", "gate:", "gates:", 4, "gate"),
    ("not a number", "  queue_limit: 10", "  queue_limit: many", 5, "queue_limit"),
    ("negative", "  queue_limit: 10", "  queue_limit: -1", 5, "queue_limit"),
    ("no duration", "  queue_limit: 10", "  queue_timeout: soon", 5, "queue_timeout"),
    ("no unit", "  queue_limit: 10", "  session_timeout: 10", 5, "session_timeout"),
    ("not off", "  queue_limit: 10", "  session_timeout: off", 5, "session_timeout"),
    ("not an enumerator", "protocol: tcp", "protocol: udp", 1, "protocol"),
    ("nobody at once", "  queue_limit: 10", "  concurrency: 0", 5, "concurrency"),
    ("no address", "  - address: 127.0.0.1:{port}", "  - address: nowhere", 3, "address"),
    ("port too large", "  - address: 127.0.0.1:{port}", "  - address: 127.0.0.1:70000", 3, "address"),
    ("unix listener", "  - address: 127.0.0.1:{port}", "  - address: unix:/tmp/x", 3, "not available yet"),
    ("one port, all addresses", "  - address: 127.0.0.1:{port}",
     "  - address: 127.0.0.1:{port}\n  - address: 0.0.0.0:{port}", 4,
     "0.0.0.0:29990 and 127.0.0.1:29990 in line 3 are in part the same"),
    ("the same of IPv6", "  - address: 127.0.0.1:{port}",
     "  - address: '[::]:{port}'\n  - address: '[0:0:0:0:0:0:0:1]:{port}'", 4,
     "[::1]:29990 and [::]:29990 in line 3 are in part the same"),
    ("two notations", "  - address: 127.0.0.1:{port}",
     "  - address: 127.0.0.1:{port}\n  - address: '[::ffff:127.0.0.1]:{port}'", 4,
     "the same address twice, first in line 3"),
    ("operators at the gate", "recycle:", "admin: {{http: \"0.0.0.0:{port}\"}}\nrecycle:", 13,
     "0.0.0.0:29990 is where clients connect, at 127.0.0.1:29990 in line 3"),
    ("backend at the gate", '  address: "127.0.0.1:{{port}}"', '  address: "0.0.0.0:{port}"', 9,
     "the gate itself listens on 127.0.0.1:29990"),
    ("half_closed", "  queue_limit: 10", "  half_closed: maybe", 5, "half_closed"),
    ("unknown placeholder", '  address: "127.0.0.1:{{port}}"', '  address: "127.0.0.1:{{prot}}"', 8, "port"),
    ("no such signal", "  ports: {ports}", "  stop_signal: HELLO", 9, "stop_signal"),
    ("no such user", "  ports: {ports}", "  user: no-such-user", 9, "no user of this machine"),
    ("ports backwards", "  ports: {ports}", "  ports: 2200-2100", 9, "ports"),
    ("more instances", "  ports: {ports}", "  instances: 0", 9, "out of range"),
    ("standby", "  ports: {ports}", "  standby: 101", 9, "out of range"),
    ("template", "  ports: {ports}", "  profile_template: here", 9, "profile_template"),
    ("probe kind", "  kind: connect", "  kind: guess", 12, "kind"),
    ("probe without expect", "  kind: connect", "  kind: greeting", 11, "expect"),
    ("cron line", "  max_jobs: 100", '  schedule: ["61 * * * *"]', 14, "schedule"),
    ("memory limit", "  max_jobs: 100", "  memory_soft_limit: 1GB", 14, "unknown unit"),
    ("size", "  max_jobs: 100", "  max_jobs: 1GiB", 14, "max_jobs"),
    ("hooks", "recycle:", "hooks: {{backend_ready: on}}\nrecycle:", 13, "is no hook"),
    ("admin", "recycle:", "admin: {{agent_check: 127.0.0.1:9181}}\nrecycle:", 13, "not available yet"),
    ("broken YAML", "  queue_limit: 10", "  queue_limit: [10", 0, ""),
    ("twice the same key", "  queue_limit: 10", "  queue_limit: 10\n  queue_limit: 11", 6, "queue_limit"),
    ("environment", "  queue_limit: 10", "  queue_limit: ${{TCPLOCK_NO_SUCH}}", 5, "TCPLOCK_NO_SUCH"),
]  # fmt: skip


class WordsTest(unittest.TestCase):
    def test_help_and_version_are_said_on_standard_output(self):
        text = run_command("--help")
        version = run_command("--version")
        result(
            "help",
            status=text.returncode,
            lines=len(text.stdout.splitlines()),
            version=repr(version.stdout.strip()),
        )
        self.assertEqual((text.returncode, version.returncode), (OK, OK))
        for word in ("check", "show-config", "schema", "--version", "-c"):
            self.assertIn(word, text.stdout)
        self.assertRegex(version.stdout, r"^tcplock-supervisor \d+\.\d+\.\d+\n$")
        self.assertEqual((text.stderr, version.stderr), ("", ""))

    def test_wrong_usage_exits_with_two_and_says_why_on_standard_error(self):
        cases = [["--no-such-option"], ["no-such-command"], ["-c"], [], ["check"], ["show-config"]]
        wrong = []
        for arguments in cases:
            done = run_command(*arguments)
            if done.returncode != USAGE or not done.stderr or done.stdout:
                wrong.append((arguments, done.returncode, done.stderr[:200], done.stdout[:100]))
        result("usage", cases=len(cases), wrong=len(wrong))
        self.assertEqual(wrong, [])


class ConfigurationTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tcplock-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.touched = os.path.join(self.folder, "touched")
        self.file = os.path.join(self.folder, "config.yaml")

    def write(self, old="", new=""):
        template = RIGHT
        self.assertTrue(not old or old in template, old)
        if old:
            template = template.replace(old + "\n", new + "\n", 1)
        state = os.path.join(self.folder, "state")
        text = template.format(port=29990, ports="29991-29999", touch=self.touched, state=state)
        with open(self.file, "w") as file:
            file.write(text)

    def test_a_right_configuration_passes_check_and_can_be_shown(self):
        self.write()
        check = run_command("check", "-c", self.file)
        shown = run_command("show-config", "-c", self.file)
        again = os.path.join(self.folder, "shown.yaml")
        with open(again, "w") as file:
            file.write(shown.stdout)
        twice = run_command("show-config", "-c", again)
        result("check", status=check.returncode, shown_lines=len(shown.stdout.splitlines()),
               stable=twice.stdout == shown.stdout)  # fmt: skip
        self.assertEqual((check.returncode, shown.returncode, twice.returncode), (OK, OK, OK),
                         check.stderr + shown.stderr + twice.stderr)  # fmt: skip
        self.assertIn("queue_limit: 10", shown.stdout)
        self.assertIn("session_timeout:", shown.stdout)
        self.assertEqual(twice.stdout, shown.stdout)
        self.assertFalse(os.path.exists(self.touched))

    def test_wrong_configurations_are_named_and_start_nothing(self):
        wrong = []
        for name, old, new, line, words in WRONG:
            self.write(old, new)
            prefix = f"{self.file}:{line}:" if line else f"{self.file}:"
            for arguments in (["-c", self.file], ["check", "-c", self.file]):
                done = run_command(*arguments)
                lines = done.stderr.splitlines()
                said = [text for text in lines if text.startswith(prefix) and words in text]
                if done.returncode != CONFIGURATION or not said or "listening" in done.stderr:
                    wrong.append(
                        f"{name}: {arguments[0]}: {done.returncode} {done.stderr.strip()!r}"
                    )
            print(
                "  " + (said[0].removeprefix(self.folder + "/") if said else f"{name}: ?"),
                flush=True,
            )
        result(
            "wrong_configurations",
            cases=len(WRONG),
            wrong=len(wrong),
            started=int(os.path.exists(self.touched)),
        )
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))
        self.assertFalse(os.path.exists(self.touched))

    def test_all_problems_are_said_at_once(self):
        self.write(
            "  queue_limit: 10", "  queue_limt: 10\n  session_timeout: soon\n  half_closed: maybe"
        )
        done = run_command("-c", self.file)
        problems = [text for text in done.stderr.splitlines() if text.startswith(self.file + ":")]
        result("all_at_once", problems=len(problems), status=done.returncode)
        self.assertEqual(done.returncode, CONFIGURATION)
        self.assertEqual([text.split(":")[1] for text in problems], ["5", "6", "7"])

    def test_a_missing_file_is_a_configuration_error(self):
        done = run_command("-c", os.path.join(self.folder, "none.yaml"))
        result("missing_file", status=done.returncode, said=repr(done.stderr.strip()[-80:]))
        self.assertEqual(done.returncode, CONFIGURATION)
        self.assertIn("none.yaml", done.stderr)


class OneSupervisorTest(unittest.TestCase):
    def test_a_second_supervisor_on_one_state_directory_is_refused(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            first = Client(supervisor.port, "1")
            self.assertEqual(first.answer(), "1 g1")
            taken = {"state_directory": supervisor.state_directory}
            with Supervisor(fake.config(backend=taken)) as other:
                done = run_command("-c", other.config_file)
            said = done.stderr.strip()
            result("second_supervisor", status=done.returncode, said=repr(said[-160:]))
            self.assertEqual(done.returncode, 1)
            self.assertIn(supervisor.state_directory, said)
            self.assertEqual(len(said.splitlines()), 1, said)
            # The first is not disturbed.
            first.close()
            second = Client(supervisor.port, "2")
            self.assertEqual(second.answer(), "2 g1")
            second.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_taken_listening_port_is_said_and_starts_nothing(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            listen = [{"address": f"127.0.0.1:{supervisor.port}"}]
            with Supervisor(fake.config(listen=listen)) as other:
                done = run_command("-c", other.config_file)
                journal = fake.Journal(other.journal_file)
                result("taken_port", status=done.returncode, said=repr(done.stderr.strip()[-160:]))
                self.assertEqual(done.returncode, 1)
                self.assertIn(f"127.0.0.1:{supervisor.port}", done.stderr)
                self.assertEqual(journal.records, [])
            self.assertEqual(supervisor.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
