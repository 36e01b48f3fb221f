"""Several backends behind one line, spares that take over, and several clients in one backend."""

import os
import signal
import time
import unittest

import crowd
import fake
from crowd import Client
from supervisor import Supervisor, result

SLOW_START = 6  # seconds
SOON = SLOW_START - 1  # on a busy machine; who waits for a start waits longer


def pid_of(supervisor, generation):
    return supervisor.log.wait("backend starting", generation=generation).number("pid")


class InstancesTest(unittest.TestCase):
    def test_one_line_is_served_by_three_in_order(self):
        clients, instances = 300, 3
        with fake.supervisor(
            backend={"instances": instances}, recycle={"max_jobs": 40}, log={"level": "debug"}
        ) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", nth=instances)
            line = crowd.Crowd(supervisor.port)
            for number in range(clients):
                line.connect(number)
                line.serve(0)
            line.serve_all(deadline=time.monotonic() + 60)
            supervisor.log.wait("session closed", nth=clients)
            sessions = supervisor.log.all("session closed")
            self.assert_told_alike(supervisor.log, sessions)
            by_instance = [
                sum(session["instance"] == str(number) for session in sessions)
                for number in range(instances)
            ]
            journal = fake.Journal(supervisor.journal_file)
            served = [
                number
                for number, answer in line.answers.items()
                if answer.startswith(f"{number} g")
            ]
            result(
                "three_instances",
                clients=clients,
                served=len(served),
                by_instance=",".join(map(str, by_instance)),
                recycles=supervisor.log.count("backend recycling"),
                inversions=supervisor.log.admission_inversions(),
                violations=journal.count["violation"],
            )
            self.assertEqual(supervisor.log.admission_inversions(), 0)
            self.assertEqual(len(served), clients)
            self.assertEqual(journal.count["violation"], 0)
            self.assertGreaterEqual(min(by_instance), 1, by_instance)
            self.assertGreaterEqual(supervisor.log.count("backend recycling"), 5)

    def assert_told_alike(self, log, sessions):
        """What a client's turn was, when it came and when it was over."""
        alike = ("client", "instance", "generation", "waited")
        turns = {line["client"]: [line[name] for name in alike] for line in log.all("client admitted")}
        for session in sessions:
            self.assertEqual([session[name] for name in alike], turns[session["client"]])

    def test_the_head_goes_to_whichever_is_free_first(self):
        with fake.supervisor(backend={"instances": 2}) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", nth=2)
            first, second = Client(supervisor.port, "1"), Client(supervisor.port, "2")
            where = {1: first.answer().split()[1], 2: second.answer().split()[1]}
            self.assertEqual(set(where.values()), {"g1", "g2"})
            third, fourth = Client(supervisor.port, "3"), Client(supervisor.port, "4")
            second.close()
            self.assertEqual(third.answer(), f"3 {where[2]}")
            first.close()
            self.assertEqual(fourth.answer(), f"4 {where[1]}")
            for client in (third, fourth):
                client.close()

    def test_one_that_takes_long_to_end_holds_up_nobody(self):
        with fake.supervisor(
            "--ignore-term",
            backend={"instances": 2, "stop_grace": "15s"},
            recycle={"max_jobs": 10},
        ) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", nth=2)
            # The first generation goes after ten, the other is kept for those that follow.
            other = Client(supervisor.port, "100")
            self.assertTrue(other.answer())
            for number in range(1, 10 + 1):
                client = Client(supervisor.port, number)
                self.assertTrue(client.answer())
                client.close()
            supervisor.log.wait("backend recycling", reason="max_jobs")
            other.close()
            slowest = 0
            for number in range(11, 15):
                client = Client(supervisor.port, number)
                self.assertTrue(client.answer())
                client.close()
                line = supervisor.log.wait("session closed", client=number + 1)
                slowest = max(slowest, line.seconds("waited"))
            self.assertEqual(supervisor.log.count("backend stopped"), 0)
            result("slow_end", grace="15s", slowest=f"{slowest:.3f}s")
            self.assertLess(slowest, 8)

    def serves_beside_one_that_does_not_start(self, broken, **places):
        quick = {"restart_backoff": {"first": "20ms", "max": "50ms"}, **places}
        with fake.supervisor(backend=quick) as supervisor:
            config = fake.config(backend=quick)
            working = " ".join(config["backend"]["command"])
            serves = os.path.join(supervisor.directory, "one-serves")
            script = (
                f"if test {{instance}} = {broken}; "
                f"then until test -e {serves}; do sleep 0.1; done; exit 3; fi; exec {working}"
            )
            config["backend"]["command"] = ["sh", "-c", script]
            supervisor.write_config(config)
            supervisor.start()
            supervisor.log.wait("backend ready")
            with open(serves, "w"):
                pass
            supervisor.log.wait("backend start failed", instance=broken)
            # Long after a lone backend would count as failing.
            supervisor.log.wait("backend start failed again, as before", timeout=60, failures=20)
            for number in range(1, 20):
                client = Client(supervisor.port, number)
                self.assertEqual(client.answer(), f"{number} g1")
                client.close()
            self.assertEqual(supervisor.log.count("client refused"), 0)
            self.assertEqual(supervisor.log.count("backend failing"), 0)
            result("beside_a_broken_one", broken=broken, failures=20, served=19, refused=0)

    def test_one_that_does_not_start_leaves_the_line_to_the_others(self):
        self.serves_beside_one_that_does_not_start("1", instances=2)

    def test_a_spare_that_does_not_start_is_missed_by_nobody(self):
        self.serves_beside_one_that_does_not_start("standby", standby=1)


class StandbyTest(unittest.TestCase):
    def standby(self, **sections):
        backend = {"standby": 1, "restart_backoff": {"first": "50ms", "max": "1s"}}
        backend.update(sections.pop("backend", {}))
        supervisor = self.enterContext(
            fake.supervisor("--start-delay", f"{SLOW_START * 1000:.0f}", backend=backend, **sections)
        )
        supervisor.start()
        supervisor.log.wait("backend ready", timeout=60, nth=2)
        # The first that answered is the instance, whichever that was.
        self.first = supervisor.log.wait("backend ready").number("generation")
        self.spare = 3 - self.first
        return supervisor

    def served_in(self, supervisor, number):
        """Which generation answers the client, who is as many-th, and how long he waited."""
        client = Client(supervisor.port, number)
        generation = int(client.answer().removeprefix(f"{number} g"))
        client.close()
        line = supervisor.log.wait("session closed", client=number, generation=generation)
        return generation, line.seconds("waited")

    def test_it_takes_over_at_once_when_a_recycle_is_due(self):
        supervisor = self.standby(recycle={"max_jobs": 3})
        for number in range(1, 3 + 1):
            self.assertEqual(self.served_in(supervisor, number)[0], self.first)
        generation, waited = self.served_in(supervisor, 4)
        result("takeover_when_due", start=f"{SLOW_START}s", waited=f"{waited:.3f}s")
        self.assertEqual(generation, self.spare)
        self.assertLess(waited, SOON)
        supervisor.log.wait("backend takes over", instance=0, generation=self.spare)
        refill = supervisor.log.wait("backend starting", generation=3, timeout=20)
        self.assertEqual(refill["instance"], "standby")
        # Where the old one was.
        self.assertEqual(refill["place"], str(self.first - 1))

    def test_it_takes_over_at_once_when_the_backend_dies_with_a_client_inside(self):
        supervisor = self.standby()
        client = Client(supervisor.port, "1")
        self.assertEqual(client.answer(), f"1 g{self.first}")
        os.kill(pid_of(supervisor, self.first), signal.SIGKILL)
        self.assertIn(client.rest(), (b"", "reset"))
        generation, waited = self.served_in(supervisor, 2)
        result("takeover_after_death", start=f"{SLOW_START}s", waited=f"{waited:.3f}s")
        self.assertEqual(generation, self.spare)
        self.assertLess(waited, SOON)

    def test_it_takes_over_at_once_after_a_timeout(self):
        supervisor = self.standby(gate={"session_timeout": "3s"})
        client = Client(supervisor.port, "1")
        self.assertEqual(client.answer(), f"1 g{self.first}")
        waiting = Client(supervisor.port, "2")
        self.assertEqual(client.rest(), "reset")
        self.assertEqual(waiting.answer(), f"2 g{self.spare}")
        waiting.close()
        line = supervisor.log.wait("session closed", client=2)
        self.assertLess(line.seconds("waited"), 3 + SOON)

    def test_one_that_dies_while_it_waits_is_replaced_and_nobody_notices(self):
        supervisor = self.standby()
        os.kill(pid_of(supervisor, self.spare), signal.SIGKILL)
        line = supervisor.log.wait("backend starting", generation=3, timeout=20)
        self.assertEqual(line["instance"], "standby")
        self.assertEqual(self.served_in(supervisor, 1)[0], self.first)

    def test_one_that_is_old_is_recycled_too(self):
        supervisor = self.standby(recycle={"max_age": "12s"})
        line = supervisor.log.wait("backend recycling", generation=self.spare, timeout=40)
        self.assertEqual(line["reason"], "max_age")

    def test_the_end_takes_the_spare_along(self):
        supervisor = self.standby()
        self.assertEqual(supervisor.terminate(), 0)
        self.assertEqual(supervisor.log.count("backend stopped"), 2)


class TurnsTest(unittest.TestCase):
    """A recycle that can wait, when every backend is to have one."""

    def waits_while_all_are_recycled(self, **places):
        """The longest wait of those who come one after the other meanwhile."""
        backend = {"restart_backoff": {"first": "50ms", "max": "1s"}, **places}
        with fake.supervisor("--start-delay", f"{SLOW_START * 1000:.0f}", backend=backend) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60, nth=2)
            supervisor.signal(signal.SIGUSR1)
            longest, number = 0, 0
            deadline = time.monotonic() + 60
            while supervisor.log.count("backend ready") < 4:
                self.assertLess(time.monotonic(), deadline, supervisor.log.tail(20))
                number += 1
                client = Client(supervisor.port, number)
                self.assertTrue(client.answer().startswith(f"{number} g"))
                client.close()
                line = supervisor.log.wait("session closed", client=number)
                longest = max(longest, line.seconds("waited"))
            recycled = supervisor.log.all("backend recycling")
            result(
                "turns",
                **places,
                start=f"{SLOW_START}s",
                served=number,
                recycled=len(recycled),
                longest_wait=f"{longest:.3f}s",
            )
            self.assertEqual({line["reason"] for line in recycled}, {"requested"})
            self.assertEqual({line["generation"] for line in recycled}, {"1", "2"})
            self.assertLess(longest, SOON)

    def test_of_two_instances_one_serves_while_the_other_starts(self):
        self.waits_while_all_are_recycled(instances=2)

    def test_a_spare_goes_first_and_stands_in_when_it_is_back(self):
        self.waits_while_all_are_recycled(standby=1)


class SeveralInsideTest(unittest.TestCase):
    """gate.concurrency above one, with a backend of our own."""

    AT_ONCE = 3

    def config(self, **sections):
        gate = {"concurrency": self.AT_ONCE, **sections.pop("gate", {})}
        return fake.config("--at-most", str(self.AT_ONCE), gate=gate, **sections)

    def several(self, **sections):
        supervisor = self.enterContext(Supervisor(self.config(**sections)))
        supervisor.start()
        supervisor.log.wait("backend ready")
        return supervisor

    def test_as_many_are_inside_as_may_be(self):
        supervisor = self.several()
        line = crowd.Crowd(supervisor.port)
        for number in range(200):
            line.connect(number)
        line.serve_all(deadline=time.monotonic() + 60)
        journal = fake.Journal(supervisor.journal_file)
        result("several_inside", clients=200, most_inside=journal.most_inside())
        self.assertEqual(journal.most_inside(), self.AT_ONCE)
        self.assertEqual(journal.inversions(), 0)

    def test_what_is_due_takes_no_newcomer_and_goes_when_the_last_has_left(self):
        supervisor = self.several(recycle={"max_jobs": 2})
        first, second = Client(supervisor.port, "1"), Client(supervisor.port, "2")
        self.assertEqual((first.answer(), second.answer()), ("1 g1", "2 g1"))
        third = Client(supervisor.port, "3")  # There would be room for it.
        first.close()
        supervisor.log.wait("session closed", client=1, end="--")
        self.assertEqual(supervisor.log.count("backend recycling"), 0)
        second.send("still here")
        second.close()
        supervisor.log.wait("backend recycling", reason="max_jobs")
        self.assertEqual(third.answer(), "3 g2")
        third.close()

    def test_a_timeout_cuts_only_whose_time_is_up(self):
        supervisor = self.several(gate={"session_timeout": "5s"})
        culprit = Client(supervisor.port, "1")
        self.assertEqual(culprit.answer(), "1 g1")
        # Who is inside keeps his limit.
        supervisor.write_config(self.config(gate={"session_timeout": "60s"}))
        supervisor.signal(signal.SIGHUP)
        supervisor.log.wait("reloaded")
        neighbour = Client(supervisor.port, "2 echo")
        self.assertEqual(neighbour.answer(), "2 g1")
        self.assertEqual(culprit.rest(), "reset")
        supervisor.log.wait("session closed", client=1, end="TD")
        newcomer = Client(supervisor.port, "3")
        neighbour.send("is still served")
        self.assertEqual(neighbour.answer(), "is still served")
        neighbour.close()
        self.assertEqual(supervisor.log.wait("session closed", client=2)["end"], "--")
        supervisor.log.wait("backend recycling", reason="session_timeout")
        self.assertEqual(newcomer.answer(), "3 g2")
        newcomer.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
