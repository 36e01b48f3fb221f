"""What an operator sees and can do of a running supervisor, and what nobody else can."""

import concurrent.futures
import fcntl
import http.client
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import time
import unittest

import fake
from crowd import Client
from supervisor import (
    BINARY,
    SMALL,
    Supervisor,
    reserve_ports,
    result,
    run_command,
    wait_clients,
    wait_until,
)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=20):
        super().__init__("tcplock-supervisor", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(supervisor, method, path, body=None):
    connection = UnixConnection(supervisor.admin_socket)
    connection.request(method, path, body)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply.status, text


def status(supervisor):
    return json.loads(ask(supervisor, "GET", "/v1/status")[1])


def command(supervisor, *arguments):
    return run_command(*arguments, "-s", supervisor.admin_socket)


def said(supervisor, *arguments):
    done = command(supervisor, *arguments)
    if done.returncode != 0:
        raise AssertionError(f"{arguments}: {done.returncode} {done.stderr}")
    return done.stdout.strip()


class CommandsTest(unittest.TestCase):
    def test_a_pause_holds_everybody_and_their_patience(self):
        with fake.supervisor(
            gate={"queue_timeout": "6s"}, log={"level": "debug"}
        ) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            self.assertIn("paused", said(supervisor, "pause"))
            waiting = [Client(supervisor.port, number) for number in (1, 2, 3)]
            wait_clients(supervisor.port, 3)
            health = command(supervisor, "health")
            self.assertEqual(health.returncode, 1)
            self.assertIn("paused", health.stderr)
            self.assertEqual(said(supervisor, "health", "--live"), "alive")
            time.sleep(7)  # a span that is measured: longer than their patience
            self.assertEqual(status(supervisor)["line"]["waiting"], 3)
            self.assertEqual(said(supervisor, "resume"), "resumed")
            for number, client in enumerate(waiting, 1):
                self.assertEqual(client.answer(), f"{number} g1")
                client.close()
                supervisor.log.wait("session closed", client=number)
            self.assertEqual(supervisor.log.count("client refused"), 0)
            self.assertEqual(supervisor.log.admission_inversions(), 0)
            line = supervisor.log.wait("session closed", client=1)
            result("paused", clients=3, lost=0, waited=line["waited"], patience="6s")
            self.assertEqual(supervisor.terminate(), 0)

    def test_clients_are_listed_and_can_be_ended(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, "1 linger for-ever")
            self.assertEqual(inside.answer(), "1 g1")
            waiting = Client(supervisor.port, "2")
            next_one = Client(supervisor.port, "3")
            wait_clients(supervisor.port, 3)
            listed = json.loads(said(supervisor, "clients", "--json"))["clients"]
            self.assertEqual([one["state"] for one in listed], ["inside", "waiting", "waiting"])
            self.assertEqual(listed[0]["peer"], inside.name)
            rows = said(supervisor, "clients").splitlines()
            self.assertEqual(len(rows), 4)
            self.assertIn("ended", said(supervisor, "cut", str(listed[1]["client"])))
            self.assertEqual(waiting.answer(), "")
            refused = supervisor.log.wait("client refused")
            self.assertEqual((refused["end"], refused["client"]), ("KQ", "2"))
            said(supervisor, "cut", str(listed[0]["client"]))
            self.assertEqual(inside.rest(), "reset")
            closed = supervisor.log.wait("session closed", client=1)
            self.assertEqual(closed["end"], "KD")
            self.assertEqual(next_one.answer().split()[0], "3")
            next_one.close()
            gone = command(supervisor, "cut", "2")
            self.assertEqual(gone.returncode, 1)
            self.assertIn("no client 2", gone.stderr)
            self.assertEqual(supervisor.terminate(), 0)

    def test_one_instance_is_recycled_in_turn_or_at_once(self):
        with fake.supervisor(backend={"instances": 2, "standby": 1}) as supervisor:
            supervisor.start()
            for nth in (1, 2, 3):
                supervisor.log.wait("backend ready", nth=nth)
            client = Client(supervisor.port, "1 linger for-ever")
            client.answer()
            instance = json.loads(said(supervisor, "clients", "--json"))["clients"][0]["instance"]
            said(supervisor, "recycle", str(instance))
            self.assertEqual(supervisor.log.count("backend recycling"), 0)
            # Another has taken over from it, and it is reached all the same.
            said(supervisor, "recycle", str(instance), "--now")
            line = supervisor.log.wait("backend recycling")
            self.assertEqual((line["reason"], line["instance"]), ("requested", str(instance)))
            self.assertEqual(client.rest(), "reset")
            self.assertEqual(supervisor.log.wait("session closed")["end"], "KD")
            after = Client(supervisor.port, "2")
            self.assertEqual(after.answer().split()[0], "2")
            after.close()
            wait_until(lambda: status(supervisor)["recycles"], 5, "it is remembered")
            remembered = status(supervisor)["recycles"]
            self.assertEqual({one["reason"] for one in remembered}, {"requested"})
            self.assertEqual(sorted(one["jobs"] for one in remembered), [0, 1])
            wrong = command(supervisor, "recycle", "2")
            self.assertEqual((wrong.returncode, wrong.stderr), (1, "there is no instance 2, only 0 to 1\n"))
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_recycle_begins_a_start_again(self):
        with fake.supervisor("--never-listen", backend={"start_timeout": "5min"}) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend starting")
            said(supervisor, "recycle")
            self.assertEqual(supervisor.log.wait("backend recycling")["reason"], "requested")
            supervisor.log.wait("backend starting", nth=2)
            self.assertEqual(supervisor.log.count("backend start failed"), 0)
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_recycle_waits_for_no_pause(self):
        one_that_can_be_mended = "test -e @DIRECTORY@/mended || exit 3; exec \"$$@\""
        config = fake.config(backend={"restart_backoff": {"first": "5min", "max": "5min"}})
        config["backend"]["command"] = [
            "/bin/sh", "-c", one_that_can_be_mended, "sh", *config["backend"]["command"]
        ]  # fmt: skip
        with Supervisor(config) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend start failed")
            with open(os.path.join(supervisor.directory, "mended"), "w"):
                pass
            said(supervisor, "recycle", "0")
            supervisor.log.wait("backend ready")
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_drain_serves_who_waits_for_as_long_as_it_takes(self):
        with fake.supervisor(shutdown_timeout="100ms") as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, "1")
            self.assertEqual(inside.answer(), "1 g1")
            waiting = Client(supervisor.port, "2")
            wait_clients(supervisor.port, 2)
            said(supervisor, "drain")
            self.assertEqual(status(supervisor)["state"], "draining")
            with self.assertRaises(ConnectionRefusedError):
                Client(supervisor.port, "3")
            time.sleep(1)  # a span that is measured: longer than shutdown_timeout
            self.assertEqual(status(supervisor)["state"], "draining")
            inside.close()
            self.assertEqual(waiting.answer(), "2 g1")
            waiting.close()
            self.assertEqual(supervisor.wait_exit(20), 0)
            self.assertFalse(os.path.exists(supervisor.admin_socket))
            gone = command(supervisor, "status")
            self.assertEqual(gone.returncode, 1)
            self.assertIn("Is a supervisor running?", gone.stderr)

    def test_wrong_usage_is_told_from_wrong_luck(self):
        for arguments, words in [
            (["cut"], "cut: name the client"),
            (["cut", "x"], '"x" is no number of a client'),
            (["recycle", "-1"], ""),
            (["recycle", "", "--now"], '"" is no number of an instance'),
            (["drain", "-c", "x.yaml"], "-c is not for drain"),
            (["check", "-s", "x.sock"], "-s is only for commands"),
            (["pause", "1"], 'pause: unexpected "1"'),
            (["status", "--now"], "--now is not for status"),
            (["status", "--json", "--watch"], "--json or --watch"),
            (["health", "--live", "--ready"], "--live or --ready"),
            (["check", "--watch"], "--watch is not for check"),
        ]:
            done = run_command(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(words, done.stderr.splitlines()[0])
        done = run_command("status", "--watch", "-s", "/nowhere")
        self.assertEqual(done.returncode, 1)
        self.assertIn("needs a terminal", done.stderr)


    def test_one_that_is_stopped_is_not_waited_for_for_ever(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            supervisor.signal(signal.SIGSTOP)
            begin = time.monotonic()
            done = run_command("health", "--live", "-s", supervisor.admin_socket, timeout=60)
            took = time.monotonic() - begin
            supervisor.signal(signal.SIGCONT)
            result("stopped", took=f"{took:.1f}s", limit="10s", said=repr(done.stderr.strip()))
            self.assertEqual(done.returncode, 1)
            self.assertLess(took, 30)
            self.assertEqual(supervisor.terminate(), 0)


class WatchTest(unittest.TestCase):
    """In a real terminal: a pseudo one, of a size that is set."""

    def watch(self, supervisor, rows, columns, environment=None):
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(environment or {})
            os.execv(BINARY, [BINARY, "status", "--watch", "-s", supervisor.admin_socket])
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        return pid, terminal

    def read_until(self, terminal, words, timeout=10):
        seen = b""
        deadline = time.monotonic() + timeout
        while words not in seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([terminal], [], [], left)[0]:
                raise AssertionError(f"{words!r} never came: {seen!r}")
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                raise AssertionError(f"it ended without {words!r}: {seen!r}") from None
        return seen

    def end(self, pid, terminal, key=b"q"):
        os.write(terminal, key)
        seen = self.read_until(terminal, b"\033[?1049l")
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen

    def test_it_shows_change_and_leaves_the_terminal_as_it_was(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            pid, terminal = self.watch(supervisor, 24, 80)
            self.read_until(terminal, b"serving")
            client = Client(supervisor.port, "1 linger for-ever")
            client.answer()
            frame = self.read_until(terminal, b"inside ")
            waiting = [Client(supervisor.port, number) for number in range(2, 42)]
            wait_clients(supervisor.port, 41)
            frame = self.read_until(terminal, b"more wait")
            frame = frame.rsplit(b"\033[H", 1)[-1]  # Two may have come at once.
            lines = re.sub(rb"\033\[[0-9;?]*[A-Za-z]", b"", frame).decode().split("\r\n")
            print("\n".join("  " + line for line in lines[-24:]))
            self.assertTrue(all(len(line) <= 80 for line in lines))
            code, _ = self.end(pid, terminal)
            self.assertEqual(code, 0)
            for one in [client, *waiting]:
                one.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_wide_it_shows_all_and_without_colour_where_that_is_asked_for(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            pid, terminal = self.watch(supervisor, 60, 200, {"NO_COLOR": "1"})
            frame = self.read_until(terminal, b"REMARK")
            self.assertNotIn(b"\033[1;32m", frame)
            supervisor.signal(signal.SIGTERM)
            supervisor.wait_exit(20)
            self.read_until(terminal, b"tried again every second")
            code, _ = self.end(pid, terminal, b"\x04")
            self.assertEqual(code, 0)


class SocketTest(unittest.TestCase):
    def test_its_mode_says_who_may_come(self):
        with fake.supervisor(admin={"socket": "@DIRECTORY@/admin.sock", "socket_mode": "0600"}) as supervisor:
            supervisor.start()
            os.chmod(supervisor.directory, 0o755)
            self.assertEqual(os.stat(supervisor.admin_socket).st_mode & 0o777, 0o600)
            as_nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
            refused = subprocess.run(
                [*as_nobody, BINARY, "status", "-s", supervisor.admin_socket],
                capture_output=True,
                text=True,
                timeout=20,
            )
            result("wrong_user", status=refused.returncode, said=repr(refused.stderr.strip()))
            self.assertEqual(refused.returncode, 1)
            self.assertIn("Permission denied", refused.stderr)
            self.assertEqual(supervisor.terminate(), 0)

    def test_one_that_is_written_and_cannot_be_had_is_an_error(self):
        blocker = socket.socket(socket.AF_UNIX)
        with fake.supervisor() as supervisor:
            blocker.bind(supervisor.admin_socket)
            blocker.listen()
            done = run_command("-c", supervisor.config_file)
            self.assertEqual(done.returncode, 1)
            self.assertIn("does so already", done.stderr)
        blocker.close()

    def raw(self, supervisor, data, end=False):
        """All that is answered to these bytes."""
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(20)
        peer.connect(supervisor.admin_socket)
        try:
            peer.sendall(data)
            if end:
                peer.shutdown(socket.SHUT_WR)
        except BrokenPipeError:
            pass
        answer = b""
        try:
            while True:
                block = peer.recv(65536)
                if not block:
                    break
                answer += block
        except ConnectionResetError:
            pass
        peer.close()
        return answer

    def test_what_is_no_request_or_too_large_is_told_so_and_costs_nothing(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            before = supervisor.open_descriptors()
            end = b"Connection: close\r\n\r\n"
            for data, wanted in [
                (b"hello\r\n\r\n", b"400"),
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 100 + b"\r\n\r\n", b"400"),
                (b"GET /v1/status HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n\r\n", b"431"),
                (b"POST /v1/cut HTTP/1.1\r\nContent-Length: 70000\r\n" + end, b"413"),
                (b"POST /v1/cut HTTP/1.1\r\nContent-Length: -1\r\n" + end, b"400"),
                (b"POST /v1/cut HTTP/1.1\r\nContent-Length: 4\r\n" + end + b"[[[[", b"400"),
                (b"GET /v1/../../etc/passwd HTTP/1.1\r\n" + end, b"404"),
                (b"BREW /v1/status HTTP/1.1\r\n" + end, b"405"),
                (b"HEAD /v1/status HTTP/1.1\r\n" + end, b"200"),
            ]:
                answer = self.raw(supervisor, data)
                self.assertEqual(answer[9:12], wanted, (data[:40], answer[:100]))
            # One request in three pieces, and three in one.
            many = b"GET /healthz HTTP/1.1\r\n\r\n" * 3 + b"GET /readyz HTTP/1.1\r\n" + end
            self.assertEqual(self.raw(supervisor, many).count(b"200 OK"), 4)
            self.assertEqual(self.raw(supervisor, b"GET /healthz HT", end=True), b"")
            begin = time.monotonic()
            self.assertEqual(self.raw(supervisor, b"GET /healthz HT"), b"")
            slow = time.monotonic() - begin
            wait_until(lambda: supervisor.open_descriptors() <= before, 10, "all is let go")
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            result("bad_requests", slow_one_closed_after=f"{slow:.1f}s", limit="5s")
            self.assertLess(slow, 15)
            self.assertEqual(supervisor.terminate(), 0)

    def test_more_than_may_come_at_once_do_not_hurt_the_clients(self):
        crowd = 100 if SMALL else 1000
        with fake.supervisor() as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            sleepers = []
            for _ in range(1300):
                peer = socket.socket(socket.AF_UNIX)
                peer.connect(supervisor.admin_socket)
                sleepers.append(peer)
            full = "an operator was turned away"
            self.assertEqual(supervisor.log.wait(full)["by"], "admin.socket")
            clients = 0
            for number in range(1, 21):
                client = Client(supervisor.port, number)
                clients += client.answer() == f"{number} g1"
                client.close()
            for peer in sleepers:
                peer.close()
            with concurrent.futures.ThreadPoolExecutor(64) as pool:
                replies = list(
                    pool.map(lambda _: ask(supervisor, "GET", "/v1/status")[0], range(crowd))
                )
            result("readers", asked=crowd, answered=replies.count(200), clients_beside=clients)
            self.assertEqual(clients, 20)
            self.assertEqual(replies.count(200), crowd)
            self.assertEqual(supervisor.log.count(full), 1)
            self.assertEqual(supervisor.terminate(), 0)


class HttpTest(unittest.TestCase):
    def test_over_tcp_there_is_nothing_but_what_is_read(self):
        port = reserve_ports()
        with fake.supervisor(admin={"socket": "off", "http": f"127.0.0.1:{port}"}) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")

            def request(method, path):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                connection.request(method, path)
                reply = connection.getresponse()
                text = reply.read().decode()
                connection.close()
                return reply.status, text

            self.assertEqual(request("GET", "/healthz"), (200, "alive\n"))
            self.assertEqual(request("GET", "/readyz"), (200, "serving\n"))
            self.assertEqual(request("GET", "/v1/status")[0], 200)
            for path in ("recycle", "cut", "pause", "resume", "drain"):
                self.assertEqual(request("POST", f"/v1/{path}")[0], 403)
            self.assertEqual(request("GET", "/readyz"), (200, "serving\n"))
            self.assertFalse(os.path.exists(supervisor.admin_socket))
            self.assertEqual(supervisor.terminate(), 0)

    def test_readiness_stays_through_a_recycle_and_goes_while_it_fails(self):
        port = reserve_ports()
        config = fake.config(
            backend={"restart_backoff": {"first": "50ms", "max": "100ms"}},
            admin={"http": f"127.0.0.1:{port}", "socket": "@DIRECTORY@/admin.sock"},
        )
        with Supervisor(config) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            said(supervisor, "recycle")
            for _ in range(50):
                self.assertEqual(ask(supervisor, "GET", "/readyz")[0], 200)
            supervisor.log.wait("backend ready", nth=2)
            self.assertEqual(supervisor.terminate(), 0)
        broken = fake.config("--exit", "3", backend={"restart_backoff": {"first": "10ms"}})
        with Supervisor(broken) as supervisor:
            supervisor.start()
            self.assertEqual(ask(supervisor, "GET", "/readyz")[0], 503)
            supervisor.log.wait("backend failing")
            wait_until(lambda: "next start in" in said(supervisor, "status"), 10, "it is said")
            code, why = ask(supervisor, "GET", "/readyz")
            self.assertEqual(code, 503)
            self.assertIn("failing: the backend does not start, ", why)
            self.assertEqual(supervisor.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
