"""A real office behind the gate: configuration, its processes, and conversions in parallel."""

import collections
import json
import os
import queue
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time

import crowd
import documents
from supervisor import read_proc, result

CONVERTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "converter.py")
SOFFICE_BIN = "/usr/lib/libreoffice/program/soffice.bin"
URP_GREETING_SIZE = 109  # what an office says to everybody who is inside

INTERVAL, THRESHOLD, TIMEOUT = 2, 3, 2  # of the probe, in seconds


PIPE = {}  # the default
TCP = {"address": "127.0.0.1:{port}"}


def config(gate=None, backend=None, recycle=None, **top):
    """The shipped command line, quick to notice, and without a spare where that is no subject."""
    return {
        "protocol": "uno",
        "gate": {"queue_timeout": "5min", **(gate or {})},
        "backend": {"stop_grace": "1s", "standby": 0, **(backend or {})},
        "probe": {
            "interval": f"{INTERVAL}s",
            "timeout": f"{TIMEOUT}s",
            "failure_threshold": THRESHOLD,
        },
        "recycle": {"max_jobs": 1000, **(recycle or {})},
        **top,
    }


def soffice_pids(supervisor):
    """The living soffice.bin of this supervisor."""
    return [pid for pid, name in supervisor.tree() if name == "soffice.bin"]


def generation_of(pid):
    """By what the supervisor put into its environment; 0 if it has gone."""
    for entry in read_proc(f"/proc/{pid}/environ").split(b"\0"):
        if entry.startswith(b"TCPLOCK_GENERATION="):
            return int(entry.rsplit(b"-", 1)[1])
    return 0


def kept_by(pid):
    """What an office keeps in the file system while it runs: temporary files and sockets."""
    environment = dict(
        entry.split(b"=", 1) for entry in read_proc(f"/proc/{pid}/environ").split(b"\0") if entry
    )
    temporary = environment[b"TMPDIR"].decode()
    inodes = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            continue
        inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    rows = [row.split() for row in read_proc("/proc/net/unix").decode().splitlines()]
    sockets = {row[7] for row in rows if len(row) > 7 and row[6] in inodes and row[7][0] == "/"}
    return [os.path.join(temporary, name) for name in os.listdir(temporary)] + sorted(sockets)


CRASHED = re.compile(r"exited with status 1(34|35|39)$|signal (6|7|11)\b")  # ABRT, BUS, SEGV


def crashes(log):
    """The log's lines of offices that crashed of themselves: nobody sends these signals here. That
    LibreOffice does, now and then, is what the gate is for, and no test of the gate's can forbid it;
    but each is told, and only who was inside may have noticed."""
    found = [line for line in log.all("backend died") if CRASHED.search(line["exit"])]
    for line in found:
        result("office_crashed", exit=repr(line["exit"]), said=repr(line["last_output"]))
    return found


class Converter:
    """One UNO client, a process of its own."""

    def __init__(self, port, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, CONVERTER, str(port), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def wait_inside(self):
        return json.loads(self.process.stdout.readline())

    def result(self, timeout=60):
        try:
            output, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            return {"ok": False, "error": f"Timeout: no end within {timeout} s"}
        lines = output.splitlines()
        if not lines:
            return {"ok": False, "error": "NoOutput: the client died"}
        return json.loads(lines[-1])


JARS = ("java_uno", "libreoffice", "unoloader", "juh", "jurt", "ridl")


def java_client(port, timeout=60):
    """What a client in Java says of its connection: 'connected', or the exception."""
    source = os.path.join(os.path.dirname(CONVERTER), "JavaClient.java")
    path = ":".join(f"/usr/share/java/{jar}.jar" for jar in JARS)
    client = subprocess.run(
        ["/usr/bin/java", "-cp", path, source, str(port)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert client.stdout, client.stderr
    return client.stdout.strip()


class Conversions:
    """`count` documents of all kinds, converted by `at_once` clients; results in self.results."""

    def __init__(self, port, count, at_once, size=1):
        self._folder = tempfile.mkdtemp(prefix="tcplock-documents-")
        self.results = []
        self._port = port
        self._jobs = queue.Queue()
        self._done = threading.Condition()
        for number in range(count):
            self._jobs.put(self._prepare(number, size))
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(at_once)]
        self._begin = time.monotonic()
        for thread in self._threads:
            thread.start()

    def _prepare(self, number, size):
        kind = documents.KINDS[number % len(documents.KINDS)]
        words = f"marker of document {number} kind {kind}"
        source = os.path.join(self._folder, f"{number}.{kind}")
        documents.make(kind, source, words, size)
        text_filter, extension, pdf_filter = documents.TARGETS[kind]
        # Every other one of a kind becomes PDF, the rest a text that is searched for the words.
        as_pdf = number // len(documents.KINDS) % 2 == 1
        target = os.path.join(self._folder, f"{number}-result.{'pdf' if as_pdf else extension}")
        return kind, words, source, target, pdf_filter if as_pdf else text_filter

    def _work(self):
        while True:
            try:
                kind, words, source, target, export_filter = self._jobs.get_nowait()
            except queue.Empty:
                return
            report = Converter(self._port, "convert", source, target, export_filter).result(120)
            if report["ok"] and not (os.path.exists(target) and documents.is_right(target, words)):
                report = {**report, "ok": False, "error": f"WrongResult: {target}"}
            with self._done:
                self.results.append({**report, "kind": kind})
                self._done.notify_all()

    def wait_for(self, count, timeout=120):
        """Until so many are done, well or badly; whether there are clients left to hurt."""
        with self._done:
            assert self._done.wait_for(lambda: len(self.results) >= count, timeout), (
                f"only {len(self.results)} conversions within {timeout} s"
            )

    def finish(self, timeout=300):
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        self.seconds = time.monotonic() - self._begin
        shutil.rmtree(self._folder, ignore_errors=True)
        return self.results

    @property
    def good(self):
        return [report for report in self.results if report["ok"]]

    @property
    def errors(self):
        return [report["error"] for report in self.results if not report["ok"]]

    def kinds(self):
        return collections.Counter(report["kind"] for report in self.good)


class Stream:
    """Clients that convert one small document after the other, each time over a connection of its
    own, as many at once as there are ports; a port may be named more than once."""

    def __init__(self, ports, count, kind="odt"):
        self._folder = tempfile.mkdtemp(prefix="tcplock-stream-")
        self._targets = []
        self._clients = []
        text_filter, extension, _ = documents.TARGETS[kind]
        self._begin = time.monotonic()
        for number, port in enumerate(ports):
            words = f"marker of client {number}"
            source = os.path.join(self._folder, f"{number}.{kind}")
            target = os.path.join(self._folder, f"{number}-result.{extension}")
            documents.make(kind, source, words)
            self._targets.append((target, words))
            share = count // len(ports) + (number < count % len(ports))
            self._clients.append(
                Converter(port, "repeat", str(share), source, target, text_filter)
            )

    def finish(self, timeout):
        """The report of each conversion. What was written last is looked into."""
        deadline = time.monotonic() + timeout
        reports, wrong = [], []
        for client, (target, words) in zip(self._clients, self._targets):
            output, _ = client.process.communicate(timeout=max(1, deadline - time.monotonic()))
            own = [json.loads(line) for line in output.splitlines()]
            reports += own
            if own[-1]["ok"] and not documents.is_right(target, words):
                wrong.append(target)
        self.seconds = time.monotonic() - self._begin
        shutil.rmtree(self._folder, ignore_errors=True)
        assert not wrong, f"wrong results: {wrong}"
        return reports


def convert_one(port, timeout=60):
    """One conversion, asserted."""
    conversions = Conversions(port, count=1, at_once=1)
    conversions.finish(timeout)
    assert len(conversions.good) == 1, conversions.results
    return conversions.good[0]


def opening():
    """What a UNO client says as soon as it is connected, without waiting for anything."""
    # A request to change the protocol: requestChange of XProtocolProperties, and a random number.
    body = (
        b"\xf8\x04\x96\x00\x00\x27com.sun.star.bridge.XProtocolProperties"
        b"\x15UrpProtocolProperties\x00\x00\x19.UrpProtocolPropertiesTid\x00\x00\x01\x02\x03\x04"
    )
    return struct.pack(">II", len(body), 1) + body


def caller(port):
    """A client that has said its first words, and waits to be let in."""
    client = crowd.Client(port, timeout=60)
    client.sock.sendall(opening())
    return client


def guest(port):
    """A client that is inside, and says nothing but its first words: the office has greeted it."""
    return greeted(caller(port))


def greeted(client):
    """The same client, once it is inside."""
    greeting = b""
    while len(greeting) < URP_GREETING_SIZE:
        block = client.sock.recv(URP_GREETING_SIZE)
        assert block, "closed instead of a greeting"
        greeting += block
    return client


def leaves(client):
    """It says that it is done, and goes when the office has closed as well."""
    client.finish_sending()
    client.rest()
    client.close()


def assert_served_in_order(test, supervisor):
    """One slot: the numbers given at acceptance end in ascending order."""
    served = [line.number("client") for line in supervisor.log.all("session closed")]
    test.assertEqual(served, sorted(served))
    return len(served)

