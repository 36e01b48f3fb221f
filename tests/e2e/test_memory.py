"""Memory limits of the whole tree, and standbys that there is no room for."""

import os
import re
import threading
import time
import unittest

import fake
import office
from crowd import Client
from supervisor import MAY_MOUNT, Supervisor, result, with_mount

MEBIBYTE = 1 << 20


def mebibytes(text):
    return int(text.removesuffix("MiB"))


def memory_of_the_machine():
    """MiB."""
    with open("/proc/meminfo") as file:
        return int(re.search(r"MemTotal: +(\d+) kB", file.read())[1]) / 1024


def resident(pid):
    """MiB."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE
    except (OSError, IndexError):
        return 0


class SoftLimitTest(unittest.TestCase):
    LIMIT, LEAK = 300, 20  # MiB

    def test_one_that_leaks_with_each_job_is_recycled_in_time(self):
        recycle = {"memory_soft_limit": f"{self.LIMIT}MiB"}
        with fake.supervisor(recycle=recycle) as supervisor:
            supervisor.start()
            jobs = 60
            for number in range(1, jobs + 1):
                client = Client(supervisor.port, f"{number} leak {self.LEAK}")
                self.assertTrue(client.answer().startswith(f"{number} g"))
                client.close()
            supervisor.log.wait("session closed", nth=jobs)
            recycles = supervisor.log.all("backend recycling")
            largest = max(mebibytes(line["memory"]) for line in recycles)
            result(
                "soft_limit",
                limit=f"{self.LIMIT}MiB",
                leak=f"{self.LEAK}MiB",
                jobs=jobs,
                recycles=len(recycles),
                largest=f"{largest}MiB",
            )
            self.assertEqual({line["reason"] for line in recycles}, {"memory_soft_limit"})
            self.assertGreaterEqual(len(recycles), jobs * self.LEAK // (self.LIMIT + self.LEAK))
            self.assertLess(largest, self.LIMIT + 1.5 * self.LEAK, "after the first job too many")

    def test_one_that_needs_more_from_the_start_is_not_recycled_for_ever(self):
        recycle = {"memory_soft_limit": "10MiB"}
        probe = {"interval": "100ms"}
        with fake.supervisor("--hold", "20", recycle=recycle, probe=probe) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            for number in range(1, 5 + 1):
                client = Client(supervisor.port, number)
                self.assertEqual(client.answer(), f"{number} g{number}")
                client.close()
            self.assertLessEqual(supervisor.log.count("backend recycling"), 5)


class HardLimitTest(unittest.TestCase):
    LIMIT = 400  # MiB

    def supervisor(self, *options, **sections):
        recycle = {"memory_soft_limit": "off", "memory_hard_limit": f"{self.LIMIT}MiB"}
        supervisor = self.enterContext(fake.supervisor(*options, recycle=recycle, **sections))
        supervisor.start()
        return supervisor

    def test_one_that_leaks_within_a_job_is_cut_within_a_second(self):
        supervisor = self.supervisor()
        pid = supervisor.log.wait("backend starting").number("pid")
        client = Client(supervisor.port, "1 grow")
        self.assertEqual(client.answer(), "1 g1")
        waiting = Client(supervisor.port, "2")
        passed, largest = None, 0
        ended = threading.Event()
        watcher = threading.Thread(target=lambda: (client.rest(), ended.set()))
        watcher.start()
        while not ended.is_set():
            size = resident(pid)
            largest = max(largest, size)
            if passed is None and size >= self.LIMIT:
                passed = time.monotonic()
            time.sleep(0.005)
        ended_at = time.monotonic()
        cut_after = ended_at - (passed or ended_at)
        watcher.join()
        line = supervisor.log.wait("session closed", client=1)
        recycled = supervisor.log.wait("backend recycling", reason="memory_hard_limit")
        self.assertEqual(waiting.answer(), "2 g2")
        waiting.close()
        result(
            "hard_limit",
            limit=f"{self.LIMIT}MiB",
            cut_after=f"{cut_after:.2f}s",
            largest=f"{largest:.0f}MiB",
            end=line["end"],
            told=recycled["memory"],
        )
        self.assertEqual(line["end"], "RD")
        self.assertGreaterEqual(mebibytes(recycled["memory"]), self.LIMIT)
        # It grows by 16 MiB every 50 ms up to 2048, and the system may be late.
        self.assertLess(largest, 1900)
        self.assertLess(cut_after, 5)
        self.assertEqual(supervisor.log.count("backend lived too briefly"), 0)

    def test_all_who_are_inside_go_with_it(self):
        supervisor = self.supervisor("--at-most", "2", gate={"concurrency": 2})
        neighbour = Client(supervisor.port, "1")
        self.assertEqual(neighbour.answer(), "1 g1")
        culprit = Client(supervisor.port, "2 grow")
        for client in (culprit, neighbour):
            self.assertIn(client.rest()[-1:], (b"", b"\n", "t"))  # answered, then cut
        ends = {supervisor.log.wait("session closed", client=n)["end"] for n in (1, 2)}
        self.assertEqual(ends, {"ND"})

    def test_it_is_lowered_to_what_the_machine_has(self):
        recycle = {"memory_hard_limit": "1000TiB", "memory_soft_limit": "500TiB"}
        with fake.supervisor(recycle=recycle, backend={"instances": 3, "standby": 1}) as supervisor:
            supervisor.start()
            line = supervisor.log.wait("memory limits lowered")
            share = mebibytes(line["share"])
            self.assertAlmostEqual(share, memory_of_the_machine() * 0.8 / 4, delta=2)
            self.assertEqual(mebibytes(line["memory_hard_limit"]), share)
            self.assertAlmostEqual(mebibytes(line["memory_soft_limit"]), share / 2, delta=2)

    def test_without_one_the_soft_limit_is_lowered_too(self):
        recycle = {"memory_hard_limit": "off", "memory_soft_limit": "1000TiB"}
        with fake.supervisor(recycle=recycle) as supervisor:
            supervisor.start()
            line = supervisor.log.wait("memory limits lowered")
            self.assertEqual(line["memory_hard_limit"], "off")
            self.assertEqual(line["memory_soft_limit"], line["share"])


@unittest.skipUnless(MAY_MOUNT, "needs the right to mount a /proc/meminfo of its own")
class NoRoomTest(unittest.TestCase):
    def tell(self, path, **mebibytes):
        with open("/proc/meminfo") as file:
            text = file.read()
        for name, value in mebibytes.items():
            text = re.sub(rf"(?m)^{name}: .*", f"{name}: {value * 1024} kB", text)
        with open(path, "w") as file:
            file.write(text)

    def limits_of_an_office_with(self, total):
        """What is lowered on a machine with so many MiB, and how many offices are started."""
        config = office.config()
        del config["backend"]["standby"]
        with Supervisor(config) as supervisor:
            meminfo = os.path.join(supervisor.directory, "meminfo")
            self.tell(meminfo, MemTotal=total, MemAvailable=10000)
            supervisor.under = with_mount(meminfo, over="/proc/meminfo")
            supervisor.start()
            lowered = supervisor.log.wait("memory limits lowered")
            supervisor.log.wait("backend ready", timeout=60)
            office.convert_one(supervisor.port)
            office.convert_one(supervisor.port)
            self.assertEqual(supervisor.terminate(), 0)
            starts = supervisor.log.count("backend starting")
            self.assertEqual(supervisor.log.count("backend recycling", reason="memory_soft_limit"), 0)
            limits = [mebibytes(lowered[f"memory_{which}_limit"]) for which in ("soft", "hard")]
            result("small_machine", total=f"{total}MiB", starts=starts, soft_and_hard=limits)
            return starts, *limits, supervisor.log.count("fewer standbys, for want of memory")

    def test_an_office_has_no_standby_where_it_would_take_what_the_office_needs(self):
        self.assertEqual(self.limits_of_an_office_with(512), (1, 256, 410, 1))

    def test_and_one_where_both_have_enough(self):
        self.assertEqual(self.limits_of_an_office_with(1024), (2, 256, 410, 0))

    def test_for_a_standby_is_said_and_it_comes_when_there_is(self):
        with fake.supervisor(backend={"standby": 1}) as supervisor:
            meminfo = os.path.join(supervisor.directory, "meminfo")
            self.tell(meminfo, MemAvailable=100)
            supervisor.under = with_mount(meminfo, over="/proc/meminfo")
            supervisor.start()
            line = supervisor.log.wait("no memory for a standby")
            self.assertEqual(line["available"], "100MiB")
            supervisor.log.wait("backend ready")
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.log.count("backend starting"), 1)
            self.tell(meminfo, MemAvailable=10000)
            supervisor.log.wait("memory for a standby again", timeout=60)
            supervisor.log.wait("backend starting", instance="standby")
            self.assertEqual(supervisor.log.count("no memory for a standby"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
