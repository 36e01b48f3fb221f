"""A supervisor that nobody visits sleeps: nothing wakes it but a probe that is due, and systemd's
watchdog, of which there is none here. Somebody is told its status all the same. And those who wait in
silence are there as long as they like."""

import os
import re
import time
import unittest

import crowd
import fake
from supervisor import (
    Supervisor,
    accepted_clients,
    raise_descriptor_limit,
    result,
    wait_clients,
    wait_until,
)
from test_systemd import ServiceManager

FAKE = os.environ["FAKE_BACKEND"]
CONFIG = {
    "protocol": "tcp",
    "backend": {"command": [FAKE, "--port", "{port}"], "address": "127.0.0.1:{port}", "standby": 1},
    "probe": {"kind": "connect", "interval": "1h"},
    "recycle": {"memory_soft_limit": "1GiB", "memory_hard_limit": "2GiB"},
}
# The log's thread is spdlog's, which in Debian 12 looks after its ring once in so many seconds.
LOG_LOOKS = 10


def wake_ups(pid):
    """How often each thread of a process has gone to sleep, which is as often as it was woken."""
    found = {}
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as status:
            found[thread] = int(re.search(r"^voluntary_ctxt_switches:\t(\d+)$", status.read(), re.M)[1])
    return found


def resident(pid):
    """Bytes in memory."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status.read(), re.M)[1]) * 1024


class IdleTest(unittest.TestCase):
    def assert_sleeps(self, supervisor, when, seconds):
        pids = (supervisor.pid, supervisor.wait_warden())
        seen = []

        def is_at_rest():
            seen.append([wake_ups(pid)[pid] for pid in pids])
            return len(seen) >= 3 and seen[-3] == seen[-2] == seen[-1]

        wait_until(is_at_rest, 30, "it has come to rest", pause=1.5)
        before = {thread: count for pid in pids for thread, count in wake_ups(pid).items()}
        time.sleep(seconds)
        after = {thread: count for pid in pids for thread, count in wake_ups(pid).items()}
        woken = {thread: after[thread] - count for thread, count in before.items()}
        own, warden = (woken.pop(pid) for pid in pids)
        result("idle", when=repr(when), seconds=seconds, supervisor=own, warden=warden,
               log=sum(woken.values()))  # fmt: skip
        self.assertEqual((own, warden), (0, 0))
        self.assertEqual(len(woken), 1, "there is no thread but the log's")
        self.assertLessEqual(sum(woken.values()), seconds / LOG_LOOKS + 1)

    def test_nothing_wakes_it_before_the_first_client_nor_after_the_last(self):
        with Supervisor(CONFIG) as supervisor, ServiceManager(supervisor) as manager:
            supervisor.under = ["env", f"NOTIFY_SOCKET={manager.path}"]
            supervisor.start()
            manager.wait("STATUS", "serving")
            supervisor.log.wait("backend ready", nth=2)
            self.assert_sleeps(supervisor, "before anybody came", 10)
            for number in range(3):
                client = crowd.Client(supervisor.port, f"{number}")
                self.assertTrue(client.answer())
                client.close()
            supervisor.log.wait("session closed", nth=3)
            self.assert_sleeps(supervisor, "after three clients", 35)

    def test_of_thousands_who_wait_in_silence_nobody_is_taken_for_dead(self):
        """Whoever says nothing is asked for a sign of life after 20 to 50 s, and for 30 s from then."""
        raise_descriptor_limit()
        waiting, asked_and_given_up = 9_000, 50 + 30 + 5
        gate = {"queue_limit": waiting, "queue_timeout": "1h", "first_byte_timeout": "1h",
                "session_timeout": "1h"}
        with fake.supervisor(gate=gate) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            alone = resident(supervisor.pid)
            clients = [crowd.Client(supervisor.port) for _ in range(waiting + 1)]
            wait_clients(supervisor.port, waiting + 1)
            each = (resident(supervisor.pid) - alone) / waiting
            end = time.monotonic() + asked_and_given_up
            while time.monotonic() < end and not supervisor.log.count("client left"):
                time.sleep(1)
            result("silence", waiting=waiting, seconds=asked_and_given_up,
                   left=supervisor.log.count("client left"),
                   alone=f"{alone / 2**20:.1f}MiB", each=f"{each:.0f}bytes")  # fmt: skip
            self.assertLess(alone, 12 * 2**20)
            self.assertLess(each, 1024)
            self.assertEqual(supervisor.log.count("client left"), 0)
            self.assertEqual(accepted_clients(supervisor.port), waiting + 1)
            for client in clients:
                client.close()


if __name__ == "__main__":
    unittest.main()
