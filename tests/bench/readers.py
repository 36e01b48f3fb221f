#!/usr/bin/python3
"""What a crowd of operators costs the clients.

usage: readers.py PROGRAM FAKE_BACKEND [CLIENTS [ROUNDS]]

Clients of the fake backend wait, and then go in one after the other, as fast as the gate hands over. In each round
that is done without anybody looking; while 1000 connections ask for the status again and again,
each as soon as it has its answer; and while as many ask once a second. The rate of the first is 1.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time

if len(sys.argv) < 3:
    sys.exit(__doc__)
os.environ["TCPLOCK_BINARY"] = os.path.abspath(sys.argv[1])
os.environ["FAKE_BACKEND"] = os.path.abspath(sys.argv[2])

import bench  # noqa: E402

sys.argv[2:3] = []  # the arguments are those of the other benchmarks from here on

import fake  # noqa: E402
from crowd import Crowd  # noqa: E402
from supervisor import run_command  # noqa: E402

READERS = 1000
REQUEST = b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n"


async def read_once(reader, writer):
    writer.write(REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return head.startswith(b"HTTP/1.1 200")


# A hundred requests, and the connection is closed: it comes again.
async def keep_reading(path, pause, answered):
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(path)
            for _ in range(100):
                is_answered = await read_once(reader, writer)
                answered[0] += is_answered
                await asyncio.sleep(pause)
            writer.close()
        except (ConnectionError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.01)


async def read_all(path, pause):
    answered = [0]
    readers = [asyncio.ensure_future(keep_reading(path, pause, answered)) for _ in range(READERS)]
    print(len(readers), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    print(answered[0], flush=True)
    os._exit(0)  # All are in the middle of something.


def start_readers(path, pause):
    readers = subprocess.Popen(
        [sys.executable, __file__, sys.argv[1], fake.program(), "--read", path, str(pause)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    readers.stdout.readline()
    return readers


def order(supervisor, command):
    done = run_command(command, "-s", supervisor.admin_socket)
    if done.returncode != 0:
        sys.exit(f"{command}: {done.stderr}")


def handovers_a_second(pause, clients):
    """And how many answers there were meanwhile."""
    with fake.supervisor(gate={"queue_limit": clients}) as supervisor:
        supervisor.start()
        supervisor.log.wait("backend ready")
        readers = start_readers(supervisor.admin_socket, pause) if pause is not None else None
        order(supervisor, "pause")
        crowd = Crowd(supervisor.port)
        for number in range(clients):
            crowd.connect(number)
        order(supervisor, "resume")
        begin = time.monotonic()
        crowd.serve_all(begin + 600)
        took = time.monotonic() - begin
        answered = 0
        if readers:
            answered = int(readers.communicate("\n", timeout=60)[0].splitlines()[-1])
            readers.wait(60)
        supervisor.terminate()
        return clients / took, answered / took


def main():
    if "--read" in sys.argv:
        path, pause = sys.argv[-2:]
        asyncio.run(read_all(path, float(pause)))
        return
    clients, rounds = bench.arguments(__doc__)
    ways = {"nobody": None, "1000, once a second": 1.0, "1000, without a pause": 0.0}
    results = bench.in_turn(list(ways), rounds, lambda way: handovers_a_second(ways[way], clients))
    alone = [rate for rate, _ in results["nobody"]]
    bench.table(
        ["readers", "handovers a second", "of those without", "answers a second"],
        [
            [way, round(statistics.median(rate for rate, _ in found)),
             bench.ratio([rate for rate, _ in found], alone),
             round(statistics.median(answers for _, answers in found))]
            for way, found in results.items()
        ],
    )  # fmt: skip


if __name__ == "__main__":
    main()
