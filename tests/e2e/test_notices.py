"""What an operator has told of his backends: that one has answered, that one has ended, and why."""

import json
import os
import shutil
import signal
import sys
import tempfile
import time
import unittest

import fake
from crowd import Client
from supervisor import SCHEDULING_MARGIN, Supervisor, lives, result, wait_until
from tcplock import Service, ports

TELL = """
import json, os, sys, tempfile
document = sys.stdin.read()
told = {name: value for name, value in os.environ.items() if name.startswith("TCPLOCK_")}
text = json.dumps({"document": json.loads(document), "lines": document.count("\\n"), "told": told})
descriptor, path = tempfile.mkstemp(dir=sys.argv[1])
os.write(descriptor, text.encode())
os.rename(path, os.path.join(sys.argv[1], f"{told['TCPLOCK_HOOK']}-{told['TCPLOCK_GENERATION']}"))
"""

# A daemon as it is in the book: in a session of its own, nobody's child, with no output of ours.
DAEMON = """
import os, sys
until_it_runs, running = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1] + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), stream)
        os.execvp("sleep", ["sleep", "1000"])
    os._exit(0)
os.close(running)
os.read(until_it_runs, 1)
os.wait()
"""


def shell(script, timeout="30s"):
    """In a configuration a dollar sign is written twice."""
    return {"command": ["sh", "-c", script.replace("$", "$$")], "timeout": timeout}


def python(text, *arguments):
    return {"command": [sys.executable, "-c", text.replace("{", "{{").replace("}", "}}"), *arguments]}


def read(path):
    with open(path) as file:
        return file.read()


class HookTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tcplock-notice-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def pid_in(self, name):
        wait_until(lambda: os.path.exists(self.path(name)), 10, f"{name} is written")
        return int(read(self.path(name)))

    def told(self, hook, generation):
        path = self.path(f"{hook}-{generation}")
        wait_until(lambda: os.path.exists(path), 10, f"{hook} is told of generation {generation}")
        return json.loads(read(path))


class WhatIsToldTest(HookTest):
    def check(self, told, supervisor, hook, generation, **more):
        address = supervisor.log.wait("backend starting", generation=generation)["address"]
        expected = {"hook": hook, "instance": 0, "generation": generation, "address": address}
        expected.update(more)
        self.assertEqual(told["document"], expected)
        self.assertEqual(told["lines"], 1)
        variables = {
            "TCPLOCK_HOOK": hook,
            "TCPLOCK_INSTANCE": "0",
            "TCPLOCK_GENERATION": str(generation),
            "TCPLOCK_ADDRESS": address,
        }
        if "reason" in more:
            variables["TCPLOCK_REASON"] = more["reason"]
        ours = {"TCPLOCK_SUPERVISOR", "TCPLOCK_COMMAND"}  # by which we know what we have started
        self.assertEqual({k: v for k, v in told["told"].items() if k not in ours}, variables)

    def milliseconds(self, told, name, line, field):
        """As the log has it, which rounds."""
        value = told["document"][name]
        self.assertAlmostEqual(value, line.seconds(field) * 1000, delta=1.01)
        return value

    def test_every_field_of_all_four(self):
        tell = python(TELL, self.folder)
        names = ("before_admission", "session_timeout", "backend_ready", "backend_stopped")
        config = {
            "hooks": {name: tell for name in names},
            "gate": {"session_timeout": "1s"},
        }
        with fake.supervisor(**config) as supervisor:
            supervisor.start()
            log = supervisor.log
            told = self.told("backend_ready", 1)
            after = self.milliseconds(told, "after_ms", log.wait("backend ready"), "after")
            self.check(told, supervisor, "backend_ready", 1, after_ms=after)
            self.check(self.told("before_admission", 1), supervisor, "before_admission", 1)

            slow = Client(supervisor.port, "1 linger for-ever")
            self.assertEqual(slow.answer(), "1 g1")
            told = self.told("session_timeout", 1)
            recycled = log.wait("backend recycling", generation=1)
            why = {
                "reason": "session_timeout",
                "jobs": 1,
                "age_ms": self.milliseconds(told, "age_ms", recycled, "age"),
            }
            client = {"id": 1, "peer": slow.name}
            self.check(told, supervisor, "session_timeout", 1, client=client, **why)

            told = self.told("backend_stopped", 1)
            took = self.milliseconds(told, "took_ms", log.wait("backend stopped"), "took")
            end = {"exit": "killed by signal 9 (KILL)", "exit_signal": 9, "took_ms": took}
            self.check(told, supervisor, "backend_stopped", 1, **why, **end)

            self.assertEqual(self.told("backend_ready", 2)["document"]["generation"], 2)
            self.assertEqual(supervisor.terminate(), 0)
            told = self.told("backend_stopped", 2)
            stopping = log.wait("backend stopping", generation=2)
            stopped = log.wait("backend stopped", generation=2)
            more = {
                "reason": "shutdown",
                "jobs": 0,
                "age_ms": self.milliseconds(told, "age_ms", stopping, "age"),
                "took_ms": self.milliseconds(told, "took_ms", stopped, "took"),
                "exit": stopped["exit"],
            }
            end = "exit_signal" if stopped["exit"].startswith("killed") else "exit_status"
            more[end] = {"exit_signal": signal.SIGTERM, "exit_status": 0}[end]
            self.check(told, supervisor, "backend_stopped", 2, **more)
            self.assertEqual(log.count("hook failed"), 0)
            result("notices", told=log.count("hook ended"))

    def test_a_spare_has_no_number(self):
        config = {"hooks": {"backend_ready": python(TELL, self.folder)}, "backend": {"standby": 1}}
        with fake.supervisor(**config) as supervisor:
            supervisor.start()
            spare = supervisor.log.wait("backend ready", instance="standby")
            told = self.told("backend_ready", spare["generation"])
            self.assertIsNone(told["document"]["instance"])
            self.assertEqual(told["told"]["TCPLOCK_INSTANCE"], "standby")

    def test_a_start_that_failed_has_an_end_too(self):
        hooks = {name: python(TELL, self.folder) for name in ("backend_ready", "backend_stopped")}
        with fake.supervisor("--exit", "7", hooks=hooks) as supervisor:
            supervisor.start()
            document = self.told("backend_stopped", 1)["document"]
            self.assertEqual(document["reason"], "died")
            self.assertEqual(document["jobs"], 0)
            self.assertEqual(document["exit"], "exited with status 7")
            self.assertEqual(document["exit_status"], 7)
            self.assertEqual(supervisor.log.count("hook ended", hook="backend_ready"), 0)

    def test_of_a_service_that_somebody_else_runs_each_first_answer(self):
        gate, port = ports()
        config = {
            "protocol": "tcp",
            "listen": [{"address": f"127.0.0.1:{gate}"}],
            "backend": {"address": f"127.0.0.1:{port}"},
            "probe": {"interval": "100ms", "failure_threshold": 1},
            "hooks": {"backend_ready": python(TELL, self.folder)},
        }
        with Service(port) as service, Supervisor(config) as supervisor:
            service.start()
            supervisor.start()
            document = self.told("backend_ready", 1)["document"]
            after = document.pop("after_ms")
            self.assertAlmostEqual(
                after, supervisor.log.wait("backend ready").seconds("after") * 1000, delta=1.01
            )
            expected = {"hook": "backend_ready", "instance": 0, "generation": 1}
            self.assertEqual(document, {**expected, "address": f"127.0.0.1:{port}"})
            service.stop()
            supervisor.log.wait("backend must answer again before the next client")
            service.start()
            again = supervisor.log.wait("backend ready", nth=2)
            self.told("backend_ready", again["generation"])


class NobodyWaitsTest(HookTest):
    def test_clients_go_in_while_it_hangs_and_it_is_killed_with_all_it_has_started(self):
        hang = shell("setsid sleep 1000 & echo $!; exec sleep 1000", "8s")
        hooks = {"backend_ready": hang, "backend_stopped": hang}
        with fake.supervisor(hooks=hooks) as supervisor:
            supervisor.start()
            log = supervisor.log
            log.wait("hook output", hook="backend_ready", generation=1)
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            closed = {"backend_ready": log.wait("session closed", client=1)}
            supervisor.signal(signal.SIGUSR1)
            log.wait("hook output", hook="backend_stopped", generation=1)
            client = Client(supervisor.port, "2")
            self.assertEqual(client.answer(), "2 g2")
            client.close()
            closed["backend_stopped"] = log.wait("session closed", client=2)
            for hook in hooks:
                failed = log.wait("hook failed", timeout=20, hook=hook, generation=1)
                self.assertLess(log.lines.index(closed[hook]), log.lines.index(failed))
                left = int(log.wait("hook output", hook=hook, generation=1)["line"])
                result("hanging_notice", hook=hook, took=failed["took"], why=repr(failed["why"]))
                self.assertTrue(failed["why"].startswith("did not end in time"))
                self.assertGreaterEqual(failed.seconds("took"), 8)
                self.assertLess(failed.seconds("took"), 8 + 2 * SCHEDULING_MARGIN)
                wait_until(lambda: not lives(left), 5, "it has ended")
            result("line_beside_a_hanging_notice", waited=closed["backend_stopped"]["waited"])

    def test_one_that_fails_changes_nothing(self):
        hooks = {"backend_ready": shell("echo no; exit 3"), "backend_stopped": {"command": ["/no"]}}
        with fake.supervisor(hooks=hooks) as supervisor:
            supervisor.start()
            log = supervisor.log
            failed = log.wait("hook failed", hook="backend_ready", generation=1)
            self.assertEqual(failed["why"], "exited with status 3: no")
            self.assertEqual(log.count("backend recycling"), 0)
            supervisor.signal(signal.SIGUSR1)
            failed = log.wait("hook failed", hook="backend_stopped", generation=1)
            self.assertIn("/no", failed["why"])
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g2")
            client.close()

    def test_one_that_never_reads(self):
        never = shell("echo begun; sleep 1; echo unread")
        hooks = {name: never for name in ("before_admission", "backend_ready", "backend_stopped")}
        with fake.supervisor(hooks=hooks) as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            supervisor.log.wait("session closed")
            self.assertEqual(supervisor.terminate(), 0)
            for hook in hooks:
                self.assertGreaterEqual(supervisor.log.count("hook ended", hook=hook), 1)
            self.assertEqual(supervisor.log.count("hook failed"), 0)

    def test_one_that_closes_its_input(self):
        hooks = {"before_admission": shell("exec 0<&-; echo closed")}
        with fake.supervisor(hooks=hooks) as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.log.count("hook failed"), 0)

    def test_one_that_floods_its_output(self):
        flood = {"backend_ready": shell("timeout 6 yes something; echo the last")}
        with fake.supervisor(hooks=flood) as supervisor:
            supervisor.start()
            log = supervisor.log
            log.wait("hook output")
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            closed = log.wait("session closed", client=1)
            ended = log.wait("hook ended", timeout=30)
            self.assertLess(log.lines.index(closed), log.lines.index(ended))
            lines = [line["line"] for line in log.all("hook output")]
            more = [line for line in lines if line.startswith("… and ")]
            dropped = sum(int(line.split()[2]) for line in more)
            result("flooding_hook", told=len(lines), dropped=dropped, took=ended["took"])
            self.assertGreater(dropped, 10 * len(lines))
            self.assertTrue(all("the last: " in line for line in more), more)
            # A thousand in each second that has begun, and what is said of the rest.
            self.assertLessEqual(len(lines), 1001 * (int(ended.seconds("took")) + 2))
            self.assertTrue(lines[-1].endswith("the last"), lines[-1])


class WhatItLeavesTest(HookTest):
    def test_a_daemon_of_a_notice_ends_with_it(self):
        hooks = {"backend_ready": python(DAEMON, self.path("pid"))}
        with fake.supervisor(hooks=hooks) as supervisor:
            supervisor.start()
            supervisor.log.wait("hook ended", hook="backend_ready")
            self.assertFalse(lives(self.pid_in("pid")))

    def test_a_daemon_of_another_hook_ends_with_the_generation(self):
        hooks = {"before_admission": python(DAEMON, self.path("pid"))}
        with fake.supervisor(hooks=hooks) as supervisor:
            supervisor.start()
            supervisor.log.wait("hook ended", hook="before_admission")
            daemon = self.pid_in("pid")
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            self.assertTrue(lives(daemon))
            client.close()
            supervisor.log.wait("hook ended", hook="before_admission", nth=2)
            second = self.pid_in("pid")
            self.assertNotEqual(second, daemon)
            supervisor.signal(signal.SIGUSR1)
            supervisor.log.wait("backend stopped", generation=1)
            self.assertEqual([lives(daemon), lives(second)], [False, False])

    def test_a_daemon_is_left_alone_before_a_service_that_somebody_else_runs(self):
        gate, port = ports()
        config = {
            "protocol": "tcp",
            "listen": [{"address": f"127.0.0.1:{gate}"}],
            "backend": {"address": f"127.0.0.1:{port}"},
            "hooks": {"backend_ready": python(DAEMON, self.path("pid"))},
        }
        with Service(port) as service, Supervisor(config) as supervisor:
            service.start()
            supervisor.start()
            supervisor.log.wait("hook ended", hook="backend_ready")
            daemon = self.pid_in("pid")
            self.assertEqual(supervisor.terminate(), 0)
            self.assertTrue(lives(daemon))
            os.kill(daemon, signal.SIGKILL)

    def test_a_daemon_of_one_that_hangs_is_killed_with_it(self):
        text = DAEMON + "\nimport time\ntime.sleep(1000)\n"
        hooks = {"backend_ready": {**python(text, self.path("pid")), "timeout": "5s"}}
        with fake.supervisor(hooks=hooks) as supervisor:
            supervisor.start()
            supervisor.log.wait("hook failed", hook="backend_ready", timeout=20)
            wait_until(lambda: not lives(self.pid_in("pid")), 5, "it has ended")


class StormTest(HookTest):
    CLIENTS = 20

    def slow(self, name, wait):
        """Tells that it begins, and if another one of it runs."""
        return shell(
            f"mkdir {self.path(name)} || echo two at once >>{self.path('two')}\n"
            f"echo $TCPLOCK_GENERATION >>{self.path(name + '-begun')}\n"
            f"{wait}; rmdir {self.path(name)}"
        )

    def generation_that_serves(self, port):
        """One that dies may take a second client with it, who then has no answer."""
        for number in range(self.CLIENTS + 1, 2 * self.CLIENTS):
            client = Client(port, number)
            try:
                answer = client.answer()
            except ConnectionResetError:
                answer = ""
            client.close()
            if answer:
                return int(answer.split("g")[1])
        raise AssertionError("nobody serves any more")

    def test_a_backend_that_comes_and_goes_has_one_told_at_a_time(self):
        names = ("backend_ready", "backend_stopped")
        hooks = {name: self.slow(name, "sleep 3") for name in names}
        with fake.supervisor(hooks=hooks) as supervisor:
            supervisor.start()
            log = supervisor.log
            log.wait("backend ready")
            began = time.monotonic()
            for number in range(1, self.CLIENTS + 1):
                Client(supervisor.port, f"{number} die 1").rest()
            last = self.generation_that_serves(supervisor.port)
            log.wait("backend ready", generation=last)
            took = time.monotonic() - began
            for name in names:
                newest = last - (name == "backend_stopped")
                log.wait("hook ended", timeout=20, hook=name, generation=newest)
                begun = [int(line) for line in read(self.path(name + "-begun")).split()]
                skipped = log.count("hook skipped", hook=name)
                result("flapping", hook=name, lives=last, runs=len(begun),
                       skipped=skipped, within=f"{took:.1f}s")  # fmt: skip
                # One for each three seconds that have begun, and the newest of all.
                self.assertLessEqual(len(begun), int(took / 3) + 3)
                self.assertGreater(skipped, 0)
                self.assertEqual(len(begun) + skipped, newest)
                self.assertEqual(begun, sorted(begun))
                self.assertEqual(begun[-1], newest)
            self.assertFalse(os.path.exists(self.path("two")))

    def test_two_that_are_overdue_in_one_instance_are_told_one_after_the_other(self):
        until_it_may_end = f"until test -e {self.path('go')}; do sleep 0.1; done"
        config = {
            "hooks": {"session_timeout": self.slow("session_timeout", until_it_may_end)},
            "gate": {"session_timeout": "1s"},
            "backend": {"standby": 1},
        }
        with fake.supervisor(**config) as supervisor:
            supervisor.start()
            log = supervisor.log
            log.wait("backend ready", nth=2)
            slow = [Client(supervisor.port, f"{number} linger for-ever") for number in (1, 2)]
            self.assertEqual([client.answer()[:2] for client in slow], ["1 ", "2 "])
            log.wait("backend recycling", reason="session_timeout", nth=2)
            time.sleep(2)  # in which a second one would begin beside the first
            self.assertEqual(log.count("hook ended"), 0)
            open(self.path("go"), "w").close()
            log.wait("hook ended", hook="session_timeout", nth=2, timeout=20)
            self.assertEqual({line["instance"] for line in log.all("hook ended")}, {"0"})
            self.assertFalse(os.path.exists(self.path("two")))
            third = Client(supervisor.port, "3")
            self.assertTrue(third.answer().startswith("3 g"))
            third.close()


class EndTest(HookTest):
    def end(self, script, shutdown_timeout, signals=1, **more):
        """Ends the supervisor with this backend_stopped: its log, and how long its end has taken."""
        config = {"hooks": {"backend_stopped": shell(script)}, "shutdown_timeout": shutdown_timeout}
        with fake.supervisor(**config, **more) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            began = time.monotonic()
            supervisor.signal(signal.SIGTERM)
            if signals > 1:
                supervisor.log.wait("hook output", hook="backend_stopped")
                time.sleep(0.3)  # a shorter time makes it the same request
                supervisor.signal(signal.SIGTERM)
            self.assertEqual(supervisor.wait_exit(30), 0)
            return supervisor.log, time.monotonic() - began

    def test_the_last_one_runs_to_its_end(self):
        log, took = self.end("sleep 2; echo done", "30s")
        self.assertEqual(log.count("hook ended", hook="backend_stopped"), 1)
        self.assertEqual(log.all("hook output")[0]["line"], "done")
        messages = [line.message for line in log.lines]
        self.assertLess(messages.index("hook ended"), messages.index("stopped"))

    def test_one_that_hangs_is_killed_when_the_time_for_the_end_is_up(self):
        log, took = self.end("echo $$; exec sleep 1000", "2s")
        result("end_with_a_hanging_notice", shutdown_timeout="2s", took=f"{took:.2f}s")
        self.assertEqual(log.count("hook killed", hook="backend_stopped", instance=0), 1)
        self.assertGreaterEqual(took, 2)
        self.assertLess(took, 2 + 2 * SCHEDULING_MARGIN)
        pid = int(log.all("hook output")[0]["line"])
        wait_until(lambda: not lives(pid), 5, "it has ended")

    def test_it_has_a_moment_where_no_time_is_left(self):
        log, took = self.end("exec sleep 1000", "0s")
        self.assertEqual(log.count("hook killed"), 1)
        ended, killed = (log.all(what)[0].when() for what in ("backend stopped", "hook killed"))
        self.assertGreaterEqual(round(killed - ended, 2), 1)
        self.assertGreaterEqual(took, 1)
        self.assertLess(took, 1 + 2 * SCHEDULING_MARGIN)

    def test_a_second_signal_ends_it_at_once(self):
        log, took = self.end("echo $$; exec sleep 1000", "30s", signals=2)
        self.assertEqual(log.count("hook killed"), 1)
        self.assertLess(took, 1 + 2 * SCHEDULING_MARGIN)
        pid = int(log.all("hook output")[0]["line"])
        wait_until(lambda: not lives(pid), 5, "it has ended")


if __name__ == "__main__":
    unittest.main(verbosity=2)
