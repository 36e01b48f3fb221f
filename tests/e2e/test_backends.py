"""Backends that will not start, will not stop, or leave things behind.

For each: what the daemon said, how much processor time it used meanwhile, and that nothing of the
backend is left when the daemon has gone.
"""

import os
import signal
import socket
import subprocess
import time
import unittest

import fake
from crowd import Client
from supervisor import (
    BINARY,
    SMALL,
    Supervisor,
    processes,
    read_proc,
    result,
    wait_until,
)

TRACER = os.environ.get("TRACER", "")
SPAN = float(os.environ.get("TCPLOCK_SPAN", "20"))  # seconds of watching a backend that fails
STORM_LIMIT = 0.05 if SMALL else 0.01  # of one processor, for a flapping backend


def show(supervisor, most=12):
    """What the supervisor did: its lines, without the times."""
    lines = [line.text.split(" ", 1)[1] for line in supervisor.log.lines if line.level]
    for text in lines[:most] + (["…"] if len(lines) > most else []):
        print("  " + text, flush=True)


def processor_share(supervisor, seconds):
    """Processor time of the daemon itself over a span, as a share of one processor: of up to three
    spans the one with the smallest. What else the machine does adds to it, and takes nothing away."""
    smallest = 1.0
    for _ in range(3):
        begin = supervisor.processor_seconds()
        start = time.monotonic()
        time.sleep(seconds)  # The span is what is measured.
        share = (supervisor.processor_seconds() - begin) / (time.monotonic() - start)
        smallest = min(smallest, share)
        if smallest < STORM_LIMIT:
            break
    return smallest


class FailingStartTest(unittest.TestCase):
    def failures(self, supervisor):
        """The first at length, those that are the same in short."""
        return [line for line in supervisor.log.lines
                if line.message.startswith("backend start failed")]  # fmt: skip

    def assert_backs_off(self, supervisor, share):
        failures = self.failures(supervisor)
        waits = [line.seconds("next_try_in") for line in failures]
        self.assertGreaterEqual(len(waits), 2)
        self.assertEqual(waits, sorted(waits), "each wait is at least as long as the one before")
        self.assertLess(share, STORM_LIMIT)
        return waits

    def test_a_command_that_only_exits(self):
        backend = {"command": ["false"]}
        with fake.supervisor(backend=backend) as supervisor:
            supervisor.start()
            patient = Client(supervisor.port, "1", timeout=5)
            share = processor_share(supervisor, SPAN)
            newcomer = Client(supervisor.port, "2")
            newcomer.rest()
            refused = supervisor.log.wait("client refused")
            waits = self.assert_backs_off(supervisor, share)
            show(supervisor)
            result(
                "false",
                starts=supervisor.log.count("backend starting"),
                span=f"{SPAN:g}s",
                processor=f"{share:.3%}",
                next_try_in=",".join(map(str, waits)),
                newcomer=refused["end"],
            )
            self.assertEqual(supervisor.log.count("backend failing"), 1)
            self.assertEqual(refused["end"], "PF")
            # Who waited before that keeps the place.
            self.assertEqual(refused["peer"], newcomer.name)
            self.assertEqual(supervisor.log.count("client left"), 0)
            patient.close()
            self.assertEqual(supervisor.terminate(), 0)
            supervisor.assert_nothing_left()

    def test_a_command_that_says_much_before_it_dies(self):
        script = "seq 1 20000; echo FATAL: out of cheese; exit 3"
        with fake.supervisor(backend={"command": ["sh", "-c", script]}) as supervisor:
            supervisor.start()
            failed = supervisor.log.wait("backend start failed")
            result("much_output", last=repr(failed["last_output"][-40:]))
            self.assertTrue(failed["last_output"].endswith("20000 | FATAL: out of cheese"))

    def test_a_command_that_does_not_exist(self):
        with fake.supervisor(backend={"command": ["/no/such/program"]}) as supervisor:
            supervisor.start()
            line = supervisor.log.wait("backend start failed")
            supervisor.log.wait("backend start failed again, as before")
            show(supervisor, 4)
            result("no_such_program", reason=repr(line["reason"]))
            self.assertIn("/no/such/program", line.text)
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_missing_office_is_said_with_what_to_install(self):
        config = {"protocol": "uno", "backend": {"environment": {"PATH": "/var/empty"}}}
        with Supervisor(config) as supervisor:
            supervisor.start()
            why = supervisor.log.wait("backend start failed")["reason"]
            self.assertIn("cannot run soffice: there is no such program in /var/empty. ", why)
            self.assertIn("apt install libreoffice-writer-nogui", why)
            self.assertEqual(supervisor.terminate(), 0)

    def test_one_that_never_listens(self):
        with fake.supervisor("--never-listen", backend={"start_timeout": "2s"}) as supervisor:
            supervisor.start()
            share = processor_share(supervisor, SPAN)
            self.assertGreaterEqual(
                supervisor.log.count("backend recycling", reason="start_timeout"), 1
            )
            waits = self.assert_backs_off(supervisor, share)
            show(supervisor)
            started = fake.Journal(supervisor.journal_file).count["start"]
            result(
                "never_listens",
                starts=started,
                span=f"{SPAN:g}s",
                processor=f"{share:.3%}",
                next_try_in=",".join(map(str, waits)),
            )
            # Every life but the present one was ended.
            self.assertLessEqual(len(supervisor.tree()), 1)
            self.assertEqual(supervisor.terminate(), 0)
            supervisor.assert_nothing_left()

    def test_those_who_waited_are_served_when_it_recovers_by_itself(self):
        cure = "@DIRECTORY@/cured"
        script = 'test -e "$$0" || exit 1; exec "$$@"'
        command = ["/bin/sh", "-c", script, cure, *fake.command()]
        backend = {"command": command, "restart_backoff": {"first": "200ms", "max": "2s"}}
        with fake.supervisor(backend=backend) as supervisor:
            supervisor.start()
            waiting = [Client(supervisor.port, number, timeout=60) for number in range(1, 6)]
            supervisor.log.wait("backend failing", timeout=30)
            with open(os.path.join(supervisor.directory, "cured"), "w"):
                pass
            answers = []
            for client in waiting:
                answers.append(client.answer().split()[0])
                client.close()
            newcomer = Client(supervisor.port, "6")
            self.assertEqual(newcomer.answer().split()[0], "6")
            newcomer.close()
            failures = len(self.failures(supervisor))
            result("recovers", failures=failures, waited_and_served=len(answers))
            self.assertEqual(answers, ["1", "2", "3", "4", "5"])
            self.assertEqual(supervisor.terminate(), 0)


def wait_stray(supervisor):
    """The pid of the first one's, which writes it down itself."""
    return wait_until(
        lambda: fake.Journal(supervisor.journal_file).count["stray"]
        and fake.Journal(supervisor.journal_file).first_stray(),
        10, "the stray",
    )  # fmt: skip


class StubbornTest(unittest.TestCase):
    """Those that do not go when they are asked."""

    def serve_recycle_serve(self, supervisor):
        """One client, a recycle by USR1, another client; when, and how long the second waited."""
        first = Client(supervisor.port, "1")
        self.assertEqual(first.answer(), "1 g1")
        first.close()
        supervisor.log.wait("session closed")
        begin = time.monotonic()
        supervisor.signal(signal.SIGUSR1)
        supervisor.log.wait("backend recycling", generation=1)
        second = Client(supervisor.port, "2", timeout=60)
        self.assertEqual(second.answer(), "2 g2")
        took = time.monotonic() - begin
        second.close()
        supervisor.log.wait("session closed", nth=2)
        return begin, took

    def finish(self, supervisor, name, **figures):
        share = processor_share(supervisor, 5)
        begin = time.monotonic()
        status = supervisor.terminate()
        stopped = time.monotonic() - begin
        supervisor.assert_nothing_left()
        show(supervisor)
        journal = fake.Journal(supervisor.journal_file)
        result(
            name,
            **figures,
            strays=journal.count["stray"],
            stop=f"{stopped:.2f}s",
            status=status,
            processor=f"{share:.3%} of 5s",
            left_behind=0,
        )
        self.assertEqual(status, 0)
        self.assertLess(share, STORM_LIMIT)
        return journal

    def test_one_that_ignores_term_is_killed(self):
        with fake.supervisor("--ignore-term") as supervisor:
            supervisor.start()
            asked, took = self.serve_recycle_serve(supervisor)
            stopped = supervisor.log.wait("backend stopped", generation=1)
            self.finish(
                supervisor,
                "ignores_term",
                grace="1s",
                took=stopped["took"],
                next_served=f"{took:.2f}s",
            )
            self.assertGreaterEqual(stopped.arrived - asked, 1)
            asking = "backend did not end when asked, killing it"
            killing = supervisor.log.wait(asking, generation=1)
            self.assertEqual(killing["grace"], "1.000s")
            self.assertLess(stopped.seconds("took"), 5)  # which it would have by default

    def test_one_that_forks_out_of_its_session_leaves_nothing(self):
        with fake.supervisor("--double-fork") as supervisor:
            supervisor.start()
            wait_stray(supervisor)
            self.serve_recycle_serve(supervisor)
            gone = fake.Journal(supervisor.journal_file).first_stray()
            self.assertFalse(
                os.path.exists(f"/proc/{gone}"), "the first stray went with its generation"
            )
            journal = self.finish(supervisor, "double_fork")
            self.assertEqual(journal.count["stray"], 2)

    def test_one_that_leaves_a_grandchild_with_the_port(self):
        with fake.supervisor("--grandchild-with-port") as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            wait_stray(supervisor)
            leader = supervisor.log.wait("backend starting").number("pid")
            os.kill(leader, signal.SIGKILL)
            supervisor.log.wait("backend recycling", generation=1)
            client = Client(supervisor.port, "1", timeout=60)
            self.assertEqual(client.answer(), "1 g2")
            client.close()
            gone = fake.Journal(supervisor.journal_file).first_stray()
            self.assertFalse(
                os.path.exists(f"/proc/{gone}"), "it went before the next generation came"
            )
            died = supervisor.log.wait("backend died", generation=1)
            self.finish(supervisor, "grandchild_with_port", exit=repr(died["exit"]))


class FloodTest(unittest.TestCase):
    def test_output_at_full_speed_into_a_log_that_nobody_reads(self):
        with fake.supervisor("--flood", read_log=False) as supervisor:
            supervisor.start()
            wait_until(
                lambda: fake.Journal(supervisor.journal_file).count["listening"], 20, "it listens"
            )
            begin, used = time.monotonic(), supervisor.processor_seconds()
            flooded = []
            for number in range(1, 21):
                client = Client(supervisor.port, f"{number} flooded", timeout=20)
                answer = client.answer().split()
                self.assertEqual(answer[0], str(number))
                flooded.append(int(answer[2]))
                client.close()
                time.sleep(0.25)  # Over a span, for the figures.
            seconds = time.monotonic() - begin
            share = (supervisor.processor_seconds() - used) / seconds
            rate = (flooded[-1] - flooded[0]) / seconds / 1e6
            memory = memory_kib(supervisor.pid)
            begin = time.monotonic()
            supervisor.signal(signal.SIGTERM)
            status = supervisor.process.wait(20)
            took = time.monotonic() - begin
            supervisor.assert_nothing_left()
            result(
                "flood",
                served=20,
                written=f"{rate:.0f}MB/s",
                span=f"{seconds:.0f}s",
                processor=f"{share:.0%}",
                memory=f"{memory}KiB",
                stop=f"{took:.2f}s",
                status=status,
                left_behind=0,
            )
            self.assertEqual(status, 0)
            self.assertGreater(rate, 0, "the backend never blocks on its output")
            self.assertLess(memory, 300_000)

    def test_dropped_output_is_counted(self):
        with fake.supervisor("--flood") as supervisor:
            supervisor.start()
            supervisor.log.wait("backend output", nth=100)
            used, begin = supervisor.processor_seconds(), time.monotonic()
            line = wait_until(
                lambda: supervisor.log.all("backend output dropped"),
                20,
                "a line that counts what was dropped",
            )[0]
            share = (supervisor.processor_seconds() - used) / max(0.001, time.monotonic() - begin)
            result("flood_read", said=repr(line.text[25:]), processor=f"{share:.0%}")
            self.assertGreater(line.number("lines"), 0)


class UnkillableTest(unittest.TestCase):
    def test_one_that_cannot_be_reaped_is_named_and_its_place_set_aside(self):
        backend = {"stop_grace": "500ms", "stop_timeout": "1s"}
        with fake.supervisor(backend=backend) as supervisor:
            supervisor.start()
            first = Client(supervisor.port, "1")
            self.assertEqual(first.answer(), "1 g1")
            leader = supervisor.log.wait("backend starting").number("pid")
            tracer = subprocess.Popen(
                [TRACER, str(leader)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            try:
                if tracer.stdout.readline().strip() != "attached":
                    self.skipTest("tracing is not permitted here")
                first.close()
                begin = time.monotonic()
                supervisor.signal(signal.SIGUSR1)
                line = supervisor.log.wait("place quarantined", timeout=20)
                named_after = line.arrived - begin
                second = Client(supervisor.port, "2", timeout=20)
                self.assertEqual(second.answer(), "2 g2")
                second.close()
                served_after = time.monotonic() - begin
                place = supervisor.log.wait("backend starting", generation=2)["place"]
                share = processor_share(supervisor, 5)
            finally:
                tracer.stdin.close()
                tracer.wait(10)
                tracer.stdout.close()
            status = supervisor.terminate()
            supervisor.assert_nothing_left()
            show(supervisor)
            result(
                "unkillable",
                named_after=f"{named_after:.2f}s",
                limit="1.5s",
                place=place,
                next_served=f"{served_after:.2f}s",
                processor=f"{share:.3%} of 5s",
                status=status,
            )
            self.assertEqual(line["place"], "0")
            self.assertEqual(line["generation"], "1")
            self.assertIn(str(leader), line.text, "what is left is named by its pid")
            self.assertNotEqual(place, "0")
            self.assertGreaterEqual(named_after, 0.99)
            self.assertLess(named_after, 10)  # With fake.config's own it would be 11 s or more.
            self.assertLess(share, STORM_LIMIT)
            self.assertEqual(status, 0)


class ListenerTest(unittest.TestCase):
    """Who answers at the backend's address?"""

    def test_a_listener_that_cleared_its_environment_was_a_stranger_for_ever(self):
        # Born without environment, in a session of its own, and its parent ends at once.
        stray = """setsid env -i /bin/sh -c '"$$@" &' sh "$$@"; exec sleep 1000"""
        command = ["/bin/sh", "-c", stray, "sh", *fake.command()]
        with fake.supervisor(backend={"command": command, "start_timeout": "15s"}) as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1", timeout=20)
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.terminate(), 0)
            self.assertEqual(accepting(supervisor.first_port + 5), False, "it ended as well")

    def test_somebody_elses_listener_that_we_may_not_look_into_was_taken_for_the_backend(self):
        as_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        tried = subprocess.run([*as_nobody, BINARY, "--version"], capture_output=True)
        if tried.returncode:
            self.skipTest("the daemon cannot be run as another user here")
        backend = {"command": ["sleep", "1000"], "start_timeout": "5s"}
        with fake.supervisor(backend=backend) as supervisor:
            for folder in (supervisor.directory, supervisor.state_directory):
                os.chown(folder, 65534, 65534)
            supervisor.under = as_nobody
            supervisor.start()
            supervisor.log.wait("backend starting")
            with socket.create_server(("127.0.0.1", supervisor.first_port + 5)):
                line = supervisor.log.wait("backend start failed", timeout=20)
                result("foreign_listener", reason=repr(line["reason"]))
                self.assertIn("is answered by a stranger, a process of user 0", line["reason"])
                self.assertEqual(supervisor.log.count("backend ready"), 0)
            self.assertEqual(supervisor.terminate(), 0)


def accepting(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class KilledTest(unittest.TestCase):
    OPTIONS = ("--double-fork", "--ignore-term")

    def test_nothing_it_had_started_survives_a_killed_supervisor(self):
        with fake.supervisor(*self.OPTIONS) as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            leader = supervisor.log.wait("backend starting").number("pid")
            pids = {leader, int(wait_stray(supervisor))}
            wait_until(lambda: {pid for pid, _ in supervisor.tree()} == pids, 10, "the two alone")
            started = {str(pid) for pid in pids}
            supervisor.process.kill()
            supervisor.process.wait()
            took = supervisor.assert_nothing_left(timeout=20)
            client.close()
            supervisor.wait_exit(10)
            lines = supervisor.log.all("the supervisor ended suddenly")
            result("killed", started=len(started), took=f"{took:.2f}s", named=len(lines))
            self.assertEqual({line["pid"] for line in lines}, started)

    def test_nor_does_a_child_that_cleared_its_environment_while_its_parent_lives(self):
        mark = str(100_000 + os.getpid())
        script = f'setsid env -i sleep {mark} & exec "$$@"'
        command = ["/bin/sh", "-c", script, "sh", *fake.command("--ignore-term")]

        def strays():
            wanted = f"sleep\0{mark}\0".encode()
            found = [pid for pid, *_ in processes() if read_proc(f"/proc/{pid}/cmdline") == wanted]
            return found

        with fake.supervisor(backend={"command": command}) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            wait_until(strays, 5, "it is there")
            supervisor.process.kill()
            supervisor.process.wait()
            wait_until(lambda: not strays(), 20, "it has gone")
            supervisor.assert_nothing_left(timeout=20)

    def test_a_user_of_its_own_is_no_way_out_even_where_root_may_not_look(self):
        # As in a container: root without the right to look at others' processes.
        drop = ["setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace"]
        with fake.supervisor("--double-fork", backend={"user": "nobody"}) as supervisor:
            os.chmod(supervisor.directory, 0o777)
            supervisor.under = drop
            supervisor.start()
            supervisor.log.wait("backend ready")
            wait_stray(supervisor)
            started = supervisor.tree()
            self.assertGreaterEqual(len(started), 2)
            supervisor.process.kill()
            supervisor.process.wait()
            took = supervisor.assert_nothing_left(timeout=20)
            result("killed_user", started=len(started), took=f"{took:.2f}s")

    def test_a_killed_supervisor_takes_nothing_of_the_next_one_with_it(self):
        with fake.supervisor(*self.OPTIONS) as first:
            first.start()
            first.log.wait("backend ready")
            warden = first.wait_warden()
            os.kill(warden, signal.SIGSTOP)  # It comes late, and all the same.
            first.process.kill()
            first.process.wait()
            again = Supervisor(
                fake.config(*self.OPTIONS), directory=first.directory, port_block=first.port
            )
            with again:
                again.start()
                again.log.wait("backend ready")
                os.kill(warden, signal.SIGCONT)
                wait_until(lambda: not read_proc(f"/proc/{warden}/cmdline"), 10, "it has gone")
                client = Client(again.port, "1")
                self.assertEqual(client.answer(), "1 g1")
                client.close()
                self.assertEqual(again.log.count("backend died"), 0)
                self.assertEqual(again.terminate(), 0)

    def test_who_kills_the_warden_harms_nobody(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            os.kill(supervisor.wait_warden(), signal.SIGKILL)
            self.assertEqual(supervisor.log.wait("no warden")["why"], "it has ended")
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_the_warden_holds_nothing_but_standard_error_and_goes_with_the_supervisor(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            warden = supervisor.wait_warden()
            held = sorted(os.listdir(f"/proc/{warden}/fd"), key=int)
            targets = [os.readlink(f"/proc/{warden}/fd/{number}") for number in held]
            result("warden", memory=f"{memory_kib(warden)}KiB", descriptors=",".join(held))
            self.assertEqual(held, ["0", "1", "2", "3"])
            self.assertEqual(targets[:2], ["/dev/null", "/dev/null"])
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
                os.kill(warden, number)
            self.assertEqual(supervisor.terminate(), 0)  # It says `stopped` with the warden there.
            self.assertEqual(supervisor.log.count("no warden"), 0)
            supervisor.assert_nothing_left(timeout=2)


class OrphanTest(unittest.TestCase):
    def test_what_a_killed_supervisor_left_is_ended_at_the_next_start(self):
        options = ("--double-fork", "--ignore-term")
        with fake.supervisor(*options) as supervisor:
            supervisor.start()
            first = Client(supervisor.port, "1")
            self.assertEqual(first.answer(), "1 g1")
            # Somebody else's process, which must not be touched.
            bystander = subprocess.Popen(["sleep", "60"], env={"STATE": "/elsewhere"})
            supervisor.kill_with_its_warden()
            orphans = supervisor.tree()
            first.close()
            again = Supervisor(
                fake.config(*options), directory=supervisor.directory, port_block=supervisor.port
            )
            with again:
                again.start()
                second = Client(again.port, "2", timeout=60)
                self.assertEqual(second.answer().split()[0], "2")
                second.close()
                alive = {pid for pid, _ in again.tree()}
                survivors = [pid for pid, _ in orphans if pid in alive]
                self.assertIsNone(bystander.poll())
                show(again)
                result(
                    "orphans",
                    left_by_kill=len(orphans),
                    after_next_start=len(survivors),
                    bystander="alive",
                )
                self.assertGreaterEqual(len(orphans), 1)
                self.assertEqual(survivors, [])
                self.assertEqual(again.terminate(), 0)
            bystander.kill()
            bystander.wait()


def memory_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
