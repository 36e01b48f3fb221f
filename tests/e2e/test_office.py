"""Conversions of real documents through the gate, undisturbed and under fire."""

import os
import random
import signal
import socket
import time
import unittest

import office
from supervisor import Supervisor, freeze, result


# A machine that stalls for a second is not what these are about.
PATIENT = {"interval": "5s", "timeout": "5s"}


class ConversionTest(unittest.TestCase):
    BACKEND = office.TCP

    def config(self):
        return office.config(
            backend=self.BACKEND, recycle={"max_jobs": 20}, probe=PATIENT, log={"level": "debug"}
        )

    def test_serves_eighty_documents_of_nine_kinds_in_order_of_arrival(self):
        with Supervisor(self.config()) as supervisor:
            supervisor.start()
            conversions = office.Conversions(supervisor.port, count=80, at_once=8)
            conversions.finish(240)
            supervisor.log.wait("session closed", nth=80)

            crashed = office.crashes(supervisor.log)
            cut = supervisor.log.all("session closed", end="SD")
            recycles = supervisor.log.all("backend recycling", reason="max_jobs")
            inversions = supervisor.log.admission_inversions()
            result(
                "eighty_conversions",
                results=len(conversions.good),
                kinds=len(conversions.kinds()),
                client_errors=len(conversions.errors),
                recycles=len(recycles),
                sessions=supervisor.log.count("session closed"),
                inversions=inversions,
                seconds=f"{conversions.seconds:.1f}",
            )
            unplanned = [
                line.text
                for line in supervisor.log.all("backend recycling")
                if line["reason"] not in ("max_jobs", "shutdown")
            ]
            self.assertEqual(inversions, 0)
            self.assertEqual(len(unplanned), len(crashed), unplanned)
            self.assertLessEqual(len(crashed), 1)
            self.assertEqual(len(conversions.errors), len(cut), conversions.errors)
            self.assertLessEqual(len(cut), len(crashed))
            self.assertEqual(len(conversions.results), 80)
            self.assertGreaterEqual(len(conversions.kinds()), 6)
            self.assertGreaterEqual(len(recycles), 3)
            self.assertEqual({line.number("jobs") for line in recycles}, {20})
            ended_well = supervisor.log.count("session closed", end="--", job="yes")
            self.assertEqual(ended_well, 80 - len(cut))
            self.assertEqual(supervisor.log.count("client refused"), 0)
            self.assertEqual(supervisor.terminate(), 0)
            supervisor.assert_nothing_left()

    def test_only_those_inside_are_cut_when_the_office_is_killed_ten_times(self):
        seed = int(os.environ.get("TCPLOCK_SEED", "20"))
        moments = random.Random(seed)
        killed = 0
        with Supervisor(self.config()) as supervisor:
            supervisor.start()
            conversions = office.Conversions(supervisor.port, count=80, at_once=8, size=1000)
            for number in range(10):
                # Tied to progress, so that all ten fall among the clients; else at random.
                conversions.wait_for(7 * number + moments.randrange(7))
                time.sleep(moments.random())
                killed += self.kill_office(supervisor)
            conversions.finish(240)

            cut = supervisor.log.all("session closed", end="SD")
            result(
                "office_killed_ten_times",
                seed=seed,
                kills=killed,
                results=len(conversions.good),
                clients_cut=len(conversions.errors),
                sessions_cut=len(cut),
                refused=supervisor.log.count("client refused"),
                generations=supervisor.log.count("backend ready"),
                seconds=f"{conversions.seconds:.1f}",
            )
            print("  " + "\n  ".join(conversions.errors), flush=True)
            self.assertEqual(len(conversions.results), 80)
            # A client may have its result and be cut while it says goodbye, never the reverse.
            self.assertLessEqual(len(conversions.errors), len(cut))
            self.assertLessEqual(len(cut), killed)
            self.assertEqual([text for text in conversions.errors if "NoConnect" in text], [])
            self.assertEqual([text for text in conversions.errors if "WrongResult" in text], [])
            self.assertEqual(supervisor.log.count("client refused"), 0)
            self.assertEqual(supervisor.log.count("client left"), 0)
            # No session is cut by anything else, and each cut one names a generation that died.
            died = {line["generation"] for line in supervisor.log.all("backend died")}
            self.assertLessEqual({line["generation"] for line in cut}, died)
            self.assertEqual(supervisor.log.admission_inversions(), 0)
            self.assertEqual(supervisor.terminate(), 0)
            supervisor.assert_nothing_left()

    def kill_office(self, supervisor):
        """SIGKILL whatever soffice.bin there is, waiting for one if need be."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            for pid in office.soffice_pids(supervisor):
                try:
                    os.kill(pid, signal.SIGKILL)
                    return 1
                except ProcessLookupError:
                    continue
            time.sleep(0.01)
        self.fail("no soffice.bin within 20 s")


class StartTest(unittest.TestCase):
    def test_a_fresh_profile_of_an_office_without_launcher_is_a_normal_start(self):
        arguments = ["--headless", "--norestore", "--nologo", "--nodefault", "--nolockcheck",
                     "-env:UserInstallation=file://{profile}",
                     "--accept=socket,host=127.0.0.1,port={port};urp;"]  # fmt: skip
        command = {"command": [office.SOFFICE_BIN, *arguments]}
        with Supervisor(office.config(backend=command)) as supervisor:
            supervisor.start()
            office.convert_one(supervisor.port)
            ready = supervisor.log.wait("backend ready")
            result(
                "fresh_profile",
                after=ready["after"],
                starts=supervisor.log.count("backend starting"),
            )
            self.assertEqual(supervisor.log.count("backend start failed"), 0)
            self.assertEqual(supervisor.log.count("backend died"), 0)
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_bad_option_is_said_clearly_and_backs_off(self):
        command = {"command": ["soffice", "--headless", "--bogus"], "address": "127.0.0.1:{port}"}
        with Supervisor(office.config(backend=command)) as supervisor:
            supervisor.start()
            first = supervisor.log.wait("backend start failed", timeout=60)
            again = "backend start failed again, as before"
            lines = [first] + [supervisor.log.wait(again, 60, nth=nth) for nth in (1, 2)]
            for line in lines:
                print("  " + line.text, flush=True)
            waits = [line.seconds("next_try_in") for line in lines]
            result("bad_option", failures=3, next_try_in=",".join(map(str, waits)))
            self.assertEqual(supervisor.log.count("backend start failed"), 1, "said at length once")
            self.assertRegex(first["reason"], r"exited with status 1\b")
            self.assertIn("Error in option: --bogus", first["last_output"])
            printed = supervisor.log.all("backend output", line="Error in option: --bogus")
            self.assertEqual(len(printed), 1, "and not again at each try")
            self.assertEqual(waits, sorted(set(waits)))
            self.assertTrue(supervisor.running())
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_stranger_on_the_port_is_named_and_the_office_moves_on(self):
        config = office.config(backend=office.TCP)
        with Supervisor(config) as supervisor, socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken = supervisor.first_port + 5
            stranger.bind(("127.0.0.1", taken))
            stranger.listen()
            supervisor.start()
            office.convert_one(supervisor.port)
            address = supervisor.log.all("backend starting")[-1]["address"]
            named = supervisor.log.all("port taken, trying the next")
            result("stranger", taken=taken, office=address, named=len(named))
            self.assertNotIn(f":{taken}", address)
            self.assertEqual(len(named), 1, "one line names the stranger")
            self.assertRegex(named[0]["why"], rf"\b{os.getpid()}\b")
            self.assertIn("python3", named[0].text)
            self.assertIn(str(taken), named[0].text)
            self.assertEqual(supervisor.terminate(), 0)


class StopTest(unittest.TestCase):
    BACKEND = office.TCP

    def recycle(self, grace, before=lambda pid: None):
        """An office that has worked is recycled: the log's line of its end, and how much of what it
        kept is still there when the next one is."""
        backend = {**self.BACKEND, "stop_grace": grace}
        with Supervisor(office.config(backend=backend, log={"level": "debug"})) as supervisor:
            supervisor.start()
            office.convert_one(supervisor.port)
            (pid,) = office.soffice_pids(supervisor)
            kept = office.kept_by(pid)
            for kind in ("/lu", "/OSL_PIPE_"):
                self.assertTrue([path for path in kept if kind in path], kept)
            supervisor.log.wait("session closed")  # The office has let go of its client.
            before(pid)
            supervisor.signal(signal.SIGUSR1)
            line = supervisor.log.wait("backend stopped", timeout=20, generation=1)
            supervisor.log.wait("backend ready", timeout=60, nth=2)
            now = [path for pid in office.soffice_pids(supervisor) for path in office.kept_by(pid)]
            left = [path for path in kept if os.path.exists(path) and path not in now]
            self.assertEqual(left, [])
            self.assertEqual(supervisor.terminate(), 0)
            self.assertEqual([path for path in kept + now if os.path.exists(path)], [])
            return line, supervisor.log

    def test_an_office_is_asked_to_end_in_its_own_protocol_and_cleans_up(self):
        line, log = self.recycle("10s")
        result("terminated", took=line["took"], exit=repr(line["exit"]))
        self.assertEqual(line["exit"], "exited with status 0")
        self.assertEqual(log.count("backend did not end when asked"), 0)

    def test_an_office_that_does_not_hear_is_signalled_within_its_grace(self):
        line, log = self.recycle("10s", freeze)
        said = log.wait("the office does not end when asked, signalling it")
        result("deaf_office", took=line["took"], exit=repr(line["exit"]), why=repr(said["why"]))
        self.assertEqual(said["why"], "accepted but sent nothing within 1 s")
        self.assertGreaterEqual(line.seconds("took"), 1)
        self.assertLess(line.seconds("took"), 10)

    def test_what_a_killed_office_has_left_behind_is_swept_away(self):
        line, _ = self.recycle("10s", lambda pid: os.kill(pid, signal.SIGKILL))
        result("killed_office", exit=repr(line["exit"]), left_behind=0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
