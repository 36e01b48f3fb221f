"""Runs the daemon under test: configuration in, log lines out, nothing left behind.

A Supervisor owns a temporary directory (configuration, state, journal), a block of ports that no
other test has, and the process it started. It reads the log on a thread and keeps every line as
a Line, so that a test waits for what happened and never for time to pass. Nothing here knows
what kind of backend is behind the gate.
"""

import atexit
import collections
import datetime
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

BINARY = os.environ.get("TCPLOCK_BINARY", "")
SMALL = os.environ.get("TCPLOCK_SCALE") == "small"

# What a busy machine with two processors may add to any time that is measured here; a build with
# sanitizers adds its check for leaks at every exit.
SCHEDULING_MARGIN = 4.0 if SMALL else 2.0

FIELD = re.compile(r'([A-Za-z_]+)=("(?:[^"\\]|\\.)*"|\S*)')
LINE = re.compile(r"^(\S+T\S+Z) (debug|info|warn|warning|error|critical) (.*)$")


def raise_descriptor_limit():
    """As many descriptors as we may have: the daemon inherits the limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def wait_until(condition, timeout, what, pause=0.01):
    """The first true value of condition(), or AssertionError after timeout seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {timeout:g} s")
        time.sleep(pause)


class Line:
    """One line of the log: level, message and fields; other output has level ''."""

    def __init__(self, text):
        self.text = text
        self.arrived = time.monotonic()
        self.level = self.message = ""
        self.fields = {}
        found = LINE.match(text)
        if not found:
            self.message = text
            return
        self.time, self.level, rest = found.groups()
        first = FIELD.search(rest)
        # "place quarantined: what lives there …" is found as "place quarantined".
        self.message = (rest[: first.start()] if first else rest).strip().split(": ")[0]
        for name, value in FIELD.findall(rest):
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            self.fields[name] = value

    def __getitem__(self, name):
        return self.fields[name]

    def get(self, name, default=None):
        return self.fields.get(name, default)

    def number(self, name):
        return int(self.fields[name])

    def seconds(self, name):
        return float(self.fields[name].removesuffix("s"))

    def when(self):
        return datetime.datetime.fromisoformat(self.time.replace("Z", "+00:00")).timestamp()

    def matches(self, fields):
        return all(self.fields.get(name) == str(value) for name, value in fields.items())

    def __repr__(self):
        return self.text


class Log:
    """All lines so far, by message; wait() blocks until the asked-for line is there."""

    def __init__(self):
        self.lines = []
        self._by_message = collections.defaultdict(list)
        self._changed = threading.Condition()
        self._ended = False

    def read(self, stream):
        for raw in stream:
            line = Line(raw.decode(errors="replace").rstrip("\n"))
            with self._changed:
                self.lines.append(line)
                self._by_message[line.message].append(line)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self, message, **fields):
        with self._changed:
            return [line for line in self._by_message[message] if line.matches(fields)]

    def count(self, message, **fields):
        return len(self.all(message, **fields))

    def wait(self, message, timeout=10, nth=1, **fields):
        """The nth line with this message and these fields."""
        deadline = time.monotonic() + timeout
        found, seen = [], 0
        with self._changed:
            while True:
                lines = self._by_message[message]
                found += [line for line in lines[seen:] if line.matches(fields)]
                seen = len(lines)
                if len(found) >= nth:
                    return found[nth - 1]
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    why = "the log has ended" if self._ended else f"not within {timeout:g} s"
                    raise AssertionError(
                        f"waiting for line {nth} of {message!r} {fields}: {why}; the last lines:\n"
                        + self.tail(30)
                    )
                self._changed.wait(left)

    def tail(self, count):
        return "\n".join(line.text for line in self.lines[-count:])

    def admission_inversions(self):
        """How many were admitted after somebody who had come later, over all instances. In the
        order of the lines: log.level debug has one for each. Times would be those of a machine
        that is busy with other things as well."""
        # Who had to wait again has a second one.
        clients = list(dict.fromkeys(line.number("client") for line in self.all("client admitted")))
        assert clients, "nobody was admitted, or log.level is not debug"
        return sum(later < earlier for earlier, later in zip(clients, clients[1:]))


def as_yaml(value, indent=0):
    """Block style, as a person would write it; scalars and short lists as JSON, which is YAML."""
    lines = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines += [" " * indent + f"{key}:", as_yaml(item, indent + 2)]
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            lines += [" " * indent + f"{key}:"]
            lines += [" " * indent + f"  - {json.dumps(entry)}" for entry in item]
        elif isinstance(item, str) and re.fullmatch(r"[a-z0-9]+", item):
            lines.append(" " * indent + f"{key}: {item}")
        else:
            lines.append(" " * indent + f"{key}: {json.dumps(item)}")
    return "\n".join(lines)


_reserved = []  # sockets whose abstract names say: this block of ports is taken
atexit.register(lambda: [mark.close() for mark in _reserved])


def reserve_ports(count=20):
    """The first of a block of free ports below the ephemeral range, ours until we exit."""
    block = 20  # whatever the count, so that no block lies within another
    for first in range(20000 + os.getpid() % 97 * block, 30000 - block, block):
        mark = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            mark.bind(f"\0tcplock-test-ports-{first}")
        except OSError:
            mark.close()
            continue
        if all(_is_free(port) for port in range(first, first + count)):
            _reserved.append(mark)
            return first
        mark.close()
    raise AssertionError("no free ports between 20000 and 29999")


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def processes():
    """All processes: (pid, state, parent, name)."""
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                text = file.read().decode(errors="replace")
        except OSError:
            continue
        name = text[text.index("(") + 1 : text.rindex(")")]
        state, parent = text[text.rindex(")") + 2 :].split()[:2]
        yield int(entry), state, int(parent), name


def read_proc(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def freeze(pid):
    """STOP, and until each of its threads has stopped: a busy machine lets them go on for a while."""
    os.kill(pid, signal.SIGSTOP)

    def has_stopped():
        threads = [read_proc(f"/proc/{pid}/task/{one}/stat") for one in os.listdir(f"/proc/{pid}/task")]
        return all(told[told.rindex(b")") + 2 :][:1] == b"T" for told in threads if told)

    wait_until(has_stopped, 20, f"process {pid} stands still")


def descendants(pid):
    """Everything below pid now, zombies too."""
    children = collections.defaultdict(list)
    for child, state, parent, name in processes():
        children[parent].append((child, state, name))
    found, ask = [], [pid]
    while ask:
        below = children[ask.pop()]
        found += below
        ask += [child for child, _, _ in below]
    return found


def processor_seconds(pid):
    """Processor time that pid itself has used, user and system."""
    text = read_proc(f"/proc/{pid}/stat").decode(errors="replace")
    fields = text[text.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def accepted_clients(port):
    """Connections on a listening port that somebody has accepted and not yet closed."""
    accepted = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for row in read_proc(path).decode().splitlines()[1:]:
            fields = row.split()
            # 01 is ESTABLISHED, 08 CLOSE_WAIT; in the backlog a connection has no inode yet. A
            # table that changes while it is read may name one twice.
            if fields[1].endswith(f":{port:04X}") and fields[3] in ("01", "08"):
                accepted.add(fields[9])
    return len(accepted - {"0"})


def is_listening(port):
    """Whether somebody lets clients in there: by connecting, and leaving."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_clients(port, count, timeout=60):
    """Until the daemon has accepted so many clients that are still there."""
    wait_until(lambda: accepted_clients(port) == count, timeout, f"{count} clients are in")


class Supervisor:
    """The daemon with one configuration, in a directory of its own.

    `config` may hold {port} and {ports} in any text: the listening port and the range of the
    backend. Leaving the `with` block ends the daemon and asserts that nothing is left behind.
    """

    def __init__(self, config, read_log=True, directory=None, port_block=None):
        if not BINARY:
            raise AssertionError("TCPLOCK_BINARY must name the daemon under test")
        self.directory = directory or tempfile.mkdtemp(prefix="tcplock-e2e-")
        self._owns_directory = directory is None
        self.first_port = port_block or reserve_ports()
        self.port = self.first_port
        self.state_directory = os.path.join(self.directory, "state")
        self.config_file = os.path.join(self.directory, "config.yaml")
        self.admin_socket = os.path.join(self.directory, "admin.sock")
        self.journal_file = os.path.join(self.directory, "journal")
        self.log = Log()
        self.process = None
        self.under = []  # a command that becomes what its arguments say
        self.pass_fds = ()  # to that
        self.may_leave_orphans = False  # for the next daemon on this state directory to find
        self._read_log = read_log
        self._reader = None
        os.makedirs(self.state_directory, exist_ok=True)
        self.write_config(config)

    def write_config(self, config):
        config = dict(config)
        config.setdefault("listen", [{"address": f"127.0.0.1:{self.port}"}])
        config.setdefault("admin", {"socket": self.admin_socket})
        backend = config.get("backend", {})
        is_alone = config["protocol"] == "tcp" and "command" not in backend
        if not is_alone:
            backend = {"state_directory": self.state_directory, **backend}
            address = backend.get("address", "")
            is_default = config["protocol"] == "uno" and not address and "command" not in backend
            if not is_default and not address.startswith("unix:"):
                ports = f"{self.first_port + 5}-{self.first_port + 19}"
                backend = {"ports": ports, **backend}
        config["backend"] = backend
        text = as_yaml(config).replace("@PORT@", str(self.port))
        text = text.replace("@JOURNAL@", self.journal_file).replace("@DIRECTORY@", self.directory)
        with open(self.config_file, "w") as file:
            file.write(text + "\n")

    def start(self, listening=True):
        self.process = subprocess.Popen(
            [*self.under, BINARY, "-c", self.config_file],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=self.pass_fds,
        )
        if self._read_log:
            self.read_log()
            if listening:
                self.log.wait("listening", timeout=20)
        return self

    def read_log(self):
        if not self._reader:
            self._reader = threading.Thread(
                target=self.log.read, args=(self.process.stderr,), daemon=True
            )
            self._reader.start()

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait_exit(self, timeout):
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            what = f"still running after {timeout:g} s:\n" + self.log.tail(30)
            raise AssertionError(what) from None
        if self._reader:
            self._reader.join(10)
        return status

    def terminate(self, timeout=40):
        """TERM, and the exit status."""
        if self.running():
            self.signal(signal.SIGTERM)
        return self.wait_exit(timeout)

    def warden(self):
        """The living process that is to end everything should the daemon be killed, or None."""
        if self.process is None:
            return None
        mark = f"tcplock-warden of {self.process.pid}".encode()
        for pid, state, _, name in processes():
            is_one = name == "tcplock-warden" and state not in "ZX"
            if is_one and read_proc(f"/proc/{pid}/cmdline").rstrip(b"\0") == mark:
                return pid
        return None

    def wait_warden(self):
        """It takes its name itself, once it runs."""
        return wait_until(self.warden, 10, "the warden")

    def kill_with_its_warden(self):
        """KILL to both: what they leave is for the next daemon to end."""
        self.may_leave_orphans = True
        os.kill(self.wait_warden(), signal.SIGKILL)
        self.process.kill()
        self.wait_exit(10)

    def processor_seconds(self):
        return processor_seconds(self.pid)

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def tree(self):
        """Living processes (not the daemon) that carry our state directory: (pid, name)."""
        mark = self.state_directory.encode()
        found = []
        for pid, state, _, name in processes():
            if state in "ZX" or (self.process and pid == self.process.pid):
                continue
            if any(mark in read_proc(f"/proc/{pid}/{file}") for file in ("environ", "cmdline")):
                found.append((pid, name))
        return found

    def assert_nothing_left(self, timeout=0):
        """No living process of ours; with a timeout, within so many seconds. Returns how long."""
        begin = time.monotonic()
        deadline = begin + timeout
        while True:
            left = self.tree()
            if not self.running() and self.warden():
                deadline = max(deadline, begin + 5)  # It goes by itself, after the daemon.
                left.append((self.warden(), "tcplock-warden"))
            if not left:
                return time.monotonic() - begin
            if time.monotonic() > deadline:
                raise AssertionError(f"left behind: {left}\n" + self.log.tail(30))
            time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            if self.running():
                self.signal(signal.SIGTERM)
                self.signal(signal.SIGTERM)
                try:
                    self.wait_exit(60)
                except AssertionError:
                    self.process.kill()
                    self.process.wait()
                    raise
            if kind is None and not self.may_leave_orphans:
                self.assert_nothing_left()
            elif kind and self.log.lines:
                print("--- log, the last lines\n" + self.log.tail(60), flush=True)
        finally:
            self._clean_up()
        return False

    def _clean_up(self):
        """Whatever the verdict: later tests find neither processes nor files of ours."""
        for pid, _ in [] if self.may_leave_orphans else self.tree():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self._reader:
            self._reader.join(5)
        if self.process and self.process.stderr:
            self.process.stderr.close()
        if self._owns_directory and not os.environ.get("TCPLOCK_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)


def with_mount(file, over):
    """A command before another, which then sees this file in another's place."""
    mount = 'mount --bind "$0" "$1" && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", mount, file, over]


MAY_MOUNT = (
    subprocess.run(
        [*with_mount("/etc/hosts", over="/etc/hosts"), "true"],
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode
    == 0
)


def result(name, **figures):
    """The one summary line of a test."""
    print(
        f"RESULT {name}: " + " ".join(f"{key}={value}" for key, value in figures.items()),
        flush=True,
    )


def run_command(*arguments, timeout=20, **options):
    """The binary with other arguments: the finished process with its output as text."""
    return subprocess.run(
        [BINARY, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        **options,
    )
