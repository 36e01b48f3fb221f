"""The command tcplock before a service that the test runs itself."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading

import fake
import supervisor
from supervisor import Log, wait_until

COMMAND = os.environ.get("TCPLOCK_COMMAND", "")


class Service:
    """The scripted backend, started by nobody but us."""

    def __init__(self, port, *options, marker="s"):
        self.directory = tempfile.mkdtemp(prefix="tcplock-service-")
        self.journal_file = os.path.join(self.directory, "journal")
        self.port = port
        self._options = options
        self._marker = marker
        self.process = None

    def start(self):
        command = [fake.program(), "--port", str(self.port), "--journal", self.journal_file,
                   "--marker", self._marker, *self._options]  # fmt: skip
        listening = self.journal().count["listening"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(
            lambda: self.journal().count["listening"] > listening, 10, "the service listens"
        )
        return self

    def journal(self):
        return fake.Journal(self.journal_file)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class Tcplock:
    """The command with some arguments, and its log."""

    def __init__(self, *arguments, under=(), **environment):
        if not COMMAND:
            raise AssertionError("TCPLOCK_COMMAND must name the command under test")
        self.log = Log()
        self.process = subprocess.Popen(
            [*under, COMMAND, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        self._reader = threading.Thread(
            target=self.log.read, args=(self.process.stderr,), daemon=True
        )
        self._reader.start()

    @property
    def pid(self):
        return self.process.pid

    def terminate(self, timeout=40):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout)
        self._reader.join(10)
        return status

    def __enter__(self):
        self.log.wait("listening", timeout=20)
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        self.process.stderr.close()
        if kind and self.log.lines:
            print("--- log, the last lines\n" + self.log.tail(60), flush=True)
        return False


def ports():
    """Where clients connect, and where the service is: two of a block that no other test has."""
    first = supervisor.reserve_ports()
    return first, first + 1


def run_command(*arguments, under=(), **options):
    return subprocess.run(
        [*under, COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        **options,
    )
