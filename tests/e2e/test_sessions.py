"""How sessions, generations and the daemon itself end, against the scripted backend."""

import os
import shlex
import signal
import sys
import time
import unittest

import fake
from crowd import Client
from supervisor import is_listening, result, wait_clients, wait_until


# Takes one connection into its queue, the probe's, and accepts none; ends when it is told to.
DEAF = """
import os, socket, sys, time
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(0)
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
"""


def is_connecting_to(port):
    """Whether somebody's connection to the port is still being made."""
    with open("/proc/net/tcp") as table:
        rows = [row.split() for row in table.read().splitlines()[1:]]
    syn_sent = "02"
    return any(row[2].endswith(f":{port:04X}") and row[3] == syn_sent for row in rows)


class SessionTest(unittest.TestCase):
    def test_who_is_about_to_enter_does_not_end_up_in_the_next_generation(self):
        with fake.supervisor() as supervisor:
            deaf = os.path.join(supervisor.directory, "deaf.py")
            told = os.path.join(supervisor.directory, "told")
            with open(deaf, "w") as file:
                file.write(DEAF)
            listening = " ".join(map(shlex.quote, fake.command()))
            script = (
                f"test {{generation}} != 1 || exec {sys.executable} {deaf} {{port}} {told}; "
                f"exec {listening}"
            )
            config = fake.config(probe={"interval": "60s", "timeout": "20s"})
            config["backend"]["command"] = ["sh", "-c", script]
            supervisor.write_config(config)
            supervisor.start()
            supervisor.log.wait("backend ready")
            port = int(supervisor.log.wait("backend starting")["address"].split(":")[1])
            first = Client(supervisor.port, "1")
            wait_until(lambda: is_connecting_to(port), 10, "the first is on its way in")
            second = Client(supervisor.port, "2")
            wait_clients(supervisor.port, 2)
            with open(told, "w"):
                pass
            self.assertEqual(first.answer(), "1 g2")
            # The system tries again after 1, 3 and 7 s: nobody must come of that.
            time.sleep(4)
            first.close()
            self.assertEqual(second.answer(), "2 g2")
            second.close()
            self.assertEqual(supervisor.terminate(), 0)
            journal = fake.Journal(supervisor.journal_file)
            returned = supervisor.log.count("backend could not be reached, the client waits again")
            result("entering", returned=returned, most_inside=journal.most_inside())
            self.assertEqual(returned, 1)
            self.assertEqual(journal.entered, [1, 2])
            self.assertEqual(journal.most_inside(), 1)
            self.assertEqual(journal.count["violation"], 0)

    def test_a_visit_without_a_byte_is_no_job(self):
        with fake.supervisor(recycle={"max_jobs": 2}) as supervisor:
            supervisor.start()
            for number in range(1, 4):
                Client(supervisor.port).close()
                supervisor.log.wait("session closed", nth=number)
            for number in range(4, 6):
                client = Client(supervisor.port, number)
                self.assertEqual(client.answer(), f"{number} g1")
                client.close()
            recycling = supervisor.log.wait("backend recycling")
            client = Client(supervisor.port, 6)
            self.assertEqual(client.answer(), "6 g2")
            client.close()
            supervisor.log.wait("session closed", nth=5)
            jobs = [line["job"] for line in supervisor.log.all("session closed")]
            result(
                "visits", jobs=",".join(jobs), reason=recycling["reason"], counted=recycling["jobs"]
            )
            self.assertEqual(jobs[:5], ["no"] * 3 + ["yes"] * 2)
            self.assertEqual((recycling["reason"], recycling["jobs"]), ("max_jobs", "2"))

    def test_a_backend_that_does_not_let_go_is_recycled_at_release_timeout(self):
        gate = {"release_timeout": "1s", "half_closed": "leave"}
        with fake.supervisor(gate=gate) as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1 linger for-ever")
            self.assertEqual(client.answer(), "1 g1")
            second = Client(supervisor.port, "2")
            begin = time.monotonic()
            client.close()
            answer = second.answer()
            took = time.monotonic() - begin
            second.close()
            line = supervisor.log.wait("session closed")
            recycling = supervisor.log.wait("backend recycling")
            result(
                "release_timeout",
                end=line["end"],
                reason=recycling["reason"],
                next_served=f"{took:.2f}s",
            )
            self.assertEqual(answer, "2 g2")
            self.assertEqual(line["end"], "TL")
            self.assertEqual(recycling["reason"], "release_timeout")
            self.assertGreaterEqual(took, 0.99)

    def test_a_session_that_takes_too_long_is_cut(self):
        with fake.supervisor(gate={"session_timeout": "4s"}) as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            begin = time.monotonic()
            second = Client(supervisor.port, "2")
            seen = client.rest()
            took = time.monotonic() - begin
            self.assertEqual(second.answer(), "2 g2")
            second.close()
            line = supervisor.log.wait("session closed", generation=1)
            reason = supervisor.log.wait("backend recycling")["reason"]
            result(
                "session_timeout",
                cut_after=f"{took:.2f}s",
                end=line["end"],
                reason=reason,
                client_saw=seen,
            )
            self.assertEqual((line["end"], reason), ("TD", "session_timeout"))
            self.assertLess(took, 15)  # By default it would be an hour.
            self.assertGreaterEqual(line.seconds("lasted"), 3.99)
            self.assertEqual(line["last"], "backend")
            # He is told of it a moment after he is cut, on a busy machine later.
            self.assertGreater(line.seconds("quiet"), took - 3)
            self.assertLessEqual(line.seconds("quiet"), line.seconds("lasted"))

    def test_of_one_that_is_cut_it_is_told_that_the_backend_owed_an_answer(self):
        with fake.supervisor(gate={"session_timeout": "4s"}) as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1")
            self.assertEqual(client.answer(), "1 g1")
            client.send("and a word that it does not answer")
            line = supervisor.log.wait("session closed", timeout=20)
            self.assertEqual((line["end"], line["last"]), ("TD", "client"))

    def test_a_backend_that_dies_with_a_client_inside_costs_that_client_only(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            served = 0
            for number in range(1, 11):
                client = Client(supervisor.port, f"{number} die 3")
                after = Client(supervisor.port, 100 + number)
                client.rest()
                self.assertEqual(after.answer().split()[0], str(100 + number))
                after.close()
                served += 1
            died = supervisor.log.wait("backend died", nth=10)
            # A death closes as an orderly end does: plain TCP cannot tell them without a reset.
            closed = supervisor.log.all("session closed")
            ends = {line["end"] for line in closed if line["out"] == "0"}
            result(
                "dies_with_client",
                deaths=10,
                others_served=served,
                exit=repr(died["exit"]),
                ends=",".join(ends),
                backed_off=supervisor.log.count("backend start failed"),
            )
            self.assertTrue(ends, "the deaths have left no line")
            self.assertLessEqual(ends, {"S-", "SD"})
            self.assertEqual(died["clients"], "1")
            self.assertRegex(died["exit"], r"\b3\b")
            self.assertEqual(supervisor.log.count("backend start failed"), 0)
            self.assertEqual(supervisor.log.count("client refused"), 0)


class RecycleTest(unittest.TestCase):
    def test_usr1_recycles_after_the_running_job(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1 echo")
            self.assertEqual(client.answer(), "1 g1")
            second = Client(supervisor.port, "2")
            supervisor.signal(signal.SIGUSR1)
            client.send("still here")
            self.assertEqual(client.answer(), "still here")
            self.assertEqual(supervisor.log.count("backend recycling"), 0)
            client.close()
            self.assertEqual(second.answer(), "2 g2")
            second.close()
            line = supervisor.log.wait("backend recycling")
            result(
                "usr1",
                reason=line["reason"],
                jobs=line["jobs"],
                stopped=supervisor.log.count("backend stopped"),
            )
            self.assertEqual(line["reason"], "requested")

    def test_age_recycles_with_and_without_a_client_inside(self):
        with fake.supervisor(recycle={"max_age": "4s"}) as supervisor:
            supervisor.start()
            first = supervisor.log.wait("backend recycling", timeout=20, generation=1)
            client = Client(supervisor.port, "1")  # It goes in with the first answer.
            generation = int(client.answer().removeprefix("1 g"))
            self.assertGreater(generation, 1)
            ready = supervisor.log.wait("backend ready", generation=generation)
            wait_until(lambda: time.monotonic() > ready.arrived + 5, 6, "it is older")
            self.assertEqual(supervisor.log.count("backend recycling", generation=generation), 0)
            client.close()
            second = supervisor.log.wait("backend recycling", generation=generation)
            result("max_age", limit="4s", idle=first["age"], inside=second["age"])
            self.assertEqual((first["reason"], second["reason"]), ("max_age", "max_age"))
            self.assertLess(first.seconds("age"), 15)  # By default it would be a day.
            self.assertGreaterEqual(first.seconds("age"), 3.59, "at most a tenth is taken off")

    def test_a_cron_line_recycles_on_the_minute(self):
        with fake.supervisor(recycle={"schedule": ["* * * * *"]}) as supervisor:
            supervisor.start()
            line = supervisor.log.wait("backend recycling", timeout=130)
            supervisor.log.wait("backend ready", generation=2)
            result("schedule", reason=line["reason"], at=line.time)
            self.assertEqual(line["reason"], "schedule")
            self.assertLess(float(line.time[17:23]), 10, "near the full minute")


class ShutdownTest(unittest.TestCase):
    def test_a_second_term_ends_everything_at_once(self):
        with fake.supervisor(shutdown_timeout="60s") as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, "1")
            self.assertEqual(inside.answer(), "1 g1")
            waiting = Client(supervisor.port, "2")
            wait_clients(supervisor.port, 2)
            supervisor.signal(signal.SIGTERM)
            line = supervisor.log.wait("shutting down")
            # The line comes first, then the door closes.
            wait_until(lambda: not is_listening(supervisor.port), 10, "nobody is let in any more")
            time.sleep(0.3)  # two within 0.2 s are one request
            begin = time.monotonic()
            supervisor.signal(signal.SIGTERM)
            status = supervisor.wait_exit(10)
            took = time.monotonic() - begin
            cut = supervisor.log.wait("session closed", client=1)
            refused = supervisor.log.wait("client refused", client=2)
            supervisor.assert_nothing_left()
            result(
                "second_term",
                took=f"{took:.3f}s",
                status=status,
                inside=cut["end"],
                waiting=refused["end"],
            )
            self.assertEqual((line["signal"], line["waiting"]), ("TERM", "1"))
            self.assertEqual((cut["end"], refused["end"]), ("GD", "GQ"))
            self.assertIn(waiting.rest(), (b"", "reset"))
            self.assertEqual(status, 0)
            self.assertLess(took, 10)  # shutdown_timeout is a minute.

    def test_shutdown_timeout_refuses_who_still_waits(self):
        with fake.supervisor(shutdown_timeout="1s") as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, "1")
            self.assertEqual(inside.answer(), "1 g1")
            waiting = Client(supervisor.port, "2")
            wait_clients(supervisor.port, 2)
            begin = time.monotonic()
            status = supervisor.terminate(timeout=10)
            took = time.monotonic() - begin
            messages = ("session closed", "client refused")
            ends = tuple(supervisor.log.wait(message)["end"] for message in messages)
            result(
                "shutdown_timeout",
                limit="1s",
                took=f"{took:.2f}s",
                status=status,
                ends=",".join(ends),
            )
            self.assertEqual(ends, ("GD", "GQ"))
            self.assertEqual(status, 0)
            self.assertGreaterEqual(took, 0.99)
            waiting.close()

    def test_int_is_term(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            supervisor.signal(signal.SIGINT)
            status = supervisor.wait_exit(10)
            result("int", status=status, signal=supervisor.log.wait("shutting down")["signal"])
            self.assertEqual(status, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
