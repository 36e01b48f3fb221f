"""An office that is frozen, or busy for ever: found in time, replaced, the next client served."""

import time
import unittest

import office
from supervisor import Supervisor, freeze, result

BOUND = office.INTERVAL * office.THRESHOLD + office.TIMEOUT
BUSY = 10  # what a busy machine may add; who is not looked for is never found


class FreezeTest(unittest.TestCase):
    def stop_office(self, supervisor):
        pids = office.soffice_pids(supervisor)
        self.assertTrue(pids)
        for pid in pids:
            freeze(pid)
        return time.monotonic(), pids

    def wait_recycling(self, supervisor):
        """The line that says the frozen generation is given up, whichever probe found it."""
        line = supervisor.log.wait("backend recycling", timeout=30, generation=1)
        self.assertIn(line["reason"], ("unresponsive", "not_free"))
        return line

    def assert_replaced(self, supervisor, pids):
        office.convert_one(supervisor.port)
        self.assertEqual(supervisor.log.wait("session closed", generation=2)["end"], "--")
        self.assertEqual([pid for pid in pids if pid in office.soffice_pids(supervisor)], [])
        self.assertEqual(supervisor.terminate(), 0)
        supervisor.assert_nothing_left()

    def test_an_idle_office_that_freezes_is_found_in_time(self):
        with Supervisor(office.config()) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", 60)
            stopped, pids = self.stop_office(supervisor)
            line = self.wait_recycling(supervisor)
            found = line.arrived - stopped
            result("frozen_idle", found=f"{found:.2f}s", bound=f"{BOUND}s", reason=line["reason"])
            self.assertLessEqual(found, BOUND + BUSY)
            self.assert_replaced(supervisor, pids)

    def test_an_office_that_freezes_in_mid_job_is_found_in_time(self):
        with Supervisor(office.config()) as supervisor:
            supervisor.start()
            client = office.Converter(supervisor.port, "compute")
            self.assertTrue(client.wait_inside()["inside"])
            waiting = office.Conversions(supervisor.port, count=1, at_once=1)
            stopped, pids = self.stop_office(supervisor)
            line = self.wait_recycling(supervisor)
            found = line.arrived - stopped
            cut = client.result()
            waiting.finish(60)
            session = supervisor.log.wait("session closed", generation=1)
            result(
                "frozen_in_mid_job",
                found=f"{found:.2f}s",
                bound=f"{BOUND}s",
                reason=line["reason"],
                end=session["end"],
                waiter_served=waiting.good != [],
            )
            self.assertLessEqual(found, BOUND + BUSY)
            self.assertFalse(cut["ok"])
            self.assertEqual(session["end"], "SD")
            self.assertEqual(waiting.errors, [])
            self.assert_replaced(supervisor, pids)

    def test_an_office_that_freezes_as_its_client_leaves_is_found_in_time(self):
        # It can neither let go of the client nor say that it is free: whichever is noticed first.
        limits = {"release_timeout": "5s"}
        with Supervisor(office.config(gate=limits)) as supervisor:
            supervisor.start()
            client = office.guest(supervisor.port)
            stopped, pids = self.stop_office(supervisor)
            client.close()
            line = supervisor.log.wait("backend recycling", timeout=30, generation=1)
            found = line.arrived - stopped
            end = supervisor.log.wait("session closed", generation=1)["end"]
            result(
                "frozen_as_client_leaves",
                found=f"{found:.2f}s",
                bound="5s",
                reason=line["reason"],
                end=end,
            )
            self.assertLessEqual(found, 5 + 8)
            self.assert_replaced(supervisor, pids)

    def test_a_job_that_computes_for_ever_is_cut_at_session_timeout(self):
        limit = 12
        gate = {"session_timeout": f"{limit}s"}
        with Supervisor(office.config(gate=gate)) as supervisor:
            supervisor.start()
            client = office.Converter(supervisor.port, "compute")
            self.assertTrue(client.wait_inside()["inside"])
            pids = office.soffice_pids(supervisor)
            waiting = office.Conversions(supervisor.port, count=1, at_once=1)
            recycling = supervisor.log.wait("backend recycling", timeout=30, generation=1)
            session = supervisor.log.wait("session closed", generation=1)
            cut = client.result()
            waiting.finish(60)
            result(
                "computes_for_ever",
                lasted=session["lasted"],
                limit=f"{limit}s",
                end=session["end"],
                reason=recycling["reason"],
                client=cut["error"].split(":")[0],
                waiter_served=waiting.good != [],
            )
            self.assertEqual(recycling["reason"], "session_timeout")
            self.assertEqual(session["end"], "TD")
            self.assertGreaterEqual(session.seconds("lasted"), limit - 0.01)
            self.assertLessEqual(session.seconds("lasted"), limit + BUSY)
            self.assertEqual(waiting.errors, [])
            self.assert_replaced(supervisor, pids)


if __name__ == "__main__":
    unittest.main(verbosity=2)
