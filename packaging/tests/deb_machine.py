#!/usr/bin/env python3
"""A Debian machine to try a package on: a fresh root file system, booted with systemd itself.

Roots are made by mmdebstrap, once, and kept: `bare` is the least that boots, `office` has LibreOffice
in it besides, and both hold the packages that a test installs, so that a machine needs no network.
It has none but its own loopback. A machine that is booted writes to memory, and nothing of it is
left when it ends: every one is as fresh as the first.

systemd-nspawn runs it without being known to the host's own systemd, if there is one: commands are
run in it by entering its namespaces.

    deb_machine.py    says why there can be no machine here, and ends with 77; or with 0 if that is
                      not known, and then a machine that does not boot is a fault.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "e2e"))

from supervisor import wait_until  # noqa: E402, as the tests of the programs have it

SUITES = {"12": "bookworm", "13": "trixie"}
OFFICE = ["libreoffice-writer-nogui", "python3-uno"]
DAY = 24 * 3600.0
KEPT_FOR = 14 * DAY  # then LibreOffice may have had its security updates
BOOT_LIMIT, END_LIMIT = 90.0, 60.0
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
APT_AS_IT_IS = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0"]
APT_AS_IT_IS += ["-o", "Dpkg::Options::=--force-unsafe-io"]  # it is thrown away anyway
APT = [*APT_AS_IT_IS, "--no-install-recommends"]


class Trouble(Exception):
    """Something outside what is tested went wrong, with what it printed."""


def succeed(command, timeout, **options):
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        **options,
    )
    if done.returncode != 0:
        raise Trouble(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
    return done.stdout


class Roots:
    """The roots of one release, in a folder."""

    def __init__(self, folder, release):
        self.folder = os.path.join(folder, f"debian{release}")
        self.release = release

    def bare(self, depends="", recommends=""):
        """With what a package depends on at hand, so that it can be installed without a network; and
        what it recommends, with what that recommends in its turn."""
        with self._alone():
            root = self._kept("bare", self._make_bare)
            fetch(root, APT, depends)
            fetch(root, APT_AS_IT_IS, recommends)
            return root

    def office(self, depends=""):
        with self._alone():
            bare = self._kept("bare", self._make_bare)
            root = self._kept("office", lambda root: self._make_office(bare, root))
            fetch(root, APT, depends)
            return root

    @staticmethod
    @contextlib.contextmanager
    def layer(root):
        """A root upon this one: what is written to it is gone at the end."""
        folder = tempfile.mkdtemp(prefix=f"{root}.layer-")
        try:
            succeed(["mount", "-t", "tmpfs", "none", folder], 20)
            upper, work, merged = (os.path.join(folder, name) for name in ("upper", "work", "merged"))
            for path in (upper, work, merged):
                os.mkdir(path)
            options = f"lowerdir={root},upperdir={upper},workdir={work}"
            succeed(["mount", "-t", "overlay", "-o", options, "none", merged], 20)
            yield merged
        finally:
            subprocess.run(["umount", "--recursive", folder], check=False)
            os.rmdir(folder)

    @contextlib.contextmanager
    def _alone(self):
        """Whoever tests at the same time waits."""
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "lock"), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _kept(self, name, make):
        """Made beside its place and moved there, so that half of one is never taken for a root."""
        root = os.path.join(self.folder, name)
        with contextlib.suppress(FileNotFoundError):
            if time.time() - os.stat(root).st_ctime < KEPT_FOR:
                return root
        new = root + ".new"
        for old in (new, root):
            shutil.rmtree(old, ignore_errors=True)
        print(f"making a root of Debian {self.release}: {root}", flush=True)
        make(new)
        os.rename(new, root)
        return root

    def _make_bare(self, root):
        options = ["--variant=minbase", "--format=directory", "--skip=cleanup/apt"]
        options += ["--include=systemd,systemd-sysv", *map("--aptopt={}".format, apt_settings())]
        succeed(["mmdebstrap", "--quiet", *options, SUITES[self.release], root], 900)
        in_root(root, [*APT, "--download-only", "install", *OFFICE], 600)

    def _make_office(self, bare, root):
        succeed(["cp", "-a", "--reflink=auto", bare, root], 300)
        in_root(root, [*APT, "install", *OFFICE], 900)


def apt_settings():
    return succeed([os.path.join(TOP, "packaging", "apt-settings.sh")], 20).splitlines()


def in_root(root, command, timeout):
    """Runs it there with this machine's network. Nothing that is installed is started."""
    policy = os.path.join(root, "usr/sbin/policy-rc.d")
    with open(policy, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\nexit 101\n")
    os.chmod(policy, 0o755)
    try:
        return succeed(["chroot", root, *command], timeout, env=ENVIRONMENT)
    finally:
        os.remove(policy)


def fetch(root, apt, packages):
    if not packages:
        return
    satisfy = [*apt, "--download-only", "satisfy", packages]
    try:
        in_root(root, satisfy, 600)
    except Trouble:  # The root's lists may be older than what is on the server.
        in_root(root, ["apt-get", "-q", "update"], 300)
        in_root(root, satisfy, 600)


def nspawn(root, folders):
    """The command that runs something in a root, of which nothing that is written is kept."""
    options = ["--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "--machine=debian"]
    options += ["--private-network", "--resolv-conf=off", "--timezone=off", "--console=pipe"]
    options += ["--system-call-filter=bpf"]  # units filter addresses by it
    options += [f"--bind-ro={here}:{there}" for here, there in folders]
    # Told to end if whoever runs the tests is killed.
    start = ["setpriv", "--pdeathsig", "TERM", "systemd-nspawn"]
    return [*start, *options, f"--directory={root}"]


def without_systemd(root, folders, script, timeout):
    """What a shell prints there, as in a container or a chroot: no service manager runs."""
    clean = ["env", "-i", *(f"{name}={value}" for name, value in ENVIRONMENT.items())]
    return succeed([*nspawn(root, folders), "--as-pid2", *clean, "sh", "-euc", script], timeout)


class Machine:
    """One that runs, from `with` to its end. What a test wrote is gone afterwards."""

    def __init__(self, root, console, folders=()):
        self.root = root
        self.console = console
        self.folders = folders  # of this machine's, as (path here, path there), to read
        self.leader = 0
        self._nspawn = None

    def __enter__(self):
        with open(self.console, "wb") as log:
            self._nspawn = subprocess.Popen(
                [*nspawn(self.root, self.folders), "--boot"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        try:
            wait_until(self._is_up, BOOT_LIMIT, "the machine is up", pause=0.2)
        except (AssertionError, Trouble) as error:
            self.__exit__()
            raise Trouble(f"{error}; its console:\n{self._said()}") from None
        return self

    def __exit__(self, *error):
        self._nspawn.terminate()  # It asks the machine's systemd to power off.
        try:
            self._nspawn.wait(END_LIMIT)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()  # The kernel ends the whole machine with its first process.
            self._nspawn.wait(10)
            print(f"the machine did not power off within {END_LIMIT:g} s: killed", flush=True)

    def _said(self):
        with open(self.console, encoding="utf-8", errors="replace") as log:
            return log.read()[-3000:]

    def _is_up(self):
        if self._nspawn.poll() is not None:
            raise Trouble(f"systemd-nspawn ended with status {self._nspawn.returncode}")
        self.leader = self.leader or self._find_leader()
        if not self.leader:
            return False
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def _find_leader(self):
        """The child of systemd-nspawn that is process 1 over there."""
        pid = self._nspawn.pid
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
                for child in children.read().split():
                    with open(f"/proc/{child}/status", encoding="ascii") as status:
                        numbers = next(x for x in status if x.startswith("NSpid:")).split()[1:]
                    if len(numbers) > 1 and numbers[-1] == "1":
                        return int(child)
        return 0

    def _entering(self, command, user, limit):
        enter = ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid"]
        enter += ["--cgroup", "--root", "--wd"]
        clean = ["env", "-i", *(f"{name}={value}" for name, value in ENVIRONMENT.items())]
        become = ["runuser", "-u", user, "--"] if user else []
        # A client that is given up must end over there, too.
        return [*enter, *clean, "timeout", "--kill-after=5", str(limit), *become, *command]

    def run(self, *command, user="", timeout=60, check=True):
        """The finished command, with its output as text."""
        done = subprocess.run(
            self._entering(command, user, timeout),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout + 10,
        )
        if check and done.returncode != 0:
            said = (done.stdout + done.stderr)[-4000:]
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
        return done

    def write(self, path, content, user="", mode="0644"):
        """A file with these bytes, made by this user."""
        script = 'cat > "$0" && chmod "$1" "$0"'
        done = subprocess.run(
            self._entering(["sh", "-c", script, path, mode], user, 20),
            input=content,
            capture_output=True,
            timeout=30,
        )
        if done.returncode != 0:
            raise AssertionError(f"{path} cannot be written: {done.stderr.decode()}")

    def start(self, *command, user="", timeout=120):
        """The same, without waiting for its end. Its standard output and error are one."""
        return subprocess.Popen(
            self._entering(command, user, timeout),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def shell(self, script, **options):
        return self.run("sh", "-c", script, **options).stdout

    def add_address(self, address):
        """One that is not loopback's, with this machine's tools."""
        network = ["nsenter", f"--target={self.leader}", "--net"]
        succeed([*network, "ip", "address", "add", f"{address}/32", "dev", "lo"], 20)


# What a machine needs of the kernel and of whoever lets us use it, and how that is tried.
SEPARATE = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork"]
NEEDS = {
    "namespaces": "true",
    "mounts of its own": "mount -t tmpfs none /mnt",
    "an overlay": "mount -t tmpfs none /mnt && mkdir /mnt/upper /mnt/work /mnt/merged && "
    "mount -t overlay -o lowerdir=/usr,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/merged",
    "control groups, version 2": "mount -t cgroup2 none /mnt && mkdir /mnt/trial && rmdir /mnt/trial",
}


def why_not():
    """Which need of a machine is not met here, or nothing."""
    if os.getuid() != 0:
        return "not root"
    for need, trial in NEEDS.items():
        try:
            succeed([*SEPARATE, "sh", "-c", trial], 20)
        except (Trouble, OSError, subprocess.TimeoutExpired) as error:
            return f"no {need}: " + str(error).strip().splitlines()[-1]
    return ""


def main():
    reason = why_not()
    if reason:
        print(f"cannot run here: {reason}")
        sys.exit(77)


# An end by TERM must end the machine, too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))

if __name__ == "__main__":
    main()
