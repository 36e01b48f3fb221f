"""Who does not speak UNO does not reach the office; for comparison, what the same does to one that
is reached."""

import collections
import os
import signal
import socket
import threading
import time
import unittest

import crowd
import fake
import office
from supervisor import Supervisor, result, wait_clients

COUNT = 50  # of each kind
ARENA = 64  # MiB of address space, glibc's HEAP_MAX_SIZE
FIRST_BYTE = 4  # gate.first_byte_timeout, seconds; who speaks at once, on a busy machine, is sooner
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
    # A well-meaning one that never gets to its end in time: it has more than a hundred bytes to say.
    "byte_by_byte": lambda number: (office.opening(), FIRST_BYTE / 20),
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


def peak_of(pid):
    """The largest address space and resident memory it has ever had, MiB."""
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.split(":", 1) for line in file)
    return [int(fields[name].split()[0]) // 1024 for name in ("VmPeak", "VmHWM")]


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

    def all_told(self, supervisor):
        """The lines of the refused, how many there were with those that had no line of their own,
        and the lines of the silent.

        There are ten lines of the refused a second; the next one after that second tells how many
        there were besides. So one more is sent then. Lines are written later than things happen,
        but in their order: when its own is there, all are."""
        time.sleep(1.1)  # that second
        last = crowd.Client(supervisor.port)
        last.sock.sendall(HTTP)
        supervisor.log.wait("client refused", timeout=20, peer=last.name, end="PR")
        last.close()
        lines = supervisor.log.all("client refused", end="PR")
        refused = len(lines) + sum(int(line.get("untold", 0)) for line in lines) - 1
        return lines, refused, supervisor.log.all("session closed", end="cR")

    def growth_of(self, conversions):
        """What as many conversions take when nobody else comes, MiB as in memory_of."""
        with Supervisor(office.config()) as supervisor:
            pid = self.settled(supervisor)
            before = memory_of(pid)
            for _ in range(conversions):
                office.convert_one(supervisor.port)
            return [now - then for now, then in zip(memory_of(pid), before)]

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
            lines, refused, silent = self.all_told(supervisor)
            alone = self.growth_of(served.conversions)
            result(
                "guard",
                strangers=COUNT * len(KINDS),
                refused=refused,
                told=len(lines),
                cut_as_silent=len(silent),
                reached_the_office=sum(line["out"] != "0" for line in silent),
                address_space=f"{before[0]}→{after[0]}MiB",
                resident=f"{before[1]}→{after[1]}MiB",
                conversions_alone=f"+{alone[0]}MiB,+{alone[1]}MiB",
                served_meanwhile=served.conversions,
                slowest=f"{served.slowest:.2f}s",
            )
            self.assertIsNone(served.error)
            self.assertEqual(office.soffice_pids(supervisor), [pid])
            ends = collections.Counter(line["end"] for line in supervisor.log.all("session closed"))
            self.assertEqual((refused, len(silent)), (3 * COUNT, 2 * COUNT), ends)
            self.assertEqual({line["in"] for line in silent}, {"0"})
            self.assertEqual({line["out"] for line in silent}, {"0"})
            self.assertEqual({line["job"] for line in silent}, {"no"})
            # None of them was said a byte: the office greets whoever reaches it.
            said = {answer for kind in KINDS for answer in answers[kind]}
            self.assertLessEqual(said, {b"", "reset"})
            looked = " ".join(line["reason"] for line in lines)
            self.assertIn("it does not speak UNO: an HTTP request (47 45 54 20", looked)
            self.assertIn("it does not speak UNO: a TLS handshake (16 03 01", looked)
            self.assertGreaterEqual(served.conversions, 3)
            # It has taken what the conversions alone take. How many arenas its threads make is
            # chance, and they are addresses alone; one stray request takes 1.1 GB of those.
            self.assertLess(after[0] - before[0], alone[0] + 8 * ARENA)
            self.assertLess(after[1] - before[1], alone[1] + 100)

    def test_the_same_straight_at_the_office(self):
        # Room for the sake of this machine.
        backend = {**office.TCP, "limits": {"address_space": "12GiB"}}
        probe = {"interval": "1h", "timeout": "1s", "failure_threshold": 1000}
        with Supervisor(office.config(backend=backend, probe=probe)) as supervisor:
            pid = self.settled(supervisor)
            port = int(supervisor.log.wait("backend starting")["address"].split(":")[1])
            before = peak_of(pid)
            answers = send_all(port, patience=1)
            lives, after = office.soffice_pids(supervisor) == [pid], ["?", "?"]
            try:
                after = peak_of(pid) if lives else after
            except (OSError, KeyError):  # It has died since.
                lives = False
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
                peak_address_space=f"{before[0]}→{after[0]}MiB",
                peak_resident=f"{before[1]}→{after[1]}MiB",
            )
            # It is what the guard is for: an office that is reached pays, or dies.
            self.assertTrue(not lives or after[0] - before[0] > 500)


class VisitTest(unittest.TestCase):
    def test_a_port_check_is_a_visit_and_leaves_the_office_alone(self):
        with Supervisor(office.config(log={"level": "debug"})) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            for number in range(1, 11):
                client = crowd.Client(supervisor.port)
                supervisor.log.wait("client admitted", client=number)
                client.close()
                line = supervisor.log.wait("session closed", client=number)
                self.assertEqual((line["job"], line["end"], line["out"]), ("no", "--", "0"))
            client = crowd.Client(supervisor.port)
            supervisor.log.wait("client admitted", client=11)
            client.reset()
            line = supervisor.log.wait("session closed", client=11)
            self.assertEqual((line["job"], line["out"]), ("no", "0"))
            office.convert_one(supervisor.port)
            self.assertEqual(supervisor.log.count("backend recycling"), 0)

    def test_who_breaks_off_in_its_first_words_is_refused(self):
        with Supervisor(office.config(log={"level": "debug"})) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            client = crowd.Client(supervisor.port)
            supervisor.log.wait("client admitted", client=1)
            client.sock.sendall(office.opening()[:30])
            client.finish_sending()
            self.assertEqual(client.rest(), b"")
            line = supervisor.log.wait("client refused", end="PR")
            self.assertIn("and no more", line["reason"])


class SilentCrowdTest(unittest.TestCase):
    def test_many_silent_ones_hold_up_the_others_for_little_longer_than_one(self):
        # With the limits as they are shipped.
        with Supervisor(office.config()) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            silent = [crowd.Client(supervisor.port) for _ in range(20)]
            wait_clients(supervisor.port, 20)
            office.convert_one(supervisor.port)
            served = supervisor.log.wait("session closed", client=21)
            result("silent_crowd", silent=len(silent), limit="5s", next_waited=served["waited"])
            self.assertEqual(supervisor.log.count("session closed", end="cR"), 20)
            # One after the other they would have 100 s.
            self.assertLess(served.seconds("waited"), 30)


class LookTest(unittest.TestCase):
    """What happens while a client is looked at, and has not spoken."""

    def looked_at(self, **config):
        patient = {"first_byte_timeout": "1min"}
        supervisor = Supervisor(office.config(gate=patient, log={"level": "debug"}, **config))
        self.enterContext(supervisor)
        supervisor.start()
        supervisor.log.wait("backend ready", timeout=60)
        client = crowd.Client(supervisor.port, timeout=60)
        supervisor.log.wait("client admitted", client=1)
        client.sock.sendall(office.opening()[:20])
        return supervisor, client

    def test_a_recycle_does_not_wait_for_it_and_it_is_let_in_afterwards(self):
        supervisor, client = self.looked_at()
        supervisor.signal(signal.SIGUSR1)
        supervisor.log.wait("backend recycling", reason="requested", timeout=20)
        client.sock.sendall(office.opening()[20:])
        self.assertEqual(len(client.sock.recv(office.URP_GREETING_SIZE)), office.URP_GREETING_SIZE)
        client.close()
        line = supervisor.log.wait("session closed", client=1)
        self.assertEqual(line["generation"], "2")
        # What the office has said since then makes its closing a reset.
        self.assertIn(line["end"], ("--", "CD"))

    def test_the_end_of_the_supervisor_cuts_it(self):
        supervisor, client = self.looked_at(shutdown_timeout="1s")
        self.assertEqual(supervisor.terminate(), 0)
        self.assertEqual(client.rest(), "reset")
        line = supervisor.log.wait("session closed", client=1)
        self.assertEqual((line["end"], line["out"], line["job"]), ("GD", "0", "no"))

    def test_the_end_at_once_is_at_once(self):
        supervisor, client = self.looked_at()
        supervisor.signal(signal.SIGTERM)
        supervisor.log.wait("shutting down")
        time.sleep(0.3)  # Sooner, the two would be one request.
        begin = time.monotonic()
        supervisor.signal(signal.SIGTERM)
        self.assertEqual(supervisor.wait_exit(20), 0)
        self.assertLess(time.monotonic() - begin, 10)  # shutdown_timeout is 30 s
        self.assertEqual(client.rest(), "reset")

    def test_its_time_is_up_and_the_office_is_kept(self):
        config = office.config(gate={"first_byte_timeout": "off", "session_timeout": "3s"})
        with Supervisor(config) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            client = crowd.Client(supervisor.port)
            self.assertEqual(client.rest(), "reset")
            self.assertEqual(supervisor.log.wait("session closed")["end"], "TD")
            guest = office.guest(supervisor.port)
            guest.close()
            self.assertEqual(supervisor.log.count("backend recycling"), 0)


class EndOfItsGenerationTest(unittest.TestCase):
    def test_who_had_said_nothing_yet_waits_again_at_the_head_of_the_line(self):
        config = office.config(gate={"first_byte_timeout": "1min"}, log={"level": "debug"})
        with Supervisor(config) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            slow = crowd.Client(supervisor.port, timeout=60)
            # It has been let in, up to the look at what it says.
            supervisor.log.wait("client admitted", client=1)
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
        # It is slow to let go, and so is known to have let go before the next goes in.
        with fake.supervisor(
            "--close-delay-max", "150", gate={"first_byte_timeout": "2s"}
        ) as supervisor:
            supervisor.start()
            silent = crowd.Client(supervisor.port)
            begin = time.monotonic()
            self.assertEqual(silent.rest(), "reset")
            took = time.monotonic() - begin
            line = supervisor.log.wait("session closed", client=1)
            result("first_byte_timeout", limit="2s", cut_after=f"{took:.2f}s", end=line["end"])
            self.assertEqual(line["end"], "cR")
            client = crowd.Client(supervisor.port, "2")
            self.assertEqual(client.answer(), "2 g1")
            client.close()
            supervisor.log.wait("session closed", client=2, end="--")
            self.assertEqual(fake.Journal(supervisor.journal_file).count["violation"], 0)

    def test_an_idle_client_is_cut_and_its_backend_kept(self):
        gate = {"idle_timeout": "2s"}
        with fake.supervisor("--close-delay-max", "150", gate=gate) as supervisor:
            supervisor.start()
            for number in range(1, 11, 2):
                idle = crowd.Client(supervisor.port, number)
                waiting = crowd.Client(supervisor.port, number + 1)
                self.assertEqual(idle.answer(), f"{number} g1")
                self.assertEqual(idle.rest(), "reset")
                self.assertEqual(waiting.answer(), f"{number + 1} g1")
                waiting.close()
                line = supervisor.log.wait("session closed", client=number)
                self.assertEqual(line["end"], "cD")
            journal = fake.Journal(supervisor.journal_file)
            self.assertEqual((journal.most_inside(), journal.count["violation"]), (1, 0))

    def test_one_whose_backend_does_not_let_go_is_cut_for_that(self):
        gate = {"idle_timeout": "2s", "release_timeout": "500ms"}
        with fake.supervisor(gate=gate) as supervisor:
            supervisor.start()
            idle = crowd.Client(supervisor.port, "1 linger for-ever")
            self.assertEqual(idle.answer(), "1 g1")
            line = supervisor.log.wait("session closed", client=1)
            self.assertEqual(line["end"], "cD")
            recycled = supervisor.log.wait("backend recycling")
            self.assertEqual(recycled["reason"], "release_timeout")

    def test_without_these_limits_it_may_be_silent(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            silent = crowd.Client(supervisor.port)
            time.sleep(1)  # a span that is measured
            silent.send("1")
            self.assertEqual(silent.answer(), "1 g1")


if __name__ == "__main__":
    unittest.main(verbosity=2)
