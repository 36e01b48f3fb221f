"""What systemd is told, and what it is not made to wait for; nothing of it reaches a backend.

The service manager is played here: a datagram socket at NOTIFY_SOCKET, which knows who sends.
"""

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import fake
from crowd import Client
from socket_unit import SocketUnit, listening
from supervisor import (
    BINARY,
    Supervisor,
    freeze,
    read_proc,
    result,
    run_command,
    wait_clients,
    wait_until,
)

LAST = b"X_LAST=1"
SO_TIMESTAMP = 29  # which the socket module does not name


class ServiceManager:
    """Keeps every message: when it was sent, by the clock that time.time() reads and as the kernel
    knows it, from which process, and its assignments."""

    def __init__(self, supervisor):
        self.path = os.path.join(supervisor.directory, "notify")
        self.messages = []
        self._may_read = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        self._socket.bind(self.path)
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self):
        self._reader.start()
        return self

    def __exit__(self, *error):
        end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        end.sendto(b"", self.path)
        end.close()
        self._reader.join(10)
        self._socket.close()

    def _read(self):
        room = sum(socket.CMSG_SPACE(struct.calcsize(what)) for what in ("3i", "2l"))
        while True:
            text, attached, _, _ = self._socket.recvmsg(4096, room)
            if not text:
                return
            told = {kind: data for _, kind, data in attached}
            pid = struct.unpack("3i", told[socket.SCM_CREDENTIALS])[0]
            seconds, microseconds = struct.unpack("2l", told[SO_TIMESTAMP])
            self.messages.append((seconds + microseconds / 1e6, pid, text.decode()))
            if text == LAST:
                self._may_read.wait(60)
                self._may_read.clear()

    @contextlib.contextmanager
    def busy(self):
        """It reads nothing meanwhile, and there is no room for anything."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
            others.setblocking(False)
            others.sendto(LAST, self.path)
            wait_until(lambda: self.all("X_LAST"), 10, "the last that it reads")
            try:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        others.sendto(b"X_OTHERS=1", self.path)
                yield
            finally:
                self._may_read.set()

    def all(self, name):
        """The values told for a name, with their times."""
        return [
            (at, line.split("=", 1)[1])
            for at, _, text in list(self.messages)
            for line in text.split("\n")
            if line.startswith(name + "=")
        ]

    def wait(self, name, value=None, nth=1, timeout=15):
        def found():
            matching = [one for one in self.all(name) if value is None or value in one[1]]
            return matching[nth - 1] if len(matching) >= nth else None

        try:
            return wait_until(found, timeout, f"{name}={value or ''}")
        except AssertionError as error:
            raise AssertionError(f"{error}; so far {self.messages}") from None

    def order(self, *names):
        """Of each name its first message, in the order of coming."""
        told = [line.split("=", 1)[0] for _, _, text in self.messages for line in text.split("\n")]
        return sorted(names, key=told.index)


def under(path, **more):
    """As systemd starts a service: it knows whose the watchdog is."""
    variables = " ".join(f"{name}={value}" for name, value in more.items())
    return ["sh", "-c", f'exec env NOTIFY_SOCKET="$0" WATCHDOG_PID=$$ {variables} "$@"', path]


class NotifyTest(unittest.TestCase):
    def test_it_is_told_from_the_start_to_the_end_in_this_order(self):
        with fake.supervisor() as supervisor, ServiceManager(supervisor) as manager:
            supervisor.under = under(manager.path)
            supervisor.start()
            manager.wait("READY", "1")
            inside = Client(supervisor.port, "1")
            self.assertEqual(inside.answer(), "1 g1")
            manager.wait("STATUS", "serving, 1 inside, nobody waits")
            waiting = [Client(supervisor.port, number) for number in (2, 3)]
            wait_clients(supervisor.port, 3)
            manager.wait("STATUS", "serving, 1 inside, 2 wait, the first for ", nth=2)
            supervisor.signal(signal.SIGTERM)
            manager.wait("STOPPING", "1")
            manager.wait("STATUS", "draining, 1 inside, 2 wait, the first for")
            inside.close()
            for number, client in enumerate(waiting, 2):
                self.assertEqual(client.answer().split()[0], str(number))
                client.close()
            self.assertEqual(supervisor.wait_exit(20), 0)
            self.assertEqual(
                manager.order("READY", "STOPPING", "EXTEND_TIMEOUT_USEC"),
                ["READY", "STOPPING", "EXTEND_TIMEOUT_USEC"],
            )
            for once in ("READY", "STOPPING"):
                self.assertEqual(len(manager.all(once)), 1)
            self.assertEqual(manager.all("WATCHDOG"), [], "nobody asked for it")
            self.assertEqual({pid for _, pid, _ in manager.messages}, {supervisor.pid})
            told = manager.all("STATUS")
            for (_, before), (_, after) in zip(told, told[1:]):
                self.assertNotEqual(before, after, "only what has changed is told")
            span = told[-1][0] - told[0][0]
            result("status", told=len(told), span=f"{span:.1f}s", last=repr(told[-1][1]))
            self.assertLessEqual(len(told), span + 2, "at most once a second")

    def test_it_is_ready_when_clients_may_come_whatever_the_backend_does(self):
        with fake.supervisor("--never-listen") as supervisor, ServiceManager(supervisor) as manager:
            supervisor.under = under(manager.path)
            supervisor.start()
            manager.wait("READY", "1")
            client = Client(supervisor.port, "1")
            wait_clients(supervisor.port, 1)
            manager.wait("STATUS", "starting, 1 waits, for")
            self.assertEqual(supervisor.log.count("backend ready"), 0)
            client.close()

    def test_what_it_had_no_room_for_is_told_when_it_has(self):
        """Though nothing has happened since."""
        asleep = {"interval": "1h"}
        with fake.supervisor(probe=asleep) as supervisor, ServiceManager(supervisor) as manager:
            supervisor.under = under(manager.path)
            supervisor.start()
            manager.wait("STATUS", "serving, nobody waits")
            inside = Client(supervisor.port, "1")
            self.assertEqual(inside.answer(), "1 g1")
            manager.wait("STATUS", "serving, 1 inside")
            with manager.busy():
                inside.close()
                supervisor.log.wait("session closed")
                time.sleep(3.5)  # It looks once a second, and rests when nothing has happened in one.
            manager.wait("STATUS", "serving, nobody waits", nth=2)

    def test_a_reload_is_told_and_its_end(self):
        with fake.supervisor() as supervisor, ServiceManager(supervisor) as manager:
            supervisor.under = under(manager.path)
            supervisor.start()
            manager.wait("READY", "1")
            before = time.monotonic()
            reloaded = run_command("reload", "-s", supervisor.admin_socket)
            self.assertEqual(reloaded.returncode, 0, reloaded.stderr)
            manager.wait("RELOADING", "1")
            manager.wait("READY", "1", nth=2)
            began = int(manager.wait("MONOTONIC_USEC")[1]) / 1e6
            self.assertTrue(before <= began <= time.monotonic(), (before, began))
            self.assertEqual(supervisor.terminate(), 0)

    def test_time_is_asked_for_as_long_as_a_drain_lasts(self):
        with fake.supervisor(shutdown_timeout="1s") as supervisor:
            with ServiceManager(supervisor) as manager:
                supervisor.under = under(manager.path)
                supervisor.start()
                client = Client(supervisor.port, "1")
                self.assertEqual(client.answer(), "1 g1")
                manager.wait("READY")
                drain = run_command("drain", "-s", supervisor.admin_socket)
                self.assertEqual(drain.returncode, 0)
                self.assertEqual(manager.wait("STOPPING")[1], "1")
                third = manager.wait("EXTEND_TIMEOUT_USEC", nth=3, timeout=25)[0]
                asked = manager.all("EXTEND_TIMEOUT_USEC")
                spans = [int(value) / 1e6 for _, value in asked]
                gaps = [after[0] - before[0] for before, after in zip(asked, asked[1:])]
                result(
                    "extended",
                    times=len(asked),
                    by=f"{min(spans):.0f}s",
                    every=f"{max(gaps):.1f}s",
                    drained_for=f"{third - asked[0][0]:.1f}s",
                )
                self.assertGreater(min(spans), 2 * max(gaps), "long before it is over")
                client.close()
                self.assertEqual(supervisor.wait_exit(20), 0)

    def test_a_manager_that_does_not_read_holds_nobody_up(self):
        with fake.supervisor() as supervisor:
            deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            path = os.path.join(supervisor.directory, "deaf")
            deaf.bind(path)
            supervisor.under = under(path, WATCHDOG_USEC=4000)
            supervisor.start()
            supervisor.log.wait("backend ready")
            deaf.setblocking(False)
            served = 0
            for number in range(1, 101):
                client = Client(supervisor.port, number)
                served += client.answer() == f"{number} g1"
                client.close()
            taken = 0
            try:
                while deaf.recv(4096):
                    taken += 1
            except BlockingIOError:
                pass
            result("deaf_manager", messages_it_had_room_for=taken, clients_served=served)
            self.assertEqual(served, 100)
            self.assertGreater(taken, 0)
            self.assertEqual(supervisor.terminate(), 0)
            deaf.close()

    def test_ready_is_told_when_there_is_room_for_it(self):
        with fake.supervisor() as supervisor:
            path = os.path.join(supervisor.directory, "notify")
            supervisor.under = under(path)
            supervisor.start()
            supervisor.log.wait("backend ready")
            # Nobody was there, as while a service manager is being replaced.
            with ServiceManager(supervisor) as manager:
                manager.wait("READY", "1")
                self.assertEqual(supervisor.terminate(), 0)
                manager.wait("STOPPING", "1")

    def test_what_is_no_socket_is_named_and_done_without(self):
        with fake.supervisor() as supervisor:
            supervisor.under = under("nowhere")
            supervisor.start()
            line = supervisor.log.wait("the service manager is told nothing")
            self.assertEqual(line["name"], "nowhere")
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.terminate(), 0)


class WatchdogTest(unittest.TestCase):
    LIMIT = 12.0

    def test_it_is_fed_by_the_event_loop_alone(self):
        with fake.supervisor() as supervisor, ServiceManager(supervisor) as manager:
            supervisor.under = under(manager.path, WATCHDOG_USEC=int(self.LIMIT * 1e6))
            supervisor.start()
            manager.wait("WATCHDOG", nth=4, timeout=60)
            fed = [at for at, _ in manager.all("WATCHDOG")]
            gaps = [after - before for before, after in zip(fed, fed[1:])]
            self.assertLess(sorted(gaps)[len(gaps) // 2], 0.6 * self.LIMIT, "twice in its time")
            self.assertLess(max(gaps), self.LIMIT)
            freeze(supervisor.pid)
            stopped = time.time()
            time.sleep(self.LIMIT + 1)  # a span that is measured
            missed = [at for at, _ in manager.all("WATCHDOG") if at > stopped]
            supervisor.signal(signal.SIGCONT)
            wait_until(
                lambda: [at for at, _ in manager.all("WATCHDOG") if at > stopped], 20, "it goes on"
            )
            result(
                "watchdog",
                limit=f"{self.LIMIT:.0f}s",
                fed_every=f"{max(gaps):.2f}s",
                fed_while_stopped=len(missed),
            )
            self.assertEqual(missed, [])
            self.assertEqual(supervisor.terminate(), 0)

    def test_one_that_is_meant_for_somebody_else_is_not_fed(self):
        with fake.supervisor() as supervisor, ServiceManager(supervisor) as manager:
            supervisor.under = ["env", f"NOTIFY_SOCKET={manager.path}", "WATCHDOG_USEC=100000",
                                f"WATCHDOG_PID={os.getpid()}"]  # fmt: skip
            supervisor.start()
            client = Client(supervisor.port, "1")
            manager.wait("STATUS", "1 inside")
            self.assertEqual(manager.all("WATCHDOG"), [])
            client.close()
            self.assertEqual(supervisor.terminate(), 0)


OF_SYSTEMD = {
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "JOURNAL_STREAM",
    "INVOCATION_ID",
}


def names(environment):
    return {part.split(b"=")[0].decode() for part in environment.split(b"\0") if part}


class EnvironmentTest(unittest.TestCase):
    def test_nothing_of_systemds_reaches_what_is_started(self):
        write = ["sh", "-c", "cat /proc/self/environ > @DIRECTORY@/$$0.new; "
                 "mv @DIRECTORY@/$$0.new @DIRECTORY@/$$0"]  # fmt: skip
        with SocketUnit(listening()) as unit, Supervisor(
            fake.config(
                listen=[{"address": "systemd"}],
                probe={"kind": "command", "command": [*write, "probe"]},
                hooks={"before_admission": {"command": [*write, "hook"]}},
            )
        ) as supervisor, ServiceManager(supervisor) as manager:
            unit.pass_to(supervisor)
            supervisor.under += under(
                manager.path,
                WATCHDOG_USEC=60_000_000,
                JOURNAL_STREAM="8:1",
                INVOCATION_ID="00112233445566778899aabbccddeeff",
            )
            supervisor.start()
            supervisor.log.wait("backend ready")
            client = Client(unit.port(), "1")
            self.assertEqual(client.answer(), "1 g1")
            backend = supervisor.log.wait("backend starting").number("pid")
            found = {"backend": names(read_proc(f"/proc/{backend}/environ"))}
            for which in ("probe", "hook"):
                path = os.path.join(supervisor.directory, which)
                wait_until(lambda: os.path.exists(path), 10, f"the {which} has written")
                found[which] = names(read_proc(path))
            self.assertEqual(names(read_proc(f"/proc/{supervisor.pid}/environ")) & OF_SYSTEMD,
                             OF_SYSTEMD)  # fmt: skip
            for which, variables in found.items():
                self.assertIn("PATH", variables, which)
                self.assertEqual(variables & OF_SYSTEMD, set(), which)
            result("environment", **{which: len(known) for which, known in found.items()})
            client.close()
            self.assertEqual(supervisor.terminate(), 0)


class JournalTest(unittest.TestCase):
    """With standard error named as the journal's stream, as systemd does it."""

    NAMED = ["sh", "-c", 'export JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2); exec "$0" "$@"']

    def lines(self, **log):
        # One that answers late has a probe that fails, and so a line of the least level.
        options = ["--start-delay", "300", "--say", 'backend\x1b[31m says "this" \\ ü']
        with fake.supervisor(*options, log=log) as supervisor:
            supervisor.under = self.NAMED
            supervisor.start(listening=False)

            def wait(words):
                wait_until(lambda: any(words in line.text for line in supervisor.log.lines), 20, words)

            wait("backend output")
            wait("backend ready")
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            wait("session closed")
            dead = Client(supervisor.port, "2 die 3")
            wait("backend died")  # a warning
            dead.close()
            self.assertEqual(supervisor.terminate(), 0)
            return [line.text for line in supervisor.log.lines]

    def test_each_line_begins_with_its_priority(self):
        lines = self.lines(level="debug")
        expected = {"<7>debug", "<6>info", "<4>warn"}
        self.assertEqual({line.split()[0] for line in lines}, expected)

    def test_a_post_mortem_is_no_longer_than_the_journal_takes(self):
        lines = ["ü\"" * 1300] * 8 + ["the last words"]
        with fake.supervisor("--say", "\n".join(lines), "--exit", "3") as supervisor:
            supervisor.start(listening=False)
            line = supervisor.log.wait("backend start failed")
            told = line["last_output"]
            result("post_mortem", printed=sum(map(len, lines)), told=len(told.encode()),
                   line=len(line.text.encode()), journal=48 << 10)  # fmt: skip
            self.assertTrue(told.startswith("…"), told[:20])
            self.assertTrue(told.endswith("the last words"), told[-20:])
            self.assertLessEqual(len(told.encode()), 16 << 10)
            self.assertLess(len(line.text.encode()), 48 << 10)

    def test_a_wrong_configuration_is_an_error_there_too(self):
        with fake.supervisor() as supervisor:
            with open(supervisor.config_file, "a") as file:
                file.write("gatte: {}\n")
            named = subprocess.run(
                [*self.NAMED, BINARY, "-c", supervisor.config_file],
                capture_output=True,
                text=True,
                timeout=20,
            )
            self.assertEqual(named.returncode, 78)
            self.assertTrue(named.stderr.startswith("<3>" + supervisor.config_file), named.stderr)
            plain = run_command("-c", supervisor.config_file)
            self.assertEqual(plain.stderr, named.stderr.removeprefix("<3>"))

    def test_json_has_it_too_and_the_same_fields(self):
        text = [line for line in self.lines() if "session closed" in line][0]
        lines = self.lines(format="json")
        objects = [json.loads(line[3:]) for line in lines]
        priorities = {"debug": "<7>", "info": "<6>", "warn": "<4>", "error": "<3>"}
        for line, one in zip(lines, objects):
            self.assertEqual(line[:3], priorities[one["level"]])
            self.assertRegex(one["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        said = [one for one in objects if one["message"] == "backend output"][0]
        self.assertEqual(said["line"], 'backend\\x1b[31m says "this" \\ ü')
        self.assertEqual((said["instance"], said["generation"]), ("0", 1))
        session = [one for one in objects if one["message"] == "session closed"][0]
        fields = [word.split("=")[0] for word in text.split()[3:]]
        self.assertEqual([name.removesuffix("_ms") for name in list(session)[3:]], fields)
        self.assertIs(session["job"], True)
        self.assertIsInstance(session["waited_ms"], int)
        self.assertEqual(session["end"], "S-" if "end=S-" in text else "--")
        result("json", lines=len(lines), fields=",".join(list(session)[3:]))


if __name__ == "__main__":
    unittest.main(verbosity=2)
