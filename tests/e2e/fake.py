"""The fake backend: a configuration that runs it, and its journal."""

import atexit
import collections
import functools
import os
import pathlib
import shutil
import stat
import tempfile

from supervisor import Supervisor


@functools.cache
def program():
    """What others may run too: what is built may lie in a home that they do not enter."""
    if "FAKE_BACKEND" not in os.environ:
        raise AssertionError("FAKE_BACKEND must name the scripted backend")
    built = pathlib.Path(os.environ["FAKE_BACKEND"])
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in built.parents):
        return str(built)
    folder = tempfile.mkdtemp(prefix="tcplock-fake-")
    atexit.register(shutil.rmtree, folder)
    os.chmod(folder, 0o755)
    return shutil.copy(built, folder)


def command(*options):
    return [program(), "--port", "{port}", "--journal", "@JOURNAL@", "--marker", "g{generation}",
            *options]  # fmt: skip


def config(*options, gate=None, backend=None, probe=None, recycle=None, **top):
    """TCP behind the gate, quick to notice and quick to stop. Keywords add to each section."""
    return {
        "protocol": "tcp",
        "gate": {"queue_limit": 1000, **(gate or {})},
        "backend": {
            "command": command(*options),
            "address": "127.0.0.1:{port}",
            "stop_grace": "1s",
            "stop_timeout": "10s",
            # A build with the address sanitizer reserves terabytes of addresses.
            "limits": {"address_space": "off"},
            **(backend or {}),
        },
        "probe": {"kind": "connect", "interval": "1s", "timeout": "1s", **(probe or {})},
        "recycle": {"max_jobs": "off", "max_age": "off", **(recycle or {})},
        **top,
    }


def supervisor(*options, **sections):
    read_log = sections.pop("read_log", True)
    return Supervisor(config(*options, **sections), read_log=read_log)


class Journal:
    """What the fake backend wrote, as lists and counts."""

    def __init__(self, path):
        self.records = []
        if os.path.exists(path):
            with open(path) as file:
                self.records = [line.split() for line in file.read().splitlines()]
        self.count = collections.Counter(record[0] for record in self.records)
        self.entered = [int(record[1]) for record in self.records if record[0] == "enter"]

    def of(self, kind):
        return [record for record in self.records if record[0] == kind]

    def first_stray(self):
        """The first process that was left behind on purpose."""
        return int(self.of("stray")[0][1])

    def most_inside(self):
        counts = [int(record[2]) for record in self.of("enter")]
        counts += [int(record[1]) for record in self.of("visit") + self.of("violation")]
        return max(counts, default=0)

    def inversions(self):
        """How many entered after one with a larger number."""
        largest, count = -1, 0
        for number in self.entered:
            count += number < largest
            largest = max(largest, number)
        return count
