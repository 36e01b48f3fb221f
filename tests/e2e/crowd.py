"""Clients of the fake backend: one at a time, or thousands on one thread.

Each has a number, sends it as a line, and leaves when it has its answer. Connecting is done one
after the other on one thread, so a smaller number has been accepted earlier.
"""

import selectors
import socket
import struct
import time


def reset(sock):
    """Close with a reset instead of an orderly end."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Client:
    """One client that blocks, for tests that are little scripts."""

    def __init__(
        self, port, line=None, host="127.0.0.1", source=None, receive_buffer=None, timeout=20
    ):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((host, port))
        self.name = "{}:{}".format(*self.sock.getsockname()[:2])
        self.received = b""
        if line is not None:
            self.send(line)

    def send(self, line):
        self.sock.sendall(f"{line}\n".encode())

    def answer(self):
        """The next line, without its end; '' when the other side has closed."""
        while b"\n" not in self.received:
            block = self.sock.recv(65536)
            if not block:
                return ""
            self.received += block
        line, self.received = self.received.split(b"\n", 1)
        return line.decode()

    def rest(self):
        """Everything up to the end; 'reset' if it ended so."""
        try:
            while True:
                block = self.sock.recv(65536)
                if not block:
                    return self.received
                self.received += block
        except ConnectionResetError:
            return "reset"

    def finish_sending(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        reset(self.sock)


class Crowd:
    """Many clients on one thread; self.answers maps a number to its answer or what was wrong.

    Who has its answer closes, or resets its connection if self.resets(number) says so.
    """

    def __init__(self, port):
        self._port = port
        self._selector = selectors.DefaultSelector()
        self._open = {}
        self.answers = {}
        self.resets = lambda number: False

    def connect(self, number):
        sock = socket.create_connection(("127.0.0.1", self._port), timeout=20)
        sock.sendall(f"{number}\n".encode())
        sock.setblocking(False)
        self._open[number] = sock
        self._selector.register(sock, selectors.EVENT_READ, number)

    def inside_or_waiting(self):
        return len(self._open)

    def _take_out(self, number):
        sock = self._open.pop(number)
        self._selector.unregister(sock)
        return sock

    def leave(self, number):
        self._take_out(number).close()

    def leave_by_reset(self, number):
        reset(self._take_out(number))

    def serve(self, timeout):
        """Let those who have an answer go; who is ready within timeout."""
        for key, _ in self._selector.select(timeout):
            number = key.data
            try:
                block = key.fileobj.recv(4096)
            except OSError as error:
                block = type(error).__name__.encode()
            self.answers[number] = block.decode().strip() or "closed without an answer"
            (self.leave_by_reset if self.resets(number) else self.leave)(number)

    def serve_all(self, deadline):
        while self._open:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{len(self._open)} clients still wait, {len(self.answers)} are done"
                )
            self.serve(1)
