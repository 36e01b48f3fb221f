"""The daemon as process 1 of a pid namespace, as in a container, and strays of its backend."""

import contextlib
import functools
import os
import subprocess

import fake
from supervisor import Supervisor, processes, read_proc

NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
if os.getuid() != 0:
    NAMESPACE += ["--user", "--map-root-user"]

# Tells our strays from every other sleep on this machine.
STRAY = ["sleep", str(100_000 + os.getpid())]


def why_not():
    """Why there can be no namespace here, or nothing."""
    tried = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True)
    return tried.stderr.strip() if tried.returncode else ""


def backend_with_a_stray():
    """One that forks a process with a session of its own, no parent and no environment.

    That one is born with its environment cleared, and before anybody has probed the backend.
    """
    script = (
        f'setsid env -i /bin/sh -c "{" ".join(STRAY)} & '
        'until grep -q ^sleep /proc/\\$$!/cmdline; do :; done"; exec "$$@"'
    )
    return {"command": ["/bin/sh", "-c", script, "sh", *fake.command()]}


def strays():
    """The pids of those that live, the eldest first."""
    wanted = "".join(word + "\0" for word in STRAY).encode()
    return [pid for pid, _, _, _ in processes() if read_proc(f"/proc/{pid}/cmdline") == wanted]


class Contained(Supervisor):
    """As process 1, which an entrypoint, if there is one, has become."""

    def __init__(self, config, entrypoint=()):
        super().__init__(config)
        self.under = [*NAMESPACE, *entrypoint]

    @functools.cached_property
    def pid(self):
        """As it is seen from outside: the only child of unshare."""
        return next(pid for pid, _, parent, _ in processes() if parent == self.process.pid)

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
