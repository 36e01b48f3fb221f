"""Whom the speed benchmark compares: each is started before one backend, with one slot, and ended.

Each has addresses of its own on the loopback device, so that no connection that has ended, which
the system remembers for a minute, is in the way of a later one.
"""

import contextlib
import itertools
import os
import shutil
import subprocess
import tempfile

import socket_unit
from supervisor import Supervisor, reserve_ports, wait_until

HAPROXY = shutil.which("haproxy", path="/usr/sbin:" + os.environ["PATH"])
SOCKET_PROXYD = "/lib/systemd/systemd-socket-proxyd"
LONGEST_LINE = 12000

LINES = ["handover-1", "handover-64", "handover-1000"]
LONG_LINES = ["handover-10000", "drain", "waiting", "waiting-said", "storm"]
ONE_INSIDE = ["bulk-up", "bulk-down", "bulk-both", "ping-pong"]
ALONE = ["sessions", *ONE_INSIDE]

_addresses = (f"127.{a}.{b}.1" for a in range(77, 127) for b in range(1, 255))
_first_port = None


def new_address(offset):
    """An address that nobody has used in this run."""
    global _first_port
    _first_port = _first_port or reserve_ports()
    return f"{next(_addresses)}:{_first_port + offset}"


def listens(address):
    """Without connecting, which would be a session."""
    host, port = address.split(":")
    packed = "".join(f"{int(byte):02X}" for byte in reversed(host.split(".")))
    with open("/proc/net/tcp") as table:
        rows = (line.split()[1:4] for line in itertools.islice(table, 1, None))
        return any(row[0] == f"{packed}:{int(port):04X}" and row[2] == "0A" for row in rows)


class Contender:
    """Started by `with`; then its front may be connected to, and `pids` are what it consists of.

    `takes` are the workloads that it can take part in, `settings` what was set, for the table.
    """

    keeps_line = True  # a gate; or everybody goes in at once
    has_backend_of_its_own = False
    admin_socket = ""
    settings = ""

    def __init__(self, name, takes):
        self.name = name
        self.takes = takes
        self.front = self.backend = None
        self.pids = []

    def find_addresses(self):
        """New ones for each run, before anything is started."""
        self.front, self.backend = new_address(0), new_address(1)

    @contextlib.contextmanager
    def running(self):
        yield


class Loopback(Contender):
    """Nobody in between."""

    keeps_line = False
    settings = "clients connect to the backend; all are inside at once"

    def __init__(self):
        super().__init__("loopback", [*ALONE, *LINES])

    def find_addresses(self):
        self.front = self.backend = new_address(0)


class Program(Contender):
    """One process that runs until it is told to end."""

    def command(self, directory):
        raise NotImplementedError

    under = ()  # a command that becomes what its arguments say
    pass_fds = ()

    @contextlib.contextmanager
    def running(self):
        with tempfile.TemporaryDirectory(prefix="tcplock-bench-") as directory:
            command = [*self.under, *self.command(directory)]
            output = os.path.join(directory, "output")
            with open(output, "wb") as file:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                    pass_fds=self.pass_fds, start_new_session=True,
                )  # fmt: skip
            try:
                wait_until(
                    lambda: process.poll() is not None or self.serves(process.pid), 20, self.name
                )
                if process.poll() is not None:
                    with open(output) as file:
                        raise AssertionError(f"{self.name} does not start: {file.read()[-2000:]}")
                self.pids = [process.pid]
                yield
            finally:
                end(process)

    def serves(self, _pid):
        return listens(self.front)


def end(process):
    """Of what is to be measured nothing happens any more: it need not end in order."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)


class Yardstick(Program):
    def __init__(self, name, kind, program):
        super().__init__(name, [*ALONE, *LINES])
        self.kind, self.program = kind, program
        self.settings = f"accept, connect, poll, {kind}, close; who waits is kept by the system"

    def command(self, directory):
        return [self.program, self.front, self.backend, self.kind]


class HAProxy(Program):
    """Its "auto" copies where what comes at once is little, 16 KiB at a time: so for bulk it is told
    to splice in any case, too."""

    def __init__(self, name, takes, splice=("auto",), pipe_size=None, has_log=False):
        super().__init__(name, takes)
        self.splice, self.pipe_size, self.has_log = splice, pipe_size, has_log
        options = [f"option splice-{kind}" for kind in splice]
        pipes = [f"tune.pipesize {pipe_size}"] * bool(pipe_size)
        log = "option tcplog to a file" if has_log else "no log"
        self.settings = ", ".join(["maxconn 1", "nbthread 1", *options, *pipes, log])

    def command(self, directory):
        lines = [
            "global",
            f"maxconn {LONGEST_LINE}",
            "nbthread 1",
            "maxpipes 64",
            "no strict-limits",  # it would have twice as many descriptors as it will need
            *[f"tune.pipesize {self.pipe_size}"] * bool(self.pipe_size),
            *["log stderr format raw local0 info"] * self.has_log,
            "defaults",
            "mode tcp",
            *["log global", "option tcplog"] * self.has_log,
            *[f"option splice-{kind}" for kind in self.splice],
            "timeout connect 5s",
            *[f"timeout {what} 1h" for what in ("client", "server", "queue")],
            "listen gate",
            f"bind {self.front}",
            f"server backend {self.backend} maxconn 1",
        ]
        config = os.path.join(directory, "haproxy.cfg")
        with open(config, "w") as file:
            file.write("\n".join(lines) + "\n")
        return [HAPROXY, "-db", "-q", "-f", config]


class SocketProxyd(Program):
    """It has no line, and takes part where there is one client at a time. With --connections-max=1
    it would close a client who comes while it still tidies up after the last one."""

    keeps_line = False
    settings = "everybody goes in at once"

    def __init__(self):
        super().__init__("socket-proxyd", ALONE)

    def command(self, directory):
        return [SOCKET_PROXYD, self.backend]

    def serves(self, pid):
        # The socket is ours, and listens from the start; the program is there once it has replaced
        # the shell that passes it.
        return os.readlink(f"/proc/{pid}/exe") == os.path.realpath(SOCKET_PROXYD)

    @contextlib.contextmanager
    def running(self):
        host, port = self.front.split(":")
        with socket_unit.SocketUnit(socket_unit.listening(host, int(port))) as unit:
            unit.pass_to(self, count=1)
            with super().running():
                yield


class Tcplock(Contender):
    """Us."""

    def __init__(self, name, takes, config, settings):
        super().__init__(name, takes)
        self.config, self.settings = config, settings

    def sections(self):
        return {
            "protocol": "tcp",
            "backend": {"address": self.backend},
            "probe": {"kind": "connect"},
        }

    @contextlib.contextmanager
    def running(self):
        config = {"listen": [{"address": self.front}], **self.sections()}
        patience = {"queue_timeout": "1h", "session_timeout": "1h", "queue_limit": LONGEST_LINE}
        config["gate"] = {"half_closed": "leave", **patience}
        for section, keys in self.config.items():
            config[section] = {**config.get(section, {}), **keys}
        with Supervisor(config, read_log=False) as supervisor:
            log = os.path.join(supervisor.directory, "log")
            supervisor.under = ["bash", "-c", f'exec "$0" "$@" 2>{log}']
            supervisor.start()
            try:
                wait_until(lambda: is_ready(supervisor, log), 20, "the first answer")
            except AssertionError as error:
                raise AssertionError(f"{error}: {text_of(log)[-2000:]}") from None
            self.admin_socket = supervisor.admin_socket
            self.pids = [supervisor.pid, *filter(None, [supervisor.warden()])]
            yield
            supervisor.terminate()


def is_ready(supervisor, log):
    if not supervisor.running():
        raise AssertionError("it does not start")
    return " backend ready " in text_of(log)


def text_of(file):
    with open(file, "a+") as log:  # It may not be there yet.
        log.seek(0)
        return log.read()


class TcplockUno(Tcplock):
    """Before an office that does nothing but answer; the office itself is not charged."""

    has_backend_of_its_own = True

    def __init__(self, name, takes, config, settings, office):
        super().__init__(name, takes, config, settings)
        self.office = office

    def sections(self):
        return {
            "protocol": "uno",
            "backend": {
                "command": [self.office, "127.0.0.1:{port}"],
                "address": "127.0.0.1:{port}",
                "profile_template": "none",
                # A build with the address sanitizer reserves terabytes of addresses.
                "limits": {"address_space": "off"},
                "standby": 0,
            },
            "recycle": {"max_jobs": "off", "max_age": "off"},
        }


def all_of(build):
    """By name, in the order of the table."""
    programs = os.path.abspath(os.path.join(build, "tests", "bench", "speed"))
    yardstick = os.path.join(programs, "bench_yardstick")
    office = os.path.join(programs, "bench_office")
    gate = [*ALONE, *LINES, *LONG_LINES]
    usual = "a gate alone, half_closed leave, one slot, probe connect every 5s, log info to a file"
    contenders = [
        Loopback(),
        Yardstick("yardstick", "copy", yardstick),
        Yardstick("yardstick-splice", "splice", yardstick),
        HAProxy("haproxy", gate),
        HAProxy("haproxy-1m", ONE_INSIDE, pipe_size=1048576),
        HAProxy("haproxy-splice", ONE_INSIDE, ("request", "response"), pipe_size=1048576),
        HAProxy("haproxy-log", ["handover-64"], has_log=True),
        SocketProxyd(),
        Tcplock("tcplock", [*gate, "status"], {}, "protocol tcp, " + usual),
        TcplockUno("uno-unprobed", ["uno"], {"probe": {"admission": "off"}},
                   "protocol uno, probe.admission off, an office that only answers", office),
        TcplockUno("uno", ["uno"], {}, "protocol uno, probe.admission 15s, an office that only answers", office),
    ]  # fmt: skip
    return {contender.name: contender for contender in contenders}
