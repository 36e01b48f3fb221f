"""The package as it is installed in a machine: its service, its journal, its users, its clients."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from deb_machine import APT, TOP, Machine, Roots

import documents
from supervisor import wait_until

RELEASE = os.environ.get("RELEASE", "12")
DEB = os.environ.get("DEB", "")
ROOTS = Roots(os.path.join(TOP, "build", "package-tests"), RELEASE)

NAME = "tcplock-supervisor"
PORT = 2002
CONFIGURATION = "/etc/tcplock-supervisor/tcplock.yaml"
EXCHANGE = "/var/lib/tcplock-supervisor/exchange"
SOURCE, PACKAGES = "/mnt/source", "/mnt/packages"  # where the machine sees this tree, and packages
READY_LIMIT = 120  # seconds; an office starts in three when nothing else runs

# Who comes to the machine, and the groups he is in.
USERS = {"clerk": "", "courier": "tcplock-exchange", "steward": NAME}


class Package:
    """The .deb as it was built, and later versions of it, in a folder for a machine to see."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tcplock-packages-")
        self.version = self._field("Version")
        shutil.copy(DEB, os.path.join(self.folder, "first.deb"))

    def remove(self):
        shutil.rmtree(self.folder)

    def _field(self, name):
        told = subprocess.run(["dpkg-deb", "--field", DEB, name], check=True, capture_output=True)
        return told.stdout.decode().strip()

    def depends(self):
        return ", ".join(filter(None, (self._field("Pre-Depends"), self._field("Depends"))))

    def recommends(self):
        return self._field("Recommends")

    def later(self, name, suffix):
        """The same with a higher version, and one line more in its configuration."""
        tree = os.path.join(self.folder, name)
        subprocess.run(["dpkg-deb", "--raw-extract", DEB, tree], check=True)
        with open(tree + CONFIGURATION, "a", encoding="utf-8") as file:
            file.write(f"# of version {suffix}\n")
        control = os.path.join(tree, "DEBIAN", "control")
        with open(control, encoding="utf-8") as file:
            text = file.read()
        version = f"Version: {self.version}"
        with open(control, "w", encoding="utf-8") as file:
            file.write(text.replace(f"{version}\n", f"{version}{suffix}\n"))
        build = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, f"{tree}.deb"]
        subprocess.run(build, check=True, capture_output=True)
        shutil.rmtree(tree)
        return f"{self.version}{suffix}"


class Installation:
    """A machine, and in it the package once install() has been called."""

    def __init__(self, package, name, office=True, recommends=False, tools="", root=""):
        """What it said is kept by this name, its console and its journal. The tools, which are
        packages, can be installed there too. A root of one's own has what it has."""
        wanted = package.recommends() if recommends else ""
        needed = ", ".join(filter(None, (package.depends(), tools)))
        root = root or (ROOTS.office(needed) if office else ROOTS.bare(needed, wanted))
        self.kept = os.path.join(ROOTS.folder, name)
        seen = [(TOP, SOURCE), (package.folder, PACKAGES)]
        self.machine = Machine(root, f"{self.kept}-console.log", seen)
        self.clients = []
        self.run, self.shell = self.machine.run, self.machine.shell

    def __enter__(self):
        self.machine.__enter__()
        return self

    def __exit__(self, *error):
        for client in self.clients:
            client.process.kill()
            client.process.communicate()
        try:
            with open(f"{self.kept}-journal.log", "w", encoding="utf-8") as file:
                file.write(self.shell("journalctl --no-pager --output=short-precise"))
        finally:
            self.machine.__exit__(*error)

    def install(self, name="first", *options):
        """By apt, as a person would, but with nothing that is only recommended."""
        return self.run(*APT, *options, "install", f"{PACKAGES}/{name}.deb", timeout=300)

    def add_users(self):
        for user, group in USERS.items():
            self.run("useradd", "--create-home", user)
            if group:
                self.run("usermod", "--append", "--groups", group, user)

    def upgrade(self, name):
        """Begins that, with the configuration that is there."""
        options = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]
        install = [*APT, *options, "install", f"{PACKAGES}/{name}.deb"]
        return self.machine.start(*install, timeout=300)

    def installed_version(self):
        return self.run("dpkg-query", "--show", "--showformat", "${Version}", NAME).stdout

    # The service, by systemd's words.

    def show(self, key, unit=NAME):
        return self.run("systemctl", "show", "--property", key, "--value", unit).stdout.strip()

    def main_pid(self, unit=NAME):
        return int(self.show("MainPID", unit))

    def wait_active_as_another(self, old, timeout=READY_LIMIT):
        """Until it runs again, as another process."""
        wait_until(
            lambda: self.main_pid() not in (0, old) and self.show("ActiveState") == "active",
            timeout,
            "the service runs again",
            pause=0.2,
        )

    def processes(self, unit=NAME):
        """Of the service: {pid: name}."""
        group = self.show("ControlGroup", unit)
        if not group:
            return {}
        pids = f"$(cat /sys/fs/cgroup{group}/cgroup.procs)"
        script = f"for pid in {pids}; do echo $pid $(cat /proc/$pid/comm); done"
        # One that has ended in between has no name.
        return dict(line.split(" ", 1) for line in self.shell(script).splitlines() if " " in line)

    def offices(self, unit=NAME):
        return {pid for pid, name in self.processes(unit).items() if name == "soffice.bin"}

    def standby(self):
        """The place whose office has answered and is next."""
        places = self.status()["places"]
        (beside,) = [one for one in places if one["instance"] is None and one["phase"] == "ready"]
        return beside

    def serving_office(self):
        """Of its processes the one that the next client goes to."""
        (leader,) = (one["pid"] for one in self.status()["places"] if one["instance"] is not None)
        told = self.shell("grep -Hs ^PPid: /proc/[0-9]*/status || true")
        parents = dict(re.findall(r"^/proc/(\d+)/status:PPid:\t(\d+)$", told, re.M))

        def is_of_it(pid):
            return pid == str(leader) or (pid in parents and is_of_it(parents[pid]))

        (office,) = filter(is_of_it, self.offices())
        return office

    def send(self, signal, *pids):
        self.shell(f"kill -{signal} {' '.join(map(str, pids))}")

    def owned_processes(self):
        """All of the service's user, wherever they are."""
        find = f"find /proc -ignore_readdir_race -maxdepth 1 -name '[0-9]*' -user {NAME} -printf '%f\\n'"
        return set(self.shell(find).split())

    def journal(self, words="", unit=NAME):
        """Its lines with these words: (priority, text)."""
        told = self.run("journalctl", "--output=json", "--no-pager", "--unit", unit).stdout
        lines = [json.loads(line) for line in told.splitlines()]
        return [
            (int(line["PRIORITY"]), line["MESSAGE"])
            for line in lines
            if line.get("SYSLOG_IDENTIFIER") == NAME and words in line["MESSAGE"]
        ]

    def wait_journal(self, words, nth=1, timeout=READY_LIMIT, unit=NAME):
        def found():
            lines = self.journal(words, unit)
            return lines[nth - 1] if len(lines) >= nth else None

        return wait_until(found, timeout, f"{words!r} in the journal", pause=0.3)

    def status(self, socket="/run/tcplock-supervisor/admin.sock"):
        return json.loads(self.run(NAME, "status", "--json", "-s", socket).stdout)

    def wait_ready(self, timeout=READY_LIMIT):
        wait_until(
            lambda: self.run(NAME, "health", "--ready", check=False).returncode == 0,
            timeout,
            "a client would be served",
            pause=0.3,
        )

    def wait_both_ready(self):
        """The office that serves and the one beside it: both have answered."""

        def both():
            places = self.status()["places"]
            ready = [place["pid"] for place in places if place["phase"] == "ready"]
            offices = self.offices()  # among them may be one that still ends
            return offices if len(ready) == 2 and len(offices) == 2 else None

        return wait_until(both, READY_LIMIT, "an office and its standby", pause=0.2)

    # Its clients.

    def letter(self, user, folder, words, mode="0640", kind="docx"):
        """A document that this user puts in a folder: its path."""
        path = f"{folder}/{words.replace(' ', '-')}.{kind}"
        with tempfile.NamedTemporaryFile(suffix=f".{kind}") as made:
            documents.make(kind, made.name, words)
            self.machine.write(path, made.read(), user, mode)
        return path

    def client(self, verb, source, target, port=PORT, export_filter="Text"):
        """To be run in the machine."""
        program = f"{SOURCE}/packaging/tests/deb_client.py"
        return ["/usr/bin/python3", program, str(port), verb, source, target, export_filter]

    def convert(self, words, user="clerk", port=PORT, kind="docx"):
        """By stream, as somebody with no rights does: whether the words came back."""
        export_filter, extension, _ = documents.TARGETS[kind]
        source = self.letter(user, f"/home/{user}", words, kind=kind)
        target = f"{source.removesuffix(kind)}{extension}"
        self.run(*self.client("stream", source, target, port, export_filter), user=user, timeout=120)
        return words in self.run("cat", target, user=user).stdout

    def hold(self, words, user="clerk"):
        """A client that is inside when this returns."""
        holder = self.start_client(words, user, "hold")
        line = holder.process.stdout.readline()
        if line != "inside\n":
            raise AssertionError(f"the client did not get in: {line}{holder.process.stdout.read()}")
        return holder

    def start_client(self, words, user="clerk", verb="stream"):
        source = self.letter(user, f"/home/{user}", words)
        target = source.replace(".docx", ".txt")
        process = self.machine.start(*self.client(verb, source, target), user=user, timeout=600)
        self.clients.append(Client(self, process, words, target))
        return self.clients[-1]


class Client:
    """One whose conversion goes on beside the test."""

    def __init__(self, installation, process, words, target):
        self.installation = installation
        self.process = process
        self.words = words
        self.target = target

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def was_served(self, timeout=120):
        """Whether his words came back, and what he said if not."""
        said, _ = self.process.communicate(timeout=timeout)
        if self.process.returncode != 0:
            return f"it ended with {self.process.returncode}: {said}"
        return self.words in self.installation.run("cat", self.target).stdout or "not his words"


class InOrder(unittest.TestLoader):
    """The classes of a module, and the tests of a class, as they are written down."""

    def getTestCaseNames(self, case):
        return steps_of(case)

    def loadTestsFromModule(self, module, **_):
        mine = [one for one in vars(module).values() if getattr(one, "__module__", "") == module.__name__]
        cases = [one for one in mine if isinstance(one, type) and issubclass(one, unittest.TestCase)]
        return self.suiteClass(map(self.loadTestsFromTestCase, cases))


def steps_of(case):
    return [name for name in vars(case) if name.startswith("test_")]


class Steps(unittest.TestCase):
    """One machine's life, of which each test is a step that follows upon the others."""

    def setUp(self):
        case = type(self)
        earlier = case.__dict__.get("done", [])
        case.done = [*earlier, self._testMethodName]
        expected = steps_of(case)[: len(case.done)]
        self.assertEqual(case.done, expected, f"a step of one life: run all of {case.__name__}")
