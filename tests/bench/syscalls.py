#!/usr/bin/python3
"""The system calls of one session: how many of each, and in which order they usually come.

usage: syscalls.py [--build DIRECTORY] [--supervisor PROGRAM] [--uno]

A session ends when the backend's connection is closed, and the next begins then, so that all that
is done belongs to one of them. Of a gate in which nobody waits, and of one with 64 in the line.
With --uno the same before an office, which is probed in between: there a session ends when the
client's connection is closed. Needs strace, as root or where ptrace is allowed.
"""

import argparse
import collections
import contextlib
import os
import re
import subprocess
import sys
import tempfile

import speed  # first: it says where the others are

import contenders
import supervisor

SESSIONS = 200
WARM_UP = 100  # the driver has more for itself
DESCRIPTOR = re.compile(r"\b(\d+)<([A-Z0-9]+:\[[^\]]*\]|[^<>]*)>")
CALL = re.compile(r"^(\w+)\((.*)\)\s+= (.*)$")
STARTED = re.compile(r"^(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")


class Names:
    """What a descriptor is, in a word. Of an unconnected socket the system tells only a number."""

    def __init__(self, contender):
        self._front = contender.front
        self._known = {}

    def of(self, match):
        number, what = match.groups()
        if what.startswith("TCP:[" + self._front + "->"):
            name = "client"
        elif what == f"TCP:[{self._front}]":
            name = "listener"
        elif "->" in what and what.startswith("TCP:"):
            name = "backend"
        elif what.startswith("TCP:"):
            name = self._known.get(number, "backend")
        elif what.endswith("/log"):
            name = "log"
        elif what.startswith("/"):
            name = re.sub(r"\d+", "N", what)
        else:
            name = what.removeprefix("anon_inode:").strip("[]") + " " + number
        self._known[number] = name
        return name

    def forget(self, number):
        """It is closed, and the number will be another's."""
        self._known.pop(number, None)


def without_contents(text):
    """Structures, texts and addresses in memory say little here, but for what poll looks at."""
    text = re.sub(r"\[\{fd=([\w ]+), events=([A-Z|]+)\}\]", r"\1 \2", text)
    while "{" in text:
        text, count = re.subn(r"\{[^{}]*\}", "", text)
        if not count:
            break
    text = re.sub(r'"(?:[^"\\]|\\.)*"(\.\.\.)?|0x[0-9a-f]{5,}|NULL', "", text)
    parts = (part.strip() for part in re.sub(r"\[[^\]]*\]", "", text).split(","))
    return ", ".join(part for part in parts if part)


def calls(trace, names):
    """(thread, name, the call as text), in the order in which they were made."""
    begun = {}
    found = []
    for line in trace:
        thread, _, text = line.rstrip("\n").split(maxsplit=2)
        if match := STARTED.match(text):
            begun[thread] = (len(found), match[1])
            found.append(None)
            continue
        place = None
        if match := RESUMED.match(text):
            if thread not in begun:
                continue  # It was in the middle of it when the trace began.
            place, start = begun.pop(thread)
            text = start + match[1]
        match = CALL.match(text)
        if not match:
            continue  # A signal, or a thread's end.
        name, arguments, result = match.groups()
        arguments = arguments.replace("AT_FDCWD<" + os.getcwd() + ">, ", "")
        arguments, result = (DESCRIPTOR.sub(names.of, part) for part in (arguments, result))
        if name == "close":
            names.forget(match[2].split("<")[0])
        result = re.sub(r" \(.*\)$", "", re.sub(r"^(-1 \w+).*", r"\1", result))
        call = (thread, name, f"{name}({without_contents(arguments)}) = {result}")
        if place is None:
            found.append(call)
        else:
            found[place] = call
    return [call for call in found if call]


def sessions_of(all_calls, last):
    """Lists of calls, each up to the call that is the last of a session."""
    session, sessions = [], []
    for call in all_calls:
        session.append(call)
        if call[2].startswith(last):
            sessions.append(session)
            session = []
    # At first the line forms, and in the end all leave it.
    found = sessions[WARM_UP : WARM_UP + SESSIONS]
    if len(found) < SESSIONS:
        sys.exit(f"only {len(sessions)} sessions were found in the trace")
    return found


@contextlib.contextmanager
def strace(pid, file):
    command = ["strace", "-f", "-ttt", "-yy", "-s", "8", "-o", file, "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            told = process.stderr.readline()
            if "attached" not in told:
                raise AssertionError(f"strace: {told}{process.stderr.read()}")
            yield
        finally:
            process.terminate()  # It lets go of what it traces.
            process.wait(10)


def trace(contender, waiting, driver, directory):
    """The calls of each session of one run."""
    file = os.path.join(directory, "trace")
    run_plain = contender.running

    @contextlib.contextmanager
    def running():
        with run_plain(), strace(contender.pids[0], file):
            yield

    contender.running = running
    plan = ["handover", f"waiting={waiting}"] if waiting else ["sessions"]
    workload = speed.Workload("", [*plan, f"sessions={SESSIONS}"], [])
    found = speed.run(contender, workload, driver, is_pinned=False)
    contender.running = run_plain
    for what in ("failed", "broken"):
        if what in found:
            sys.exit(f"{what}: {found[what]}")
    with open(file) as lines:
        last = "close(client)" if contender.has_backend_of_its_own else "close(backend)"
        return sessions_of(calls(lines, Names(contender)), last)


def show(title, sessions):
    counts = collections.Counter(name for session in sessions for _, name, _ in session)
    print(f"== {title}: {sum(counts.values()) / len(sessions):.1f} system calls a session")
    for name, count in counts.most_common():
        print(f"{count / len(sessions):8.1f}  {name}")
    first = sessions[0][-1][0]  # the thread that closes: the one that serves

    def course(session):
        return tuple(text for thread, _, text in session if thread == first)

    def shape(session):
        return tuple(name for thread, name, _ in session if thread == first)

    shapes = collections.Counter(map(shape, sessions))
    usual, count = shapes.most_common(1)[0]
    print(f"-- the usual order, that of {count} of {len(sessions)} sessions")
    example = next(session for session in sessions if shape(session) == usual)
    for number, text in enumerate(course(example), 1):
        print(f"{number:4}  {text}")
    others = [text for thread, _, text in example if thread != first]
    if others:
        print("-- other threads meanwhile")
        for text in others:
            print(f"      {text}")
    print()


def main():
    parser = argparse.ArgumentParser(
        description="The system calls of one session.", allow_abbrev=False
    )
    parser.add_argument(
        "--build", default=str(speed.TOP / "build" / "release"), metavar="DIRECTORY"
    )
    parser.add_argument("--supervisor", metavar="PROGRAM", help="another than that of the build")
    parser.add_argument("--uno", action="store_true", help="before an office that only answers")
    options = parser.parse_args()
    supervisor.BINARY = os.path.abspath(options.supervisor or f"{options.build}/tcplock-supervisor")
    contender = contenders.all_of(options.build)["uno" if options.uno else "tcplock"]
    driver = os.path.join(options.build, "tests/bench/speed/bench_driver")
    print(contender.settings)
    with tempfile.TemporaryDirectory(prefix="tcplock-bench-") as directory:
        show("nobody waits", trace(contender, 0, driver, directory))
        show("64 wait", trace(contender, 64, driver, directory))


if __name__ == "__main__":
    main()
