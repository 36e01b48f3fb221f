"""A backend that tries what the sandbox of its unit is there to prevent.

    deb_prisoner.py serve PORT          a TCP service: tries what a client's line asks for, and answers
    deb_prisoner.py ask PORT ATTEMPT... is its client, and prints the answer
    deb_prisoner.py try ATTEMPT...      tries it where it is, in no sandbox, and prints the same

An attempt is `write:PATH`, `link:PATH`, `link_at:PATH`, `pipe:PATH`, `ring:`, `read:PATH`,
`connect:HOST:PORT`, `join:PATH`, of a socket in the file system, `queue:NAME`, of POSIX, `socket:FAMILY`,
`namespace:` or `status:FIELD`, of /proc/self/status. What comes of it is "done", the name of an error, that field's value, or "silence"
if nobody answers; all of them are printed as one JSON object.
"""

import ctypes
import errno
import json
import os
import socket
import sys

LIMIT = 3.0  # seconds for one connection
CLONE_NEWUSER = 0x10000000
AT_FDCWD = -100
IO_URING_SETUP = 425  # of every architecture


def write(path):
    with open(path, "w", encoding="ascii") as file:
        file.write("I was here\n")
    os.unlink(path)


def link(path):
    call("symlink", b"/elsewhere", path.encode())
    os.unlink(path)


def link_at(path):
    call("symlinkat", b"/elsewhere", AT_FDCWD, path.encode())
    os.unlink(path)


def pipe(path):
    os.mkfifo(path)
    os.unlink(path)


def make_ring(_):
    call("syscall", IO_URING_SETUP, 0, None)  # EINVAL, if it may be called


def read(path):
    if os.path.isdir(path):
        os.listdir(path)
    else:
        with open(path, "rb") as file:
            file.read(1)


def connect(address):
    host, port = address.rsplit(":", 1)
    socket.create_connection((host, int(port)), LIMIT).close()


def join(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(LIMIT)
        client.connect(path)


def call(name, *arguments):
    """What only the C library has."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def open_queue(name):
    call("mq_open", name.encode(), os.O_RDONLY)  # closed when this process ends


def make_socket(family):
    socket.socket(getattr(socket, family), socket.SOCK_DGRAM).close()


def make_namespace(_):
    call("unshare", CLONE_NEWUSER)


def status(field):
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file)[field]


KINDS = {
    "write": write,
    "link": link,
    "link_at": link_at,
    "pipe": pipe,
    "ring": make_ring,
    "read": read,
    "connect": connect,
    "join": join,
    "queue": open_queue,
    "socket": make_socket,
    "namespace": make_namespace,
    "status": status,
}


def outcome(attempt):
    kind, what = attempt.split(":", 1)
    try:
        return KINDS[kind](what) or "done"
    except TimeoutError:
        return "silence"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))


def try_all(attempts):
    return json.dumps({attempt: outcome(attempt) for attempt in attempts})


def serve(port):
    with socket.create_server(("127.0.0.1", port)) as door:
        while True:
            client, _ = door.accept()
            with client, client.makefile("rw", encoding="utf-8") as lines:
                asked = lines.readline()  # nothing, if it was a probe
                if asked:
                    lines.write(try_all(json.loads(asked)) + "\n")


def ask(port, attempts):
    with socket.create_connection(("127.0.0.1", port), 60) as service:
        service.sendall((json.dumps(attempts) + "\n").encode())
        with service.makefile(encoding="utf-8") as lines:
            return lines.readline()


def main():
    verb, *arguments = sys.argv[1:]
    if verb == "serve":
        serve(int(arguments[0]))
    elif verb == "ask":
        print(ask(int(arguments[0]), arguments[1:]), end="")
    else:
        print(try_all(arguments))


if __name__ == "__main__":
    main()
