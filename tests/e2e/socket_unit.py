"""A socket unit of systemd, played: it listens, and passes its sockets to whom it starts.

It keeps them open while nobody runs, as systemd does: whoever connects then waits in the system.
"""

import fcntl
import os
import socket

FIRST = 3  # what is passed has this number and those that follow (sd_listen_fds(3))


def listening(address="127.0.0.1", port=0):
    """At :: it takes IPv4 as well: that is what systemd does (BindIPv6Only=default)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    one.bind((address, port))
    one.listen(1000)
    return one


class SocketUnit:
    def __init__(self, *sockets, names=None):
        self.sockets = sockets
        self.names = names or [f"door{number}" for number in range(len(sockets))]
        # Above the numbers that they are to have in the end.
        self._passed = [fcntl.fcntl(one, fcntl.F_DUPFD_CLOEXEC, 100) for one in sockets]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in self._passed:
            os.close(number)
        for one in self.sockets:
            one.close()

    def port(self, index=0):
        return self.sockets[index].getsockname()[1]

    def pass_to(self, supervisor, pid="$$", count=None):
        """All that it starts from now on; `pid` and `count` are what it says of them."""
        moves = " ".join(
            f"{FIRST + index}<&{number} {number}<&-" for index, number in enumerate(self._passed)
        )
        count = len(self._passed) if count is None else count
        supervisor.under = [
            "bash", "-c",
            f"exec {moves}; exec env LISTEN_PID={pid} LISTEN_FDS={count} "
            f'LISTEN_FDNAMES={":".join(self.names)} "$0" "$@"',
        ]  # fmt: skip
        supervisor.pass_fds = self._passed
