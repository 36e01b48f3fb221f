"""Who does not speak UNO does not reach the office; for comparison, what the same does to one that
is reached."""

import os
import socket
import threading
import time
import unittest

import crowd
import fake
import office
from supervisor import Supervisor, result, wait_clients

COUNT = 50  # of each kind
FIRST_BYTE = 0.2  # gate.first_byte_timeout, seconds
CLIENT_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(range(256)) * 2
HTTP = b"GET / HTTP/1.1\r\nHost: office\r\n\r\n"


def answer_of(sock):
    """Reads to the end: what was said, or 'reset'."""
    said = b""
    try:
        while True:
            block = sock.recv(65536)
            if not block:
                return said
            said += block
    except ConnectionResetError:
        return "reset"
    except socket.timeout:
        return "nothing, and no end"


def stranger(port, words, patience, pause=0):
    """One that says something, byte by byte if there is a pause, and waits for the end."""
    try:
        sock = socket.create_connection(("127.0.0.1", port), timeout=patience)
    except ConnectionRefusedError:
        return "nobody there"
    with sock:
        try:
            if not pause:
                sock.sendall(words)
            for byte in words if pause else b"":
                sock.sendall(bytes([byte]))
                time.sleep(pause)
        except OSError:
            pass  # It was ended while it talked.
        return answer_of(sock)


KINDS = {
    "http": lambda number: (HTTP, 0),
    "tls": lambda number: (CLIENT_HELLO, 0),
    "random": lambda number: (os.urandom(256), 0),
    # A well-meaning one that never gets to its end in time.
    "byte_by_byte": lambda number: (office.opening(), FIRST_BYTE / 10),
    "silent": lambda number: (b"", 0),
}


def send_all(port, patience):
    """50 of each kind, 10 at once; the answers by kind."""
    answers = {kind: [] for kind in KINDS}
    jobs = [(kind, number) for number in range(COUNT) for kind in KINDS]
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not jobs:
                    return
                kind, number = jobs.pop()
            words, pause = KINDS[kind](number)
            answers[kind].append(stranger(port, words, patience, pause))

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def memory_of(pid):
    """Address space and resident memory, MiB."""
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return [int(fields[name].split()[0]) // 1024 for name in ("VmSize", "VmRSS")]


class Served(threading.Thread):
    """Converts one document after the other until it is told to stop."""

    def __init__(self, port):
        super().__init__()
        self.port = port
        self.conversions = 0
        self.slowest = 0
        self.stop = threading.Event()
        self.error = None

    def run(self):
        try:
            while not self.stop.is_set():
                begin = time.monotonic()
                office.convert_one(self.port)
                self.slowest = max(self.slowest, time.monotonic() - begin)
                self.conversions += 1
        except AssertionError as error:
            self.error = error


class GuardTest(unittest.TestCase):
    def settled(self, supervisor):
        """A running office that has converted, so that it has taken what it takes anyway."""
        supervisor.start()
        supervisor.log.wait("backend ready", timeout=60)
        for _ in range(3):
            office.convert_one(supervisor.port)
        (pid,) = office.soffice_pids(supervisor)
        return pid

    def test_none_of_them_reaches_the_office_and_others_are_served(self):
        gate = {"first_byte_timeout": f"{FIRST_BYTE * 1000:.0f}ms", "queue_limit": 1000}
        with Supervisor(office.config(gate=gate)) as supervisor:
            pid = self.settled(supervisor)
            before = memory_of(pid)
            served = Served(supervisor.port)
            served.start()
            answers = send_all(supervisor.port, patience=120)
            served.stop.set()
            served.join()
            after = memory_of(pid)
            log = supervisor.log
            refused = log.all("client refused", end="PR")
            silent = log.all("session closed", end="cR")
            result(
                "guard",
                strangers=COUNT * len(KINDS),
                refused=len(refused),
                cut_as_silent=len(silent),
                reached_the_office=sum(line["out"] != "0" for line in silent),
                address_space=f"{before[0]}→{after[0]}MiB",
                resident=f"{before[1]}→{after[1]}MiB",
                served_meanwhile=served.conversions,
                slowest=f"{served.slowest:.2f}s",
            )
            self.assertIsNone(served.error)
            self.assertEqual(office.soffice_pids(supervisor), [pid])
            self.assertEqual(len(refused), 3 * COUNT)
            self.assertEqual(len(silent), 2 * COUNT)
            self.assertEqual({line["in"] for line in silent}, {"0"})
            self.assertEqual({line["out"] for line in silent}, {"0"})
            self.assertEqual({line["job"] for line in silent}, {"no"})
            # None of them was said a byte: the office greets whoever reaches it.
            said = {answer for kind in KINDS for answer in answers[kind]}
            self.assertLessEqual(said, {b"", "reset"})
            looked = [line["reason"].removeprefix("it does not speak UNO: ") for line in refused]
            self.assertEqual(sum("an HTTP request" in words for words in looked), COUNT)
            self.assertEqual(sum("a TLS handshake" in words for words in looked), COUNT)
            # Conversions take some, an arena for each thread; one stray request takes 1.1 GB.
            self.assertLess(after[0] - before[0], 500)
            self.assertLess(after[1] - before[1], 50)
            self.assertGreaterEqual(served.conversions, 3)

    def test_the_same_straight_at_the_office(self):
        backend = {"limits": {"address_space": "12GiB"}}  # for the sake of this machine
        probe = {"interval": "1h", "timeout": "1s", "failure_threshold": 1000}
        with Supervisor(office.config(backend=backend, probe=probe)) as supervisor:
            pid = self.settled(supervisor)
            port = int(supervisor.log.wait("backend starting")["address"].split(":")[1])
            before = memory_of(pid)
            answers = send_all(port, patience=1)
            lives = office.soffice_pids(supervisor) == [pid]
            after = memory_of(pid) if lives else ["?", "?"]
            greeted = sum(
                isinstance(answer, bytes) and len(answer) >= office.URP_GREETING_SIZE
                for kind in KINDS
                for answer in answers[kind]
            )
            result(
                "without_guard",
                strangers=COUNT * len(KINDS),
                office="alive" if lives else "dead",
                greeted=greeted,
                address_space=f"{before[0]}→{after[0]}MiB",
                resident=f"{before[1]}→{after[1]}MiB",
            )
            # It is what the guard is for: an office that is reached pays, or dies.
            self.assertTrue(not lives or after[0] - before[0] > 500)


class VisitTest(unittest.TestCase):
    def test_a_port_check_is_a_visit_and_leaves_the_office_alone(self):
        with Supervisor(office.config()) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            for number in range(1, 11):
                client = crowd.Client(supervisor.port)
                wait_clients(supervisor.port, 1)  # and so, with nobody before it, inside
                client.close()
                line = supervisor.log.wait("session closed", client=number)
                self.assertEqual((line["job"], line["end"], line["out"]), ("no", "--", "0"))
            client = crowd.Client(supervisor.port)
            wait_clients(supervisor.port, 1)
            client.reset()
            line = supervisor.log.wait("session closed", client=11)
            self.assertEqual((line["job"], line["out"]), ("no", "0"))
            office.convert_one(supervisor.port)
            self.assertEqual(supervisor.log.count("backend recycling"), 0)

    def test_who_breaks_off_in_its_first_words_is_refused(self):
        with Supervisor(office.config()) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            client = crowd.Client(supervisor.port)
            wait_clients(supervisor.port, 1)
            client.sock.sendall(office.opening()[:30])
            client.finish_sending()
            self.assertEqual(client.rest(), b"")
            line = supervisor.log.wait("client refused", end="PR")
            self.assertIn("and no more", line["reason"])


class EndOfItsGenerationTest(unittest.TestCase):
    def test_who_had_said_nothing_yet_waits_again_at_the_head_of_the_line(self):
        with Supervisor(office.config(gate={"first_byte_timeout": "1min"})) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            slow = crowd.Client(supervisor.port, timeout=60)
            # It has been let in, up to the look at what it says.
            other = office.Conversions(supervisor.port, count=1, at_once=1)
            wait_clients(supervisor.port, 2)
            (pid,) = office.soffice_pids(supervisor)
            os.kill(pid, 9)
            line = supervisor.log.wait("backend could not be reached, the client waits again")
            self.assertEqual(line["client"], "1")
            slow.sock.sendall(office.opening())
            self.assertEqual(len(slow.sock.recv(office.URP_GREETING_SIZE)), office.URP_GREETING_SIZE)
            slow.close()
            other.finish(60)
            self.assertEqual(other.errors, [])
            first = supervisor.log.wait("session closed")
            self.assertEqual((first["client"], first["generation"]), ("1", "2"))


class TcpTest(unittest.TestCase):
    """Of another protocol nothing is looked at; a silent client costs its time only where asked."""

    def test_a_silent_client_is_cut_and_its_backend_kept(self):
        with fake.supervisor(gate={"first_byte_timeout": "300ms"}) as supervisor:
            supervisor.start()
            silent = crowd.Client(supervisor.port)
            begin = time.monotonic()
            self.assertEqual(silent.rest(), "reset")
            took = time.monotonic() - begin
            line = supervisor.log.wait("session closed", client=1)
            result("first_byte_timeout", limit="0.3s", cut_after=f"{took:.2f}s", end=line["end"])
            self.assertEqual(line["end"], "cR")
            client = crowd.Client(supervisor.port, "2")
            self.assertEqual(client.answer(), "2 g1")
            client.close()
            supervisor.log.wait("session closed", client=2, end="--")

    def test_an_idle_client_is_cut_and_its_backend_kept(self):
        with fake.supervisor(gate={"idle_timeout": "300ms"}) as supervisor:
            supervisor.start()
            idle = crowd.Client(supervisor.port, "1")
            self.assertEqual(idle.answer(), "1 g1")
            self.assertEqual(idle.rest(), "reset")
            line = supervisor.log.wait("session closed", client=1)
            self.assertEqual(line["end"], "cD")
            client = crowd.Client(supervisor.port, "2")
            self.assertEqual(client.answer(), "2 g1")

    def test_without_these_limits_it_may_be_silent(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            silent = crowd.Client(supervisor.port)
            time.sleep(1)  # a span that is measured
            silent.send("1")
            self.assertEqual(silent.answer(), "1 g1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
