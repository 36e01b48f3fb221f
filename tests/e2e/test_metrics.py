"""A real Prometheus that scrapes the supervisor while it works, and what it then knows."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import fake
from crowd import Client, Crowd
from supervisor import SMALL, reserve_ports, result, run_command, wait_until

RULES = pathlib.Path(__file__).resolve().parents[2] / "packaging" / "prometheus" / "alerts.yaml"


class Prometheus:
    """Scrapes one target once a second, with the rules that are shipped."""

    def __init__(self, target):
        self.target = target
        self.port = reserve_ports(1)

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="tcplock-prometheus-")
        with open(os.path.join(self.folder, "prometheus.yaml"), "w") as file:
            json.dump(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(RULES)],
                    "scrape_configs": [
                        {
                            "job_name": "tcplock-supervisor",
                            "static_configs": [{"targets": [self.target]}],
                        }
                    ],
                },
                file,
            )
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={self.folder}/prometheus.yaml",
                f"--storage.tsdb.path={self.folder}/data",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        wait_until(self.is_ready, 60, "Prometheus is ready", pause=0.1)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()
        shutil.rmtree(self.folder)

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.read().decode()

    def is_ready(self):
        if self.process.poll() is not None:
            self.log.flush()
            with open(self.log.name) as log:
                raise AssertionError(f"Prometheus has ended: {log.read()[-2000:]}")
        try:
            return "Ready" in self.get("/-/ready")
        except (urllib.error.URLError, OSError):
            return False

    def value(self, query):
        """Of a query that comes to one number; None if it comes to nothing."""
        found = json.loads(self.get("/api/v1/query", query=query))["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    def wait_for(self, query, value, timeout=30):
        """Until the next scrape has seen it."""
        wait_until(lambda: self.value(query) == value, timeout, f"{query} = {value}", pause=0.2)

    def rules(self):
        groups = json.loads(self.get("/api/v1/rules"))["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


class PrometheusTest(unittest.TestCase):
    def setUp(self):
        self.target = f"127.0.0.1:{reserve_ports(1)}"
        self.admin = {"http": self.target, "socket": "@DIRECTORY@/admin.sock"}

    def test_it_scrapes_under_load_and_its_books_agree(self):
        crowd = 1000 if SMALL else 3000
        # Each job takes a moment, so that several scrapes fall into the load.
        with (
            fake.supervisor(
                "--close-delay-max", "12" if SMALL else "4", admin=self.admin, recycle={"max_jobs": 200},
                gate={"queue_limit": crowd},
            ) as supervisor,
            Prometheus(self.target) as prometheus,
        ):  # fmt: skip
            supervisor.start()
            supervisor.log.wait("backend ready")
            prometheus.wait_for("up", 1)
            prometheus.wait_for("min_over_time(up[4s])", 1)  # The window begins before the load.
            clients = Crowd(supervisor.port)
            began = time.monotonic()
            for number in range(1, crowd + 1):
                clients.connect(number)
            clients.serve_all(time.monotonic() + 300)
            lasted = time.monotonic() - began
            supervisor.log.wait("session closed", nth=crowd, timeout=60)
            prometheus.wait_for("sum(tcplock_sessions_total)", crowd)
            prometheus.wait_for("tcplock_clients_accepted_total", crowd)
            window = f"{int(time.monotonic() - began) + 2}s"
            missed = prometheus.value(f"count_over_time(up[{window}]) - sum_over_time(up[{window}])")
            scrapes = prometheus.value(f"count_over_time(up[{window}])")
            slowest = prometheus.value(f"max_over_time(scrape_duration_seconds[{window}])")
            longest = prometheus.value(f"max_over_time(tcplock_queue_length[{window}])")
            recycles = supervisor.log.count("backend recycling", reason="max_jobs")
            self.assertLess(missed, scrapes / 3)  # A loop that blocks misses nearly all under load.
            self.assertGreaterEqual(scrapes, 8)
            self.assertGreater(longest, 0)
            self.assertGreater(recycles, 0)
            self.assertEqual(
                prometheus.value('sum(tcplock_recycles_total{reason="max_jobs"})'), recycles
            )
            self.assertEqual(
                prometheus.value('tcplock_wait_seconds_count{outcome="admitted"}'), crowd
            )
            self.assertEqual(
                prometheus.value(
                    "sum(tcplock_clients_accepted_total) - sum(tcplock_sessions_total)"
                    " - sum(tcplock_sessions_inside) - sum(tcplock_clients_refused_total)"
                    " - sum(tcplock_clients_left_total) - sum(tcplock_queue_length)"
                ),
                0,
            )
            sent = sum(len(f"{number}\n") for number in range(1, crowd + 1))
            self.assertEqual(prometheus.value('tcplock_bytes_total{direction="in"}'), sent)
            result(
                "prometheus",
                clients=crowd,
                load=f"{lasted:.1f}s",
                scrapes=int(scrapes),
                missed=int(missed),
                slowest_scrape=f"{slowest:.3f}s",
                most_waiting_seen=int(longest),
                recycles=recycles,
            )
            self.assertEqual(supervisor.terminate(), 0)

    def test_the_rules_are_evaluated_on_what_is_scraped(self):
        with (
            fake.supervisor(admin=self.admin) as supervisor,
            Prometheus(self.target) as prometheus,
        ):
            supervisor.start()
            supervisor.log.wait("backend ready")
            prometheus.wait_for("tcplock_ready", 1)
            paused = run_command("pause", "-s", supervisor.admin_socket)
            self.assertEqual(paused.returncode, 0, paused.stderr)
            prometheus.wait_for('tcplock_state{state="paused"}', 1)
            waiting = Client(supervisor.port, 1)
            prometheus.wait_for("tcplock_queue_length", 1)
            wait_until(
                lambda: all(rule["health"] == "ok" for rule in prometheus.rules()),
                30, "every rule has been evaluated", pause=0.5,
            )  # fmt: skip

            def states():
                return {rule["name"]: rule["state"] for rule in prometheus.rules()}

            wait_until(
                lambda: (states()["TcplockPausedLong"], states()["TcplockDown"])
                == ("pending", "inactive"),
                30, "the pause is seen", pause=0.5,
            )  # fmt: skip
            states = states()
            result("rules", evaluated=len(states), pending=sum(s == "pending" for s in states.values()))
            self.assertEqual(run_command("resume", "-s", supervisor.admin_socket).returncode, 0)
            self.assertEqual(waiting.answer(), "1 g1")
            waiting.close()
            self.assertEqual(supervisor.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
