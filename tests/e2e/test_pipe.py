"""A real office behind a socket in the file system: all that holds over TCP, and who may connect."""

import os
import socket
import subprocess
import sys
import time
import unittest

import office
import test_office
from supervisor import BINARY, Supervisor, freeze, result

NOBODY = 65534


class ConversionTest(test_office.ConversionTest):
    BACKEND = office.PIPE


class StopTest(test_office.StopTest):
    BACKEND = office.PIPE


def connects_as(user, address):
    """What this user meets who connects there: 'connected', or the error's name."""
    program = (
        "import os, socket, sys\n"
        "os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))\n"
        "family = socket.AF_UNIX if sys.argv[2][0] == '/' else socket.AF_INET\n"
        "where = sys.argv[2] if family == socket.AF_UNIX else ('127.0.0.1', int(sys.argv[2]))\n"
        "try:\n"
        "    socket.socket(family).connect(where); print('connected')\n"
        "except OSError as error:\n"
        "    print(type(error).__name__)\n"
    )
    run = [sys.executable, "-c", program, str(user), address]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


class DoorTest(unittest.TestCase):
    """UNO is remote execution by design: who reaches the office, is the office."""

    def start(self, supervisor):
        supervisor.start()
        supervisor.log.wait("backend ready", timeout=60)
        address = supervisor.log.wait("backend starting")["address"]
        return address.removeprefix("unix:").removeprefix("127.0.0.1:")

    @unittest.skipUnless(os.getuid() == 0, "needs to become another user")
    def test_no_other_user_may_connect_to_the_office(self):
        with Supervisor(office.config(backend=office.PIPE)) as supervisor:
            over_pipe = connects_as(NOBODY, self.start(supervisor))
        with Supervisor(office.config(backend=office.TCP)) as supervisor:
            over_tcp = connects_as(NOBODY, self.start(supervisor))
        result("open_door", pipe=over_pipe, tcp=over_tcp)
        self.assertEqual(over_pipe, "PermissionError")
        self.assertEqual(over_tcp, "connected")

    @unittest.skipUnless(os.getuid() == 0, "needs to become another user")
    def test_that_does_not_depend_on_our_umask(self):
        with Supervisor(office.config(backend=office.PIPE)) as supervisor:
            supervisor.under = ["sh", "-c", 'umask 0 && exec "$0" "$@"']
            path = self.start(supervisor)
            mode = os.stat(path).st_mode & 0o777
            result("pipe_mode", umask="000", mode=f"{mode:o}")
            self.assertEqual(connects_as(NOBODY, path), "PermissionError")

    @unittest.skipUnless(os.getuid() == 0, "needs to become another user")
    def test_a_user_without_a_name_is_told_that_his_pipe_would_be_open(self):
        # As in a container that is run with a number alone.
        unnamed = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]
        with Supervisor(office.config(backend=office.PIPE)) as supervisor:
            for folder in (supervisor.directory, supervisor.state_directory):
                os.chown(folder, 12345, 12345)
            run = subprocess.run(
                [*unnamed, BINARY, "-c", supervisor.config_file],
                capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            print("  " + run.stderr.strip(), flush=True)
            self.assertEqual(run.returncode, 1)
            self.assertIn("user 12345 is not in /etc/passwd", run.stderr)
        with Supervisor(office.config(backend=office.TCP)) as supervisor:
            for folder in (supervisor.directory, supervisor.state_directory):
                os.chown(folder, 12345, 12345)
            supervisor.under = unnamed
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            self.assertEqual(supervisor.terminate(), 0)

    @unittest.skipUnless(os.getuid() == 0, "needs to give a file away")
    def test_who_takes_the_name_is_named_and_the_office_takes_another(self):
        with Supervisor(office.config(backend=office.PIPE)) as first:
            path = self.start(first)
            self.assertEqual(first.terminate(), 0)
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.bind(path)
                os.chown(path, NOBODY, NOBODY)
                try:
                    self.starts_beside(first, path)
                finally:
                    os.unlink(path)

    def starts_beside(self, first, path):
        backend = {**office.PIPE, "user": "daemon"}
        with Supervisor(office.config(backend=backend), directory=first.directory) as again:
            os.chmod(first.directory, 0o755)
            own = path.replace(f"PIPE_{os.getuid()}_", "PIPE_1_")
            os.rename(path, own)
            try:
                again.start()
                why = again.log.wait("name taken, trying another")["why"]
                taken = again.log.wait("backend starting")["address"]
                again.log.wait("backend ready", timeout=60)
                result("name_taken", why=repr(why), address=taken)
                self.assertEqual(why, f"unix:{own} is a file of user {NOBODY}")
                self.assertTrue(taken.startswith(f"unix:{own}-"))
                self.assertEqual(again.terminate(), 0)
            finally:
                os.rename(own, path)


class FrozenTest(unittest.TestCase):
    def test_a_frozen_office_whose_queue_is_full_is_found_in_time(self):
        with Supervisor(office.config(backend=office.PIPE)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            path = supervisor.log.wait("backend starting")["address"].removeprefix("unix:")
            (pid,) = office.soffice_pids(supervisor)
            freeze(pid)
            stopped = time.monotonic()
            crowd = []
            while True:
                crowd.append(socket.socket(socket.AF_UNIX))
                crowd[-1].setblocking(False)
                try:
                    crowd[-1].connect(path)
                except BlockingIOError:
                    break
            line = supervisor.log.wait("backend recycling", timeout=30, generation=1)
            found = line.arrived - stopped
            bound = office.INTERVAL * office.THRESHOLD + office.TIMEOUT
            for one in crowd:
                one.close()
            office.convert_one(supervisor.port)
            result(
                "frozen_full_queue", queued=len(crowd) - 1, found=f"{found:.2f}s", bound=f"{bound}s"
            )
            self.assertEqual(line["reason"], "unresponsive")
            self.assertLessEqual(found, bound + 10)  # Otherwise never.
            self.assertEqual(supervisor.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
