"""The container image, as somebody who runs it would see it. image.sh builds it and starts this."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.parse

from image_machine import (
    BARE_IMAGE,
    CLIENT_IMAGE,
    DEBIAN_IMAGE,
    END_LIMIT,
    FAR,
    GATE,
    GATE_IN_PUBLIC,
    IMAGE,
    LIMITS,
    PODMAN,
    PORT,
    PROGRAM_IMAGE,
    PYTHON,
    REVISION,
    TOP,
    Container,
    Network,
    podman,
    run,
)
from hardening import SIGNS, missing
from supervisor import result, wait_until

import yaml

DOCKER = os.path.join(TOP, "packaging", "docker")
SAMPLE = os.path.join(TOP, "packaging", "quickstart", "sample.fodt")
CONVERT = os.path.join(TOP, "packaging", "quickstart", "convert.py")
STREAM = os.path.join(DOCKER, "client.py")

CLIENT_LIMIT = 120
DOCKER_STOP = 10  # seconds: what `docker stop` waits before it kills
READ_ONLY = ("--read-only", "--read-only-tmpfs=false", "--tmpfs", "/tmp")
OLDEST_GLIBC = (2, 36)  # Debian 12's
LICENSES = "/usr/share/doc/tcplock-supervisor/licenses"
LINKED_IN = ["fmtlib", "prometheus-cpp", "spdlog", "tcplock-supervisor", "yaml-cpp"]
# Of a podman whose exit status is looked at: without systemd it complains of the health check.
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

network = None


def setUpModule():
    global network
    network = Network()


class Client:
    """A process in the clients' namespace, or beside the containers."""

    def __init__(self, *command, where=None):
        self.process = subprocess.Popen(
            (where or network.outsider)(*command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def read_line(self):
        return self.process.stdout.readline()

    def finish(self, timeout=CLIENT_LIMIT):
        """What it said, and its exit status."""
        try:
            output, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return output, self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.communicate()


class UnoClient(Client):
    """One in a container of the same Debian as the office: UNO of Debian 12 loses its connection to
    an office of Debian 13, which is no matter of the gate's."""

    count = 0

    def __init__(self, script, *arguments, namespace=None, folder=None):
        UnoClient.count += 1
        self.name = f"tcplock-client-{os.getpid()}-{UnoClient.count}"
        volumes = [f"{TOP}:{TOP}:ro"] + ([f"{folder}:{folder}"] if folder else [])
        super().__init__(
            *PODMAN, "run", "--rm", "--interactive", "--name", self.name, *LIMITS,
            "--network", f"ns:/run/netns/{namespace or network.outside}", "--user", "0:0",
            *(word for volume in volumes for word in ("--volume", volume)),
            "--entrypoint", "python3", CLIENT_IMAGE, script, *arguments,
            where=lambda *command: command,
        )  # fmt: skip

    def kill(self):
        podman("rm", "--force", "--time", "0", "--ignore", self.name)
        super().kill()


def converter(*arguments):
    """tests/e2e/converter.py beside the containers, since it knows no host but this one."""
    script = os.path.join(TOP, "tests", "e2e", "converter.py")
    return UnoClient(script, str(PORT), *arguments, namespace=network.inside)


class ImageTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="tcplock-image-")
        self.addCleanup(shutil.rmtree, self.directory)

    def container(self, *options, **more):
        container = Container(network, *options, **more)
        container.__enter__()
        self.addCleanup(container.__exit__)
        return container

    def configured(self, change):
        """Options for a container with the image's own configuration but for this."""
        with open(os.path.join(DOCKER, "tcplock.yaml"), encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(text.count(change[0]), 1)
        return self.mounted(text.replace(*change))

    def mounted(self, text):
        """Options for a container with this as its configuration."""
        path = os.path.join(self.directory, "tcplock.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        os.chmod(self.directory, 0o755)
        return ["--volume", f"{path}:/etc/tcplock-supervisor/tcplock.yaml:ro"]

    def stream(self, name="result.pdf", host=GATE):
        """A client that shares no disk with the office: a real document, to PDF."""
        target = os.path.join(self.directory, name)
        return target, UnoClient(STREAM, host, str(PORT), SAMPLE, target, folder=self.directory)

    def assert_converts(self):
        target, client = self.stream()
        output, status = client.finish()
        self.assertEqual(status, 0, output)
        self.assert_pdf(target)
        os.unlink(target)

    def assert_pdf(self, path):
        with open(path, "rb") as file:
            self.assertEqual(file.read(5), b"%PDF-")
        self.assertGreater(os.path.getsize(path), 4000)


class Running(ImageTest):
    """One container for all, which is healthy before each test and after it."""

    @classmethod
    def setUpClass(cls):
        cls.exchange = tempfile.mkdtemp(prefix="tcplock-exchange-")
        cls.addClassCleanup(shutil.rmtree, cls.exchange)
        os.chown(cls.exchange, 1001, 0)
        os.chmod(cls.exchange, 0o2775)
        # The same path on both sides: clients name documents by what the office calls them.
        cls.shared = Container(network, "--volume", f"{cls.exchange}:{cls.exchange}")
        cls.shared.__enter__()
        cls.addClassCleanup(cls.shared.__exit__)
        begin = time.monotonic()
        cls.shared.start_and_wait()
        ready = cls.shared.log.wait("backend ready", timeout=30)
        took = time.monotonic() - begin
        result("image_start", healthy_after=f"{took:.1f}s", office=ready["after"])

    def test_converts_for_a_client_that_shares_no_disk(self):
        self.assert_converts()

    def test_converts_what_a_client_names_by_its_path(self):
        # A name that needs a locale which knows more than ASCII.
        source = os.path.join(self.exchange, "Übersicht 概要.fodt")
        target = os.path.join(self.exchange, "Übersicht 概要.pdf")
        shutil.copy(SAMPLE, source)
        os.chmod(source, 0o644)
        output, status = UnoClient(CONVERT, GATE, str(PORT), source, target).finish()
        self.assertEqual(status, 0, output)
        self.assert_pdf(target)
        about = os.stat(target)
        self.assertEqual((about.st_uid, about.st_gid), (1001, 0))
        self.assertEqual(about.st_mode & 0o7777, 0o644)
        owner = f"{about.st_uid}:{about.st_gid}"
        result("image_exchange", mode=oct(about.st_mode & 0o7777), owner=owner)

    def test_lets_nobody_in_from_the_internet(self):
        # As it would come by a port that was published on every address.
        source = f"socket.create_connection(('{GATE_IN_PUBLIC}', {PORT}), 10, ('{FAR}', 0))"
        code = f"import socket; print(len({source}.recv(1)))"
        before = self.shared.log.count("client refused", end="PA")
        output, _ = Client(PYTHON, "-c", code).finish()
        self.assertTrue(output == "0\n" or "ConnectionReset" in output, output)
        wait_until(
            lambda: self.shared.log.count("client refused", end="PA") > before, 60, "the refusal"
        )

    def test_its_offices_are_reached_through_the_gate_only(self):
        ports = [
            port
            for port in range(2100, 2110)
            if self.tries_to_connect("127.0.0.1", port, network.insider)[1] == 0
        ]
        self.assertGreaterEqual(len(ports), 1, "no office listens where this test believes")
        for port in ports:
            output, status = self.tries_to_connect(GATE, port, network.outsider)
            self.assertNotEqual(status, 0)
            self.assertIn("ConnectionRefusedError", output)

    def tries_to_connect(self, host, port, where):
        code = f"import socket; socket.create_connection(('{host}', {port}), 5)"
        return Client(PYTHON, "-c", code, where=where).finish()

    def test_its_health_is_told_by_its_own_health_check(self):
        declared = json.loads(
            podman("image", "inspect", "--format", "{{json .Config.Healthcheck}}", IMAGE).stdout
        )
        self.assertEqual(declared["Test"], ["CMD", "tcplock-supervisor", "health"])
        self.shared.wait_healthy()
        self.shared.execute("tcplock-supervisor", "pause")
        try:
            self.assertEqual(self.shared.health().returncode, 1)
            sick = self.shared.execute("tcplock-supervisor", "health", check=False)
            self.assertIn("paused: an operator has paused it", sick.stderr)
        finally:
            self.shared.execute("tcplock-supervisor", "resume")
        self.shared.wait_healthy()

    def test_a_killed_office_costs_nobody_anything(self):
        for pid in self.shared.offices():
            os.kill(pid, signal.SIGKILL)
        self.assert_converts()
        wait_until(lambda: len(self.shared.offices()) == 2, 60, "an office and its standby", 0.1)
        result("image_office_killed", died=self.shared.log.count("backend died"))

    def test_orphans_leave_no_zombies(self):
        # Each shell ends before its child, whose parent is then process 1.
        orphans = "for i in 1 2 3 4 5 6 7 8 9 10; do (sh -c 'sleep 0.2; exit 3' &); done"
        for _ in range(5):
            self.shared.execute("sh", "-c", orphans)
        wait_until(self.has_no_orphan, 20, "the end of 50 orphans", 0.1)
        wait_until(lambda: not self.zombies(), 5, "that no zombie is left", 0.1)
        result("image_zombies", orphans=50, zombies=len(self.zombies()))
        self.shared.wait_healthy()

    def has_no_orphan(self):
        alive = {name for _, name, _ in self.shared.processes()}
        return not alive & {"sh", "sleep"}

    def zombies(self):
        return [process for process in self.shared.processes() if process[2] == "Z"]

    def test_is_process_1_itself(self):
        program = os.readlink(f"/proc/{self.shared.pid}/exe")
        self.assertEqual(program, "/usr/bin/tcplock-supervisor")

    def test_has_the_fonts_that_documents_ask_for(self):
        for asked, expected in (
            ("Arial", "Liberation Sans"),
            ("Times New Roman", "Liberation Serif"),
            ("Calibri", "Carlito"),
            ("Cambria", "Caladea"),
            (":lang=ja", "Noto S"),
            (":lang=th", "Noto Sans Thai"),
        ):
            found = self.shared.execute("fc-match", "--format", "%{family}", asked).stdout
            self.assertIn(expected, found, asked)

    def test_the_profile_is_the_hardened_one_and_used_before(self):
        before, after = (
            set(re.findall(r"<item .*?</item>", self.shared.execute("cat", path).stdout, re.S))
            for path in (
                f"/usr/share/tcplock-supervisor/{name}/user/registrymodifications.xcu"
                for name in ("libreoffice-profile", "warm-profile")
            )
        )
        self.assertGreater(len(before), 10)
        self.assertGreater(len(after), 10)
        # A LibreOffice forgets the keys that it does not know.
        lost = {re.search('<prop oor:name="(.*?)"', item)[1] for item in before - after}
        self.assertLessEqual(lost, {"AutoCheckEnabled", "DisableActiveContent"})
        fresh = [line for line in self.shared.log.lines if line.get("reason") == "fresh_profile"]
        self.assertEqual(fresh, [])


class Ending(ImageTest):
    """`docker stop`, and what becomes of whoever is there."""

    def patient(self):
        """One that is given more time than anything here takes, on a machine that is busy."""
        return self.container(*self.configured(("shutdown_timeout: 7s", "shutdown_timeout: 60s")))

    def stop(self, container, limit=END_LIMIT):
        begin = time.monotonic()
        podman("stop", "--time", str(limit), container.name)
        return container.wait_for_end(), time.monotonic() - begin

    def test_a_client_inside_and_one_that_waits_are_served(self):
        container = self.patient().start_and_wait()
        inside = converter("hold")
        self.addCleanup(inside.kill)
        self.assertIn("inside", inside.read_line())
        target, waiting = self.stream()
        self.addCleanup(waiting.kill)
        self.wait_for_one_that_waits(container)
        stopping = subprocess.Popen(
            [*PODMAN, "stop", "--time", str(END_LIMIT), container.name], **QUIET
        )
        begin = time.monotonic()
        container.log.wait("shutting down", signal="TERM", timeout=20)
        inside.process.stdin.close()
        inside.process.stdin = None
        self.assertEqual(inside.finish()[1], 0)
        output, status = waiting.finish()
        self.assertEqual(status, 0, output)
        self.assert_pdf(target)
        self.assertEqual(stopping.wait(END_LIMIT), 0)
        took = time.monotonic() - begin
        self.assertEqual(container.wait_for_end(), 0)
        result("image_stop_with_clients", took=f"{took:.1f}s", exit=0, served=2)

    def wait_for_one_that_waits(self, container):
        def waits():
            told = container.execute("tcplock-supervisor", "status", "--json").stdout
            return json.loads(told)["line"]["waiting"] == 1

        wait_until(waits, 30, "a client that waits", 0.1)

    def stop_with_one_that_never_leaves(self):
        container = self.container().start_and_wait()
        inside = converter("compute")
        self.addCleanup(inside.kill)
        self.assertIn("inside", inside.read_line())
        status, took = self.stop(container, DOCKER_STOP)
        if status == 0:
            container.log.wait("session closed", end="GD", timeout=60)
        inside.kill()
        return status, took

    def test_a_client_that_never_leaves_is_cut_in_time_for_docker_stop(self):
        # On a machine that stands still for seconds it may be late, but not each time.
        for _ in range(3):
            status, took = self.stop_with_one_that_never_leaves()
            result("image_stop_with_a_hung_job", took=f"{took:.1f}s", exit=status)
            if status == 0 and took < DOCKER_STOP:
                break
        self.assertEqual(status, 0)
        self.assertLess(took, DOCKER_STOP)

    def test_with_nobody_there_it_is_quick(self):
        container = self.patient().start_and_wait()
        status, took = self.stop(container)
        result("image_stop", took=f"{took:.1f}s", exit=status)
        self.assertEqual(status, 0)
        self.assertLess(took, END_LIMIT / 2, "it waits for nobody")

    def test_one_that_was_killed_starts_again_with_what_it_left(self):
        container = self.container().start_and_wait()
        self.assert_converts()
        podman("kill", "--signal", "KILL", container.name)
        self.assertEqual(container.wait_for_end(), 128 + signal.SIGKILL)
        container.start_and_wait()
        self.assert_converts()

    def test_a_signal_in_the_first_moment_is_obeyed(self):
        # A process 1 does not get a signal at all of which it has said nothing yet, so its first act
        # is to hold them. From then on none is lost; each time it comes a little later.
        ended, helpless = [], []
        for number in range(10):
            with Container(network) as container:
                starting = subprocess.Popen([*PODMAN, "start", container.name], **QUIET)
                pid = wait_until(container.find_program, 30, "its process 1", 0)
                begin = time.monotonic()
                wait_until(lambda: holds_term(pid), 10, "that it holds signals", 0)
                helpless.append(time.monotonic() - begin)
                time.sleep(0.01 * number)
                os.kill(pid, signal.SIGTERM)
                self.assertEqual(starting.wait(60), 0)
                ended.append(container.wait_for_end())
        result(
            "image_early_term",
            tried=len(ended),
            exits=sorted(set(ended)),
            helpless=f"{max(helpless) * 1000:.0f}ms",
        )
        self.assertEqual(set(ended), {0})


def holds_term(pid):
    """Whether it blocks or catches TERM."""
    with open(f"/proc/{pid}/status") as file:
        masks = dict(line.split(":\t") for line in file)
    held = int(masks["SigBlk"], 16) | int(masks["SigCgt"], 16)
    return held & (1 << (signal.SIGTERM - 1))


class Confined(ImageTest):
    """With less than what it has by itself."""

    def check(self, *options):
        container = self.container(*options).start_and_wait()
        self.assert_converts()
        self.assert_converts()  # in an office that has been proven free since
        container.wait_healthy()
        warnings = [line for line in container.log.lines if line.level in ("warn", "error")]
        self.assertEqual(warnings, [])
        podman("stop", "--time", str(END_LIMIT), container.name)
        self.assertEqual(container.wait_for_end(), 0)
        return container

    def test_a_root_file_system_that_is_read_only(self):
        container = self.check(*READ_ONLY)
        # Each line is what was changed, behind a letter; mount points do not count.
        changed = podman("diff", container.name).stdout.splitlines()
        mounted = re.compile(
            r"C /(dev|etc|proc|run|sys|tmp)?$|[AC] /(etc/(hosts|hostname|mtab|resolv.conf)|run/.*)$"
        )
        self.assertEqual([line for line in changed if not mounted.match(line)], [])

    def test_any_user_and_no_privilege_at_all(self):
        for user in ("1000670000:0", "4711:4711"):
            with self.subTest(user=user):
                self.check(*READ_ONLY, "--user", user, "--cap-drop", "ALL",
                           "--security-opt", "no-new-privileges")  # fmt: skip

    def test_little_memory_is_shared_by_what_lives_there(self):
        container = self.container("--memory", "512m").start_and_wait()
        self.assert_converts()
        told = json.loads(container.execute("tcplock-supervisor", "status", "--json").stdout)
        self.assertEqual(told["state"], "serving")


class OwnConfiguration(ImageTest):
    def test_one_that_is_mounted_is_the_one(self):
        mounted = self.configured(("0.0.0.0:2002", "0.0.0.0:2003"))
        container = self.container(*mounted).start_and_wait()
        self.assertEqual(container.log.wait("listening", timeout=60)["address"], "0.0.0.0:2003")

    def test_the_one_of_the_image_has_nothing_wrong_or_doubtful(self):
        said = podman("run", "--rm", *LIMITS, "--network", "none", IMAGE,
                      "check", "-c", "/etc/tcplock-supervisor/tcplock.yaml")  # fmt: skip
        self.assertNotIn("doubt", said.stdout + said.stderr)
        result("image_check", said=repr((said.stdout + said.stderr).strip()))

    def test_a_wrong_one_ends_it_with_78(self):
        container = self.container(*self.mounted("gate: {concurrency: many}\n")).start()
        self.assertEqual(container.wait_for_end(), 78)
        said = podman("logs", container.name)
        self.assertIn("gate.concurrency", said.stdout + said.stderr)


class Contents(ImageTest):
    def test_its_size_and_what_takes_it(self):
        size, base = (self.size(image) for image in (IMAGE, DEBIAN_IMAGE))
        result("image_size", whole=f"{size / 1e6:.0f}MB", of_that_debian=f"{base / 1e6:.0f}MB")
        packages = self.inside(
            "dpkg-query", "--show", "--showformat", "${Installed-Size} ${Package} ${Version}\\n"
        )
        rows = sorted((line.split() for line in packages.splitlines()), key=lambda row: -int(row[0]))
        result("image_packages", count=len(rows))
        for kibibytes, name, version in rows[:12]:
            taken = f"{int(kibibytes) / 1024:.0f}MiB"
            result("image_package", package=name, version=version, size=taken)
        for path in (
            "/usr/share/fonts",
            "/usr/lib/libreoffice",
            "/usr/share/tcplock-supervisor",
            "/usr/bin/tcplock-supervisor",
            "/usr/bin/tcplock",
        ):
            taken = self.inside("du", "--summarize", "--human-readable", path).split()[0]
            result("image_folder", path=path, size=taken)
        self.assertLess(size, 1e9)

    def size(self, image):
        return int(podman("image", "inspect", "--format", "{{.Size}}", image).stdout)

    def inside(self, program, *arguments, user="1001:0"):
        return podman("run", "--rm", *LIMITS, "--network", "none", "--user", user,
                      "--entrypoint", program, IMAGE, *arguments).stdout  # fmt: skip

    def test_leaves_nothing_of_its_making_behind(self):
        emptied = ("/tmp", "/var/lib/apt/lists", "/var/cache/apt/archives")
        found = self.inside("find", *emptied, "-type", "f", "-size", "+0", user="0:0")
        self.assertEqual(found, "")
        found = self.inside("sh", "-c", "command -v g++ cmake tini dumb-init || true")
        self.assertEqual(found, "")

    def test_no_copy_is_given_a_mode(self):
        """With BuildKit 0.21 and newer, folders that it makes would have that too, and nobody could
        enter them. podman makes them as they should be, so that the image does not show it."""
        with open(os.path.join(DOCKER, "Dockerfile"), encoding="utf-8") as file:
            copies = [line for line in file if line.startswith(("COPY ", "ADD "))]
        self.assertTrue(copies)
        self.assertEqual([line for line in copies if "--chmod" in line], [])

    def test_its_licences_are_there_to_read(self):
        self.assertEqual(self.inside("ls", LICENSES).split(), LINKED_IN)
        self.assertIn("MIT License", self.inside("cat", f"{LICENSES}/tcplock-supervisor"))

    def test_its_labels_and_what_it_declares(self):
        about = json.loads(podman("image", "inspect", "--format", "{{json .Config}}", IMAGE).stdout)
        version = self.inside("tcplock-supervisor", "--version").split()[1]
        self.assertEqual(about["Labels"]["org.opencontainers.image.version"], version)
        self.assertEqual(about["Labels"]["org.opencontainers.image.revision"], REVISION)
        self.assertEqual(about["User"], "1001:0")
        self.assertEqual(about["StopSignal"], "SIGTERM")
        self.assertEqual(list(about["ExposedPorts"]), ["2002/tcp"])
        self.assertEqual(about["Entrypoint"], ["tcplock-supervisor"])


class Program(ImageTest):
    """The programs alone, as an image with an office of its own would get them."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="tcplock-program-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        name = f"tcplock-program-{os.getpid()}"
        podman("create", "--name", name, PROGRAM_IMAGE, "/usr/bin/tcplock-supervisor")
        try:
            podman("cp", f"{name}:/usr/bin/.", cls.folder)
            cls.licenses = tempfile.mkdtemp(prefix="tcplock-licenses-")
            cls.addClassCleanup(shutil.rmtree, cls.licenses)
            podman("cp", f"{name}:{LICENSES}/.", cls.licenses)
        finally:
            podman("rm", name)

    def test_is_all_there_is(self):
        self.assertEqual(sorted(os.listdir(self.folder)), ["tcplock", "tcplock-supervisor"])

    def test_brings_the_licence_of_each_that_is_linked_in(self):
        self.assertEqual(sorted(os.listdir(self.licenses)), LINKED_IN)
        for name in LINKED_IN:
            with open(os.path.join(self.licenses, name), encoding="utf-8") as file:
                self.assertRegex(file.read(), "(?i)permission is hereby granted", name)

    def test_needs_nothing_but_glibc(self):
        for name in os.listdir(self.folder):
            told = run("objdump", "-p", os.path.join(self.folder, name)).stdout
            needed = set(re.findall(r"NEEDED +(\S+)", told))
            beside = {name for name in needed if not name.startswith("ld-linux")}  # the loader
            self.assertLessEqual(beside, {"libc.so.6", "libm.so.6"})
            versions = {
                tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([0-9.]+)", told)
            }
            self.assertLessEqual(max(versions), OLDEST_GLIBC)
            size = os.path.getsize(os.path.join(self.folder, name))
            result(
                "program",
                program=name,
                size=f"{size / 1e6:.1f}MB",
                needs=",".join(sorted(needed)),
                glibc=".".join(map(str, max(versions))),
            )

    def test_is_hardened(self):
        for name in os.listdir(self.folder):
            with self.subTest(name):
                self.assertEqual(missing(os.path.join(self.folder, name)), [])
        result("image_hardened", has=",".join(SIGNS).replace(" ", "_"))

    def bare(self, program, *arguments):
        done = podman("run", "--rm", *LIMITS, "--network", "none",
                      "--volume", f"{self.folder}:/opt/tcplock:ro",
                      "--volume", f"{os.path.join(TOP, 'config')}:/config:ro",
                      "--entrypoint", program, BARE_IMAGE, *arguments)  # fmt: skip
        return done.stdout

    def test_runs_where_there_is_nothing_else(self):
        supervisor = "/opt/tcplock/tcplock-supervisor"
        self.assertNotIn("not found", self.bare("ldd", supervisor))
        self.assertEqual(self.bare("find", "/usr/lib", "-name", "libboost*"), "")
        self.assertIn("tcplock-supervisor 0.", self.bare(supervisor, "--version"))
        self.assertIn("$schema", json.loads(self.bare(supervisor, "schema")))
        self.bare(supervisor, "check", "-c", "/config/openoffice.yaml")


class InPlaceOfOpenOffice(ImageTest):
    """The README's lines for an image of Apache OpenOffice, which is not to be had here: LibreOffice is
    where they look for it, and understands its options."""

    STAND_IN = f"FROM {CLIENT_IMAGE}\nUSER 0:0\nRUN ln -s /usr/lib/libreoffice /opt/openoffice4\n"
    # What the README says of one whose user is not root.
    USER = "USER 1001:0"
    FOLDERS = "ENV STATE_DIRECTORY=/tmp/tcplock-supervisor TCPLOCK_SOCKET=/tmp/admin.sock"
    SOCKET = "admin: {socket: /tmp/admin.sock}"

    @classmethod
    def setUpClass(cls):
        with open(os.path.join(TOP, "README.md"), encoding="utf-8") as file:
            cls.readme = file.read()

    def block(self, language, word):
        """The one of its blocks in that language that has the word."""
        blocks = re.findall(rf"^```{language}\n(.*?)^```$", self.readme, re.S | re.M)
        (found,) = [block for block in blocks if word in block]
        return found

    def configuration(self, more):
        with open(os.path.join(TOP, "config", "openoffice.yaml"), encoding="utf-8") as file:
            keys = yaml.safe_load(file)
        for name, value in (yaml.safe_load(self.block("yaml", "stop_grace: 1s")) | more).items():
            keys[name] = keys.get(name, {}) | value if isinstance(value, dict) else value
        return yaml.safe_dump(keys)

    def build(self, *lines, **more_keys):
        dockerfile = self.block("dockerfile", "your/openoffice")
        for word, meant in (
            ("FROM your/openoffice\n", self.STAND_IN),
            ("tcplock-supervisor:program", PROGRAM_IMAGE),
        ):
            self.assertEqual(dockerfile.count(word), 1, word)
            dockerfile = dockerfile.replace(word, meant)
        context = tempfile.mkdtemp(dir=self.directory)
        for name, text in (
            ("Dockerfile", "\n".join([dockerfile, *lines, ""])),
            ("tcplock.yaml", self.configuration(more_keys)),
        ):
            with open(os.path.join(context, name), "w", encoding="utf-8") as file:
                file.write(text)
        tag = f"localhost/tcplock-test:own-{os.getpid()}-{len(lines)}"
        podman("build", "--format", "docker", "--pull=never", *LIMITS, "--network", "host",
               "--tag", tag, context)  # fmt: skip
        self.addCleanup(podman, "rmi", "--force", tag)
        return tag

    def assert_serves(self, image):
        container = self.container(image=image).start_and_wait()
        self.assert_converts()
        podman("stop", "--time", str(END_LIMIT), container.name)
        self.assertEqual(container.wait_for_end(), 0)

    def test_where_the_user_is_root(self):
        self.assert_serves(self.build())

    def test_where_it_is_another(self):
        said = " ".join(self.readme.split())
        for what in (self.USER, self.FOLDERS, self.SOCKET):
            self.assertIn(f"`{what}`", said)
        self.assert_serves(self.build(self.USER, self.FOLDERS, **yaml.safe_load(self.SOCKET)))


class Compose(ImageTest):
    """compose.yaml, piece by piece, since there may be no engine here that compose could drive."""

    @classmethod
    def setUpClass(cls):
        cls.path = os.path.join(DOCKER, "compose.yaml")
        with open(cls.path) as file:
            cls.services = yaml.safe_load(file)["services"]

    def test_compose_itself_finds_nothing_wrong_with_it(self):
        told = yaml.safe_load(run("docker-compose", "--file", self.path, "config").stdout)
        self.assertEqual(sorted(told["services"]), ["client", "gate", "prometheus"])
        for service in told["services"].values():
            for volume in service.get("volumes", []):
                # Debian 12's tells it as it may be written, Debian 13's taken apart.
                source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
                self.assertTrue(os.path.exists(source), volume)

    def test_the_client_converts_and_prometheus_sees_it(self):
        gate, client, prometheus = map(self.services.get, ("gate", "client", "prometheus"))
        options = ["--read-only", "--read-only-tmpfs=false", "--tmpfs", gate["tmpfs"]]
        self.assertTrue(gate["read_only"])
        options += [f"--cap-drop={what}" for what in gate["cap_drop"]]
        options += [f"--security-opt={what}" for what in gate["security_opt"]]
        options += [f"--pids-limit={gate['pids_limit']}"]
        for name, value in gate["environment"].items():
            options += ["--env", f"{name}={value}"]
        running = self.container(*options).start_and_wait()

        self.assertEqual(gate["ports"], [f"127.0.0.1:{PORT}:{PORT}"])
        # The container's own network here, in which the gate is not far.
        converting = self.container(
            "--add-host", f"gate:{GATE}", image=CLIENT_IMAGE, command=client["command"]
        ).start()
        self.assertEqual(converting.wait_for_end(CLIENT_LIMIT), 0)
        said = podman("logs", converting.name).stdout.strip()
        self.assertIn("begins with %PDF-", said)
        result("compose_client", said=repr(said))

        self.watch(prometheus)
        wait_until(lambda: self.query("tcplock_ready") == "1", 60, "a scrape", 0.5)
        accepted = self.query('tcplock_clients_accepted_total{job="tcplock-supervisor"}')
        self.assertEqual(accepted, "1")
        alerts = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        self.assertGreater(len(alerts), 3)
        threads = max(map(self.threads, running.offices()))
        result("compose_prometheus", ready=1, accepted=accepted, alerts=len(alerts))
        result("compose_gate", limit_of_threads=gate["pids_limit"], of_one_office=threads)
        self.assertLess(6 * threads, gate["pids_limit"], "two offices, and two that take their place")

    @staticmethod
    def threads(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return len(os.listdir(f"/proc/{pid}/task"))
        return 0  # It has just ended.

    def watch(self, service):
        """A Prometheus with the files that the service has, in a network of its own: it comes to the
        gate as from another container."""
        for volume in service["volumes"]:
            source, inside, _ = volume.split(":")
            self.assertEqual(os.path.dirname(inside), "/etc/prometheus", "where the image looks")
            with open(os.path.join(DOCKER, source)) as file:
                text = file.read().replace("gate:9180", f"{GATE}:9180")
            with open(os.path.join(self.directory, os.path.basename(inside)), "w") as file:
                file.write(text)
        self.assertNotIn("network_mode", service, "it would end with the gate's container")
        watcher = Client("prometheus", f"--config.file={self.directory}/prometheus.yml",
                         f"--storage.tsdb.path={self.directory}/data",
                         "--web.listen-address=127.0.0.1:9090")  # fmt: skip
        self.addCleanup(watcher.kill)

    def ask(self, path):
        url = f"http://127.0.0.1:9090/api/v1/{path}"
        code = f"import urllib.request as u; print(u.urlopen('{url}', timeout=10).read().decode())"
        output, status = Client(PYTHON, "-c", code).finish()
        return json.loads(output)["data"] if status == 0 else None

    def query(self, expression):
        found = self.ask(f"query?query={urllib.parse.quote(expression, safe='')}")
        return found["result"][0]["value"][1] if found and found["result"] else None


if __name__ == "__main__":
    unittest.main()
