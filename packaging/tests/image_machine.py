"""What the image is tested with: containers, and a network of their own to reach them by.

The network has two ends, so that a client comes from elsewhere, as he would through a published
port: containers are at GATE, and clients come from NEAR, a private network, or from FAR, which is
none.
"""

import atexit
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "e2e"))

from supervisor import Log, wait_until  # noqa: E402, as the tests of the programs have it

SUITE = os.environ.get("SUITE", "bookworm")
IMAGE = f"localhost/tcplock-test:{SUITE}"
CLIENT_IMAGE = f"localhost/tcplock-test:client-{SUITE}"
DEBIAN_IMAGE = f"docker.io/library/debian:{SUITE}-slim"
PROGRAM_IMAGE = f"localhost/tcplock-test:program-{SUITE}"
REVISION = os.environ.get("REVISION", "")  # that the image was built with
BARE_IMAGE = "docker.io/library/debian:bookworm-slim"  # glibc, and as little else as there can be

PODMAN = ["podman", "--runtime", "runc"]
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]
PYTHON = "/usr/bin/python3"  # the system's own

GATE = "10.88.2.1"
NEAR = "10.88.2.2"
GATE_IN_PUBLIC = "203.0.113.1"
FAR = "203.0.113.2"
PORT = 2002

MARK = "TCPLOCK_TEST_CONTAINER"  # in the environment of its process 1

COMMAND_LIMIT = 120  # of what takes a second or two on a machine with nothing else to do
READY_LIMIT = 120
END_LIMIT = 60


# So that being told to end removes what was made, too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))


def run(*command, check=True, timeout=COMMAND_LIMIT, **options):
    """The finished process, with its output as text; what it said is in the error if it failed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done


def podman(*arguments, **options):
    return run(*PODMAN, *arguments, **options)


class Network:
    """Two namespaces and a cable: `inside` is the containers', `outside` the clients'."""

    def __init__(self):
        self.inside = f"tcplock-in-{os.getpid()}"
        self.outside = f"tcplock-out-{os.getpid()}"
        atexit.register(self.remove)
        for name in (self.inside, self.outside):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", self.inside, "link", "add", "veth0", "type", "veth",
            "peer", "name", "veth0", "netns", self.outside)  # fmt: skip
        for name, addresses in ((self.inside, (GATE, GATE_IN_PUBLIC)), (self.outside, (NEAR, FAR))):
            for address in addresses:
                run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "veth0")
            run("ip", "-n", name, "link", "set", "veth0", "up")

    def remove(self):
        for name in (self.inside, self.outside):
            run("ip", "netns", "delete", name, check=False)

    def outsider(self, *command):
        return ["ip", "netns", "exec", self.outside, *command]

    def insider(self, *command):
        return ["ip", "netns", "exec", self.inside, *command]


class Container:
    """One that runs the image; removed at the end of `with`, however that comes."""

    count = 0

    def __init__(self, network, *options, image=IMAGE, command=()):
        Container.count += 1
        self.name = f"tcplock-test-{os.getpid()}-{Container.count}"
        self.create = ["create", "--name", self.name, *LIMITS,
                       "--network", f"ns:/run/netns/{network.inside}",
                       "--env", f"{MARK}={self.name}", *options, image, *command]  # fmt: skip
        self.log = Log()
        self._reader = None

    def __enter__(self):
        podman(*self.create)
        atexit.register(self._remove)
        return self

    def __exit__(self, *_):
        self._remove()
        atexit.unregister(self._remove)

    def _remove(self):
        podman("rm", "--force", "--time", "0", self.name, check=False)
        if self._reader:
            self._reader.join(COMMAND_LIMIT)

    def start(self):
        podman("start", self.name)
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        return self

    def _read_log(self):
        command = [*PODMAN, "logs", "--follow", self.name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as reader:
            self.log.read(reader.stdout)

    def start_and_wait(self):
        """Until a client would be served at once."""
        self.start()
        self.wait_healthy()
        return self

    def execute(self, *command, check=True, options=()):
        return podman("exec", *options, self.name, *command, check=check)

    def wait_healthy(self):
        wait_until(lambda: self.health().returncode == 0, READY_LIMIT, "a healthy container", 0.2)

    def health(self):
        """By the image's own HEALTHCHECK."""
        return podman("healthcheck", "run", self.name, check=False)

    def state(self):
        return json.loads(podman("inspect", "--format", "{{json .State}}", self.name).stdout)

    @property
    def pid(self):
        """Of its process 1, seen from this machine; 0 if it does not run."""
        return self.state()["Pid"]

    def find_program(self):
        """Its process 1, as soon as that is the program; quicker than podman tells it."""
        mark = f"{MARK}={self.name}".encode()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if os.readlink(f"/proc/{entry}/exe") == "/usr/bin/tcplock-supervisor":
                    with open(f"/proc/{entry}/environ", "rb") as file:
                        if mark in file.read().split(b"\0"):
                            return int(entry)
        return 0

    def processes(self):
        """Of its pid namespace: (pid as seen from this machine, name, state)."""
        namespace = os.readlink(f"/proc/{self.pid}/ns/pid")
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            # Others end meanwhile, and of some not even root may know the namespace.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if os.readlink(f"/proc/{entry}/ns/pid") == namespace:
                    with open(f"/proc/{entry}/stat") as file:
                        name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
                    found.append((int(entry), name, rest.split()[0]))
        return found

    def offices(self):
        return [pid for pid, name, _ in self.processes() if name == "soffice.bin"]

    def wait_for_end(self, timeout=END_LIMIT):
        """Its exit status."""
        wait_until(lambda: self.state()["Status"] == "exited", timeout, "the container's end", 0.05)
        return self.state()["ExitCode"]
