"""What an operator has run before a client goes in, and after one was cut for its time."""

import os
import shutil
import signal
import tempfile
import unittest

import fake
import office
from crowd import Client
from supervisor import SCHEDULING_MARGIN, Supervisor, lives, result, wait_clients, wait_until
from tcplock import Service, ports


def shell(script, timeout="30s"):
    """In a configuration a dollar sign is written twice."""
    return {"command": ["sh", "-c", script], "timeout": timeout}


class BeforeAdmissionTest(unittest.TestCase):
    def test_it_is_run_before_each_client_and_told_about_what(self):
        names = ("HOOK", "INSTANCE", "GENERATION", "ADDRESS")
        told = "echo " + " ".join(f"$$TCPLOCK_{name}" for name in names) + " {port}"
        with fake.supervisor(hooks={"before_admission": shell(told)}) as supervisor:
            supervisor.start()
            for number in (1, 2, 3):
                client = Client(supervisor.port, number)
                self.assertEqual(client.answer(), f"{number} g1")
                client.close()
                supervisor.log.wait("session closed", client=number)
            supervisor.log.wait("hook ended", nth=4)  # for whoever comes next
            port = supervisor.first_port + 5
            lines = {line["line"] for line in supervisor.log.all("hook output")}
            self.assertEqual(lines, {f"before_admission 0 1 127.0.0.1:{port} {port}"})
            messages = [line.message for line in supervisor.log.lines]
            kept = [m for m in messages if m in ("backend ready", "hook ended", "session closed")]
            self.assertEqual(kept[0], "backend ready")
            self.assertEqual(kept[1:], ["hook ended", "session closed"] * 3 + ["hook ended"])

    def test_it_is_not_run_for_a_client_that_left_the_line(self):
        config = {"hooks": {"before_admission": shell("true")}, "gate": {"half_closed": "leave"}}
        with fake.supervisor(**config) as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, "1")
            inside.answer()
            ghost = Client(supervisor.port, "2")
            wait_clients(supervisor.port, 2)
            ghost.close()
            supervisor.log.wait("client left", client=2)
            inside.close()
            client = Client(supervisor.port, "3")
            self.assertEqual(client.answer(), "3 g1")
            client.close()
            closed = supervisor.log.wait("session closed", client=3)
            until_then = supervisor.log.lines[: supervisor.log.lines.index(closed)]
            self.assertEqual([line.message for line in until_then].count("hook ended"), 2)

    def test_while_it_fails_the_head_keeps_its_place(self):
        folder = tempfile.mkdtemp(prefix="tcplock-hook-")
        self.addCleanup(shutil.rmtree, folder)
        mark = os.path.join(folder, "may-go-in")
        waits = os.path.join(folder, "one-waits")
        script = (
            f"until test -e {waits}; do sleep 0.1; done; "
            f"if ! test -e {mark}; then echo not yet; exit 3; fi"
        )
        config = {
            "hooks": {"before_admission": shell(script)},
            "backend": {"restart_backoff": {"first": "100ms", "max": "200ms"}},
        }
        with fake.supervisor(**config) as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1")
            wait_clients(supervisor.port, 1)
            with open(waits, "w"):
                pass
            failed = supervisor.log.wait("hook failed", timeout=60, nth=3)
            supervisor.log.wait("backend failing", timeout=20)
            with open(mark, "w"):
                pass
            answer = client.answer()
            recycled = supervisor.log.all("backend recycling")
            result(
                "failing_hook",
                why=repr(failed["why"]),
                failures=supervisor.log.count("hook failed"),
                then=repr(answer),
            )
            self.assertEqual(failed["why"], "exited with status 3: not yet")
            start = supervisor.log.wait("backend start failed")
            why = "hooks.before_admission: exited with status 3: not yet"
            self.assertEqual(start["reason"], why)
            self.assertEqual({line["reason"] for line in recycled}, {"hook_failed"})
            self.assertTrue(answer.startswith("1 g"))
            self.assertEqual(supervisor.log.count("client refused"), 0)

    def test_one_that_hangs_is_killed_with_all_it_has_started(self):
        script = "setsid sleep 1000 & echo $$!; sleep 1000"
        with fake.supervisor(hooks={"before_admission": shell(script, "3s")}) as supervisor:
            supervisor.start()
            failed = supervisor.log.wait("hook failed")
            left = int(supervisor.log.all("hook output")[0]["line"])
            result("hanging_hook", limit="3s", took=failed["took"], why=repr(failed["why"]))
            self.assertTrue(failed["why"].startswith("did not end in time"))
            self.assertGreaterEqual(failed.seconds("took"), 3)
            self.assertLess(failed.seconds("took"), 3 + 2 * SCHEDULING_MARGIN)
            wait_until(lambda: not lives(left), 5, "it has ended")

    def test_it_ends_with_the_supervisor(self):
        with fake.supervisor(hooks={"before_admission": shell("echo $$$$; sleep 1000")}) as supervisor:
            supervisor.start()
            running = int(supervisor.log.wait("hook output")["line"])
            self.assertEqual(supervisor.terminate(), 0)
            wait_until(lambda: not lives(running), 5, "it has ended")

    def test_a_program_that_is_missing_is_said(self):
        missing = {"command": ["/no/such/hook"]}
        with fake.supervisor(hooks={"before_admission": missing}) as supervisor:
            supervisor.start()
            self.assertIn("/no/such/hook", supervisor.log.wait("hook failed")["why"])


class SessionTimeoutTest(unittest.TestCase):
    def test_it_is_run_once_and_the_next_goes_in_after_it(self):
        config = {
            "hooks": {"session_timeout": shell("echo begin; sleep 1; echo end")},
            "gate": {"session_timeout": "2s"},
        }
        with fake.supervisor(**config) as supervisor:
            supervisor.start()
            slow = Client(supervisor.port, "1 linger for-ever")
            self.assertEqual(slow.answer(), "1 g1")
            waiting = Client(supervisor.port, "2")
            self.assertEqual(waiting.answer(), "2 g2")
            waiting.close()
            line = supervisor.log.wait("session closed", client=2)
            messages = [line.message for line in supervisor.log.lines]
            starts = [i for i, message in enumerate(messages) if message == "backend starting"]
            result("hook_after_timeout", next_waited=line["waited"], hook="1s")
            self.assertEqual(supervisor.log.count("hook ended", hook="session_timeout"), 1)
            self.assertLess(messages.index("hook ended"), starts[1])

    def test_what_it_has_running_in_the_background_is_not_taken_for_the_backends(self):
        folder = tempfile.mkdtemp(prefix="tcplock-hook-")
        self.addCleanup(shutil.rmtree, folder)
        mark = os.path.join(folder, "done")
        # Were it killed, the hook would not end.
        script = f"(setsid sh -c 'sleep 1; touch {mark}' &); until test -e {mark}; do sleep 0.1; done"
        config = {
            "hooks": {"session_timeout": shell(script)},
            "gate": {"session_timeout": "2s"},
        }
        with fake.supervisor(**config) as supervisor:
            supervisor.start()
            slow = Client(supervisor.port, "1 linger for-ever")
            self.assertEqual(slow.answer(), "1 g1")
            supervisor.log.wait("hook ended", hook="session_timeout")
            self.assertTrue(os.path.exists(mark))

    def test_one_that_hangs_holds_up_the_next_no_longer_than_its_time(self):
        config = {
            "hooks": {"session_timeout": shell("setsid sleep 1000 & echo $$!; sleep 1000", "3s")},
            "gate": {"session_timeout": "2s"},
        }
        with fake.supervisor(**config) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            slow = Client(supervisor.port, "1 linger for-ever")
            waiting = Client(supervisor.port, "2", timeout=60)
            self.assertEqual(slow.answer(), "1 g1")
            self.assertEqual(waiting.answer(), "2 g2")
            waiting.close()
            waited = supervisor.log.wait("session closed", client=2).seconds("waited")
            failed = supervisor.log.wait("hook failed", hook="session_timeout")
            left = int(supervisor.log.all("hook output")[0]["line"])
            result("hanging_session_timeout", limit="3s", took=failed["took"], waited=waited)
            # At most the first one's time, the hook's own and a start.
            self.assertGreaterEqual(waited, 3)
            self.assertLess(waited, 2 + 3 + 4 * SCHEDULING_MARGIN)
            wait_until(lambda: not lives(left), 5, "it has ended")

    def test_it_may_fail(self):
        config = {
            "hooks": {"session_timeout": shell("exit 1")},
            "gate": {"session_timeout": "2s"},
        }
        with fake.supervisor(**config) as supervisor:
            supervisor.start()
            slow = Client(supervisor.port, "1 linger for-ever")
            self.assertEqual(slow.answer(), "1 g1")
            waiting = Client(supervisor.port, "2")
            self.assertEqual(waiting.answer(), "2 g2")
            supervisor.log.wait("hook failed", hook="session_timeout")


class SeveralInsideTest(unittest.TestCase):
    """Before a service that somebody else runs, for two clients at once."""

    def config(self, gate, port, session_timeout):
        return {
            "protocol": "tcp",
            "listen": [{"address": f"127.0.0.1:{gate}"}],
            "gate": {"concurrency": 2, "session_timeout": session_timeout},
            "backend": {"address": f"127.0.0.1:{port}"},
            # One that is due goes in where somebody is cut, whom the service still counts.
            "probe": {"interval": "1h"},
            "hooks": {
                "before_admission": shell("true"),
                "session_timeout": shell("echo done about it"),
            },
        }

    def test_the_hook_is_run_when_the_last_one_inside_has_left(self):
        gate, port = ports()
        config = self.config(gate, port, session_timeout="5s")
        with Service(port, "--at-most", "2") as service, Supervisor(config) as supervisor:
            service.start()
            supervisor.start()
            slow = Client(gate, "1")
            self.assertEqual(slow.answer(), "1 s")
            supervisor.log.wait("hook ended", hook="before_admission")
            # Who is inside keeps his limit.
            supervisor.write_config(self.config(gate, port, session_timeout="60s"))
            supervisor.signal(signal.SIGHUP)
            supervisor.log.wait("reloaded")
            neighbour = Client(gate, "2")
            self.assertEqual(neighbour.answer(), "2 s")
            self.assertEqual(slow.rest(), "reset")
            # The service counts him a moment longer.
            wait_until(lambda: service.journal().of("reset"), 10, "the first one has left")
            self.assertEqual(supervisor.log.count("hook ended", hook="session_timeout"), 0)
            neighbour.close()
            supervisor.log.wait("hook ended", hook="session_timeout")
            client = Client(gate, "3")
            self.assertEqual(client.answer(), "3 s")
            client.close()
            self.assertEqual(supervisor.log.count("hook ended", hook="session_timeout"), 1)
            self.assertEqual(service.journal().count["violation"], 0)


RESTART = """
set -eu
cd {folder}
count=$(($(cat count 2>/dev/null || echo 0) + 1))
echo $count >count
if [ $(((count - 1) % 2)) -ne 0 ]; then exit 0; fi
if [ -e pid ]; then kill -KILL -- -$(cat pid) || true; fi
while timeout 1 bash -c ': </dev/tcp/127.0.0.1/{port}' 2>/dev/null; do sleep 0.1; done
setsid soffice --headless --norestore --nologo --nodefault --nolockcheck \
    -env:UserInstallation=file://{folder}/profile \
    "--accept=socket,host=127.0.0.1,port={port};urp;" >/dev/null 2>&1 &
echo $! >pid
"""


class SomebodyElsesOfficeTest(unittest.TestCase):
    """As with the ancestor: the office is the hook's, which restarts it before every other client."""

    def test_documents_are_converted_over_restarts(self):
        gate, port = ports()
        folder = tempfile.mkdtemp(prefix="tcplock-hook-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        script = os.path.join(folder, "restart")
        with open(script, "w") as file:
            file.write(RESTART.format(folder=folder, port=port))
        config = {
            "protocol": "tcp",
            "listen": [{"address": f"127.0.0.1:{gate}"}],
            "gate": {"half_closed": "leave"},
            "backend": {"address": f"127.0.0.1:{port}"},
            "hooks": {"before_admission": {"command": ["bash", script]}},
        }
        self.addCleanup(self.end_office, folder)
        # Its first answer comes from the office that was there before.
        os.system(f"bash {script}")
        with Supervisor(config) as supervisor:
            supervisor.start()
            conversions = office.Conversions(gate, count=9, at_once=3)
            conversions.finish()
            supervisor.log.wait("session closed", nth=9)
            # One before the first client and one after each; none is writing its count then.
            supervisor.log.wait("hook ended", nth=10)
            with open(os.path.join(folder, "count")) as file:
                runs = int(file.read()) - 1  # The first was our own.
            result("somebody_elses_office", converted=len(conversions.good), hook_runs=runs)
            self.assertEqual(conversions.errors, [])
            self.assertEqual(runs, 10)
            self.assertEqual(office.assert_served_in_order(self, supervisor), 9)
            self.assertEqual(supervisor.terminate(), 0)
            # It is not ours to end.
            with open(os.path.join(folder, "pid")) as file:
                os.killpg(int(file.read()), 0)

    def end_office(self, folder):
        try:
            with open(os.path.join(folder, "pid")) as file:
                group = int(file.read())
            os.killpg(group, signal.SIGKILL)
        except (OSError, ValueError):
            return
        wait_until(lambda: not self.lives(group), 10, "the office has ended")

    def lives(self, group):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        return True


if __name__ == "__main__":
    unittest.main(verbosity=2)
