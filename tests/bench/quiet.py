#!/usr/bin/python3
"""What the supervisor costs when nobody comes, and how long it stands still as it starts a backend.

usage: quiet.py PROGRAM FAKE_BACKEND [ROUNDS]

With the default configuration and a real office: the time from its start to a listening address, what
it and its warden have in memory, and what wakes each of its threads in a minute, as strace tells: beside
that, how often the office and the one that stands by were probed. And with two backends, somebody inside
one of them who pings, and 10000 in the line: his worst ping while the other backend is killed and started
again, beside his worst while nothing happens. FAKE_BACKEND is built with the tests. Needs strace, as root
or where ptrace is allowed.
"""

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

import bench
import speed
from supervisor import Supervisor, raise_descriptor_limit, read_proc, wait_clients

MINUTE = 60
WAITING = 10_000
KILLS = 20
# A call that took so long, in seconds, has slept. Under strace each takes a tenth of it.
SLEPT = 0.002
TOOK = re.compile(r"^(\d+) .*<(\d+\.\d+)>$")

# Pings without a pause, and tells the worst, in seconds, of those between two lines of its input.
PINGER = """
import socket, sys, threading, time
inside = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
inside.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
inside.sendall(b"1 echo\\n")
inside.recv(100)
print("inside", flush=True)
sys.setswitchinterval(1e-4)
while sys.stdin.readline():
    done = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), done.set())).start()
    worst, count = 0, 0
    while not done.is_set():
        began = time.perf_counter()
        inside.sendall(b"a ping")
        inside.recv(100)
        worst, count = max(worst, time.perf_counter() - began), count + 1
    print(worst, count, flush=True)
"""


def resident(pid):
    """KiB in memory."""
    told = read_proc(f"/proc/{pid}/smaps_rollup").decode()
    return int(re.search(r"^Rss: +(\d+) kB$", told, re.M)[1])


def start():
    """Milliseconds until the log says that it listens."""
    with Supervisor({"protocol": "uno"}, read_log=False) as one:
        began = time.monotonic()
        one.start()
        # On this thread: another would have to be woken, and is Python's.
        next(line for line in one.process.stderr if b" listening " in line)
        took = time.monotonic() - began
        one.read_log()
        one.log.wait("backend ready", timeout=60)
        return took * 1000


def probes(one):
    """How many there have been, by its metrics."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(one.admin_socket)
        asking.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        told = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
    return sum(int(n) for n in re.findall(r"^tcplock_probes_total\{.*\} (\d+)", told, re.M))


def wake_ups(one):
    """How often a call ended in which a thread had slept, in a minute, by what the thread is there for."""
    file = os.path.join(one.directory, "trace")
    names = {str(one.pid): "its loop", str(one.warden()): "its warden"}
    which = [f"--attach={pid}" for pid in names]
    with subprocess.Popen(
        ["strace", "-f", "-T", "-o", file, *which], stderr=subprocess.PIPE, text=True
    ) as tracing:
        if "attached" not in (told := tracing.stderr.readline()):
            sys.exit(f"strace: {told}{tracing.stderr.read()}")
        time.sleep(MINUTE)
        tracing.terminate()
    woken = dict.fromkeys(["its loop", "its log", "its warden"], 0)
    with open(file, encoding="utf-8", errors="replace") as lines:
        for took in filter(None, map(TOOK.search, map(str.rstrip, lines))):
            woken[names.get(took[1], "its log")] += float(took[2]) > SLEPT
    return woken


def quiet():
    """Of one with an office and its standby: ({process: KiB}, {thread: wake-ups}, probes), in a minute."""
    with Supervisor({"protocol": "uno"}) as one:
        one.start()
        one.log.wait("backend ready", nth=2, timeout=120)
        memory = {"supervisor": resident(one.pid), "its warden": resident(one.wait_warden())}
        before = probes(one)
        woken = wake_ups(one)
        return memory, woken, probes(one) - before


def fill_the_line(port):
    """So many who say nothing, and wait."""
    clients = []
    for _ in range(WAITING):
        client = socket.socket()
        clients.append(client)
        client.connect(("127.0.0.1", port))
    wait_clients(port, WAITING + 1)  # and who pings
    return clients


def places(one):
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(one.admin_socket)
        asking.sendall(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        told = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
    return json.loads(told.split("\r\n\r\n", 1)[1])["places"]


class Pinger:
    """One who is inside."""

    def __init__(self, port):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PINGER, str(port)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout.readline() == "inside\n"

    def say(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def worst_while(self, something):
        """Milliseconds, of a ping while that was done."""
        self.say()
        something()
        self.say()
        worst, count = self.process.stdout.readline().split()
        assert int(count) > 20, "too few pings to tell"
        return float(worst) * 1000

    def end(self):
        self.process.stdin.close()
        self.process.wait(10)


def stalls(fake):
    """The worst pings while a backend is started, and as many while none is."""
    config = {
        "protocol": "tcp",
        "gate": {"queue_limit": WAITING + 100, "queue_timeout": "1h", "session_timeout": "1h"},
        "backend": {
            "command": [fake, "--port", "{port}"],
            "address": "127.0.0.1:{port}",
            "instances": 2,
            "standby": 0,
            "restart_backoff": {"first": "100ms", "max": "100ms"},  # it is killed again and again
        },
        "probe": {"kind": "connect", "interval": "1h"},
    }
    with Supervisor(config) as one:
        one.start()
        one.log.wait("backend ready", nth=2)
        pinger = Pinger(one.port)
        clients = fill_the_line(one.port)
        (pinged,) = [at for at, place in enumerate(places(one)) if place["jobs"] == 1]
        starting, idle = [], []
        for number in range(KILLS):
            # Asked before the pings: the answer takes its time.
            there = places(one)
            (other,) = [place["pid"] for at, place in enumerate(there) if at != pinged]
            coming = max(place["generation"] for place in there) + 1

            def start_another(other=other, coming=coming):
                os.kill(other, signal.SIGKILL)
                one.log.wait("backend ready", generation=coming, timeout=30)

            starting.append(pinger.worst_while(start_another))
            idle.append(pinger.worst_while(lambda: time.sleep(0.2)))
        pinger.end()
        for client in clients:
            client.close()
        return starting, idle


def row(what, values, unit, bound=None):
    median, spread = statistics.median(values), f"{min(values):.1f}-{max(values):.1f}"
    asked = [f"at most {bound} {unit}", speed.verdict(median <= bound)] if bound else ["", ""]
    return [what, f"{median:.1f} {unit}", spread, *asked]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    fake = os.path.abspath(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) == 4 else 5
    raise_descriptor_limit()
    rows = [row("start to listening", [start() for _ in range(rounds)], "ms", 30)]
    starting, idle = stalls(fake)
    what = f"worst ping, {WAITING} wait"
    rows.append(row(f"{what}, a backend is started", starting, "ms", 10))
    rows.append(row(f"{what}, none is", idle, "ms"))
    minutes = [quiet() for _ in range(rounds)]
    for name in minutes[0][0]:
        bound = 12 if name == "supervisor" else None
        rows.append(row(f"resident, {name}", [m[0][name] / 1024 for m in minutes], "MiB", bound))
    for name in minutes[0][1]:
        rows.append(row(f"wake-ups in a minute, {name}", [m[1][name] for m in minutes], ""))
    rows.append(row("  probes in it, of two offices", [m[2] for m in minutes], ""))
    bench.table(["", "median", "least-most", "asked for", ""], rows)


if __name__ == "__main__":
    main()
