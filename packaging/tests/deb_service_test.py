"""The installed service, with LibreOffice: what it does for its clients, and against trouble."""

import re
import time
import unittest

from deb_service import CONFIGURATION, EXCHANGE, NAME, Installation, Package, in_order
from supervisor import result, wait_until

EXPOSURE_MAX = 1.5
REFUSED = 1  # exit status of what was asked of a supervisor and not done


def setUpModule():
    global package, here, run
    package = Package()
    unittest.addModuleCleanup(package.remove)
    here = unittest.enterModuleContext(Installation(package, "service"))
    run = here.run
    here.install()
    here.add_users()
    here.wait_ready()
    result("installed", version=package.version, status=repr(here.show("StatusText")))


class ServiceTest(unittest.TestCase):
    def converts(self, words, **how):
        began = time.monotonic()
        self.assertTrue(here.convert(words, **how), words)
        return f"{time.monotonic() - began:.1f}s"

    def test_a_user_without_rights_converts_by_stream(self):
        took = self.converts("first letter")
        end = here.wait_journal("session closed")[1]
        self.assertIn("job=yes end=--", end)
        result("converts_by_stream", took=took)

    def test_systemd_finds_it_little_exposed(self):
        told = run("systemd-analyze", "security", "--no-pager", f"{NAME}.service").stdout
        exposure = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", told).group(1))
        owners = {run("stat", "-c", "%U", f"/proc/{pid}").stdout.strip() for pid in here.processes()}
        self.assertEqual(owners, {NAME})
        result("security", exposure=exposure, owners=",".join(owners))
        self.assertLessEqual(exposure, EXPOSURE_MAX)

    def test_its_status_is_for_its_group_and_a_stranger_is_told_so(self):
        self.assertIn("serving", here.show("StatusText"))
        for user in ("", "steward"):
            self.assertIn("state      serving", run(NAME, "status", user=user).stdout, user)
        refusals = set()
        for user in ("clerk", "courier"):
            told = run(NAME, "status", user=user, check=False)
            self.assertEqual(told.returncode, REFUSED, told)
            self.assertIn("Permission denied", told.stderr)
            refusals.add(told.stderr.strip())
        result("status", serves=repr(here.show("StatusText")), stranger=repr(refusals.pop()))

    def test_a_reload_is_taken_and_a_wrong_one_refused(self):
        pid = here.main_pid()
        run("cp", "-a", CONFIGURATION, "/root/as-shipped.yaml")
        run("sed", "-i", "s/^  queue_limit: 100/  queue_limit: 7/", CONFIGURATION)
        run("systemctl", "reload", NAME)
        self.assertEqual(here.status()["line"]["limit"], 7)
        run("sed", "-i", "s/^  queue_limit: 7/  queue_limit: many/", CONFIGURATION)
        wrong = run("systemctl", "reload", NAME, check=False)
        self.assertNotEqual(wrong.returncode, 0)
        priority, why = here.wait_journal("queue_limit: ")
        self.assertEqual(priority, 3)
        run("cp", "-a", "/root/as-shipped.yaml", CONFIGURATION)
        run("systemctl", "reload", NAME)
        self.assertEqual(here.status()["line"]["limit"], 100)
        self.assertEqual(here.main_pid(), pid)
        result("reload", refused=repr(why))

    def test_a_killed_office_costs_the_next_client_nothing(self):
        offices = here.offices()
        self.assertTrue(offices)
        here.send("KILL", *offices)
        took = self.converts("after the office was killed")
        priority, _ = here.wait_journal("backend died")
        self.assertEqual(priority, 4)
        self.assertFalse(offices & here.offices())
        result("office_killed", killed=len(offices), next_conversion=took)

    def test_a_killed_supervisor_is_started_again_and_no_office_survives(self):
        pid, offices = here.main_pid(), here.offices()
        here.send("KILL", pid)
        began = time.monotonic()
        here.wait_active_as_another(pid)
        back = time.monotonic() - began
        took = self.converts("after the supervisor was killed")
        self.assertTrue(offices)
        self.assertFalse(offices & here.offices(), "of the killed supervisor's")
        self.assertEqual(here.owned_processes(), set(here.processes()), "all are the service's")
        result("supervisor_killed", back_after=f"{back:.1f}s", next_conversion=took)

    def test_a_frozen_supervisor_is_seen_by_the_watchdog(self):
        here.wait_ready()
        pid, offices = here.main_pid(), here.offices()
        here.send("STOP", pid)
        began = time.monotonic()
        here.wait_active_as_another(pid)
        back = time.monotonic() - began
        took = self.converts("after the supervisor was frozen")
        self.assertFalse(offices & here.offices(), "of the frozen supervisor's")
        result("supervisor_frozen", back_after=f"{back:.1f}s", next_conversion=took)

    def test_a_restart_serves_who_is_inside_and_who_waits(self):
        here.wait_ready()
        pid = here.main_pid()
        inside = here.hold("inside at the restart")
        waiting = here.start_client("waiting at the restart")
        wait_until(lambda: here.status()["line"]["waiting"] == 1, 60, "one waits", pause=0.2)
        restart = here.machine.start("systemctl", "restart", NAME)
        wait_until(lambda: "draining" in here.show("StatusText"), 20, "it drains", pause=0.1)
        inside.go_on()
        self.assertIs(inside.was_served(), True)
        self.assertIs(waiting.was_served(), True)
        said, _ = restart.communicate(timeout=90)
        self.assertEqual(restart.returncode, 0, said)
        self.assertNotEqual(here.main_pid(), pid)
        took = self.converts("after the restart")
        result("restart", inside="served", waiting="served", next_conversion=took)

    def test_the_journal_has_a_priority_for_each_line(self):
        count = {}
        for priority, _ in here.journal():
            count[priority] = count.get(priority, 0) + 1
        self.assertGreater(count.get(6, 0), 10)
        self.assertTrue(all(priority in (3, 4, 6) for priority in count), count)
        text = here.journal("listening")[0][1]
        self.assertNotRegex(text, r"^<\d>|^\d{4}-", "the journal has its own")
        at_night = run("journalctl", "-u", NAME, "-p", "warning", "-o", "cat", "--no-pager").stdout
        self.assertIn("backend died", at_night)
        self.assertNotIn("session closed", at_night)
        result("journal", errors=count.get(3, 0), warnings=count.get(4, 0), infos=count[6])


class ExchangeTest(unittest.TestCase):
    def convert_by_path(self, user, source, target, **options):
        return run(*here.client("path", source, target), user=user, timeout=120, **options)

    def test_a_member_of_its_group_converts_there_by_path(self):
        source = here.letter("courier", EXCHANGE, "by way of the exchange")
        target = f"{EXCHANGE}/letter.txt"
        self.convert_by_path("courier", source, target)
        self.assertIn("by way of the exchange", run("cat", target, user="courier").stdout)
        mode = run("stat", "-c", "%a:%U:%G", target).stdout.strip()
        self.assertEqual(mode, f"640:{NAME}:tcplock-exchange")
        run("rm", source, target, user="courier")
        self.assertEqual(run("ls", "-A", EXCHANGE).stdout, "", "nothing is left beside them")
        folder = run("stat", "-c", "%a:%U:%G", EXCHANGE).stdout.strip()
        self.assertEqual(folder, f"2770:{NAME}:tcplock-exchange")
        result("exchange", folder=folder, converted=mode, removed_by="courier")

    def test_a_document_in_his_home_fails_clearly(self):
        source = here.letter("courier", "/home/courier", "at home", mode="0644")
        run("chmod", "755", "/home/courier")
        began = time.monotonic()
        failed = self.convert_by_path("courier", source, f"{EXCHANGE}/home.txt", check=False)
        took = time.monotonic() - began
        self.assertEqual(failed.returncode, 1, failed.stdout)
        self.assertIn("at-home.docx", failed.stdout)
        self.assertLess(took, 30, "he is told, and does not hang")
        self.assertEqual(run("ls", "-A", EXCHANGE).stdout, "")
        into = here.letter("courier", EXCHANGE, "for his home")
        not_there = self.convert_by_path("courier", into, "/home/courier/out.txt", check=False)
        self.assertEqual(not_there.returncode, 1, not_there.stdout)
        run("rm", into, user="courier")
        self.assertTrue(here.convert("after the failures"))
        result("home", load=repr(failed.stdout.strip()), store=repr(not_there.stdout.strip()))

    def test_others_see_nothing_of_it_nor_its_members_the_state(self):
        source = here.letter("courier", EXCHANGE, "not for everybody", mode="0644")
        for command in (["cat", source], ["ls", EXCHANGE], ["touch", f"{EXCHANGE}/mine"]):
            denied = run(*command, user="clerk", check=False)
            self.assertNotEqual(denied.returncode, 0, command)
            self.assertIn("Permission denied", denied.stderr)
        state = run("ls", "/var/lib/tcplock-supervisor", user="courier", check=False)
        self.assertIn("Permission denied", state.stderr)
        run("rm", source, user="courier")
        result("strangers", exchange="denied", state="denied")


class SeveralTest(unittest.TestCase):
    """A second supervisor by the template unit."""

    UNIT = f"{NAME}@second"
    SOCKET = "/run/tcplock-supervisor-second/admin.sock"

    def test_it_has_its_own_address_state_and_socket(self):
        text = 'listen:\n  - address: 127.0.0.1:2003\n' \
            'backend:\n  state_directory: "${STATE_DIRECTORY}"\n  standby: 0\n' \
            'admin:\n  socket: "${RUNTIME_DIRECTORY}/admin.sock"\n'  # fmt: skip
        here.machine.write("/etc/tcplock-supervisor/second.yaml", text.encode())
        first, offices = here.main_pid(), here.offices()
        run("systemctl", "enable", "--now", self.UNIT)
        self.assertTrue(here.convert("from the second", port=2003))
        self.assertTrue(here.convert("from the first"))
        self.assertEqual(here.status(self.SOCKET)["counts"]["admitted"], 1)
        self.assertEqual(here.main_pid(), first)
        self.assertIn("place-0", run("ls", "/var/lib/tcplock-supervisor-second").stdout)
        run("systemctl", "stop", self.UNIT)
        self.assertEqual(here.show("Result", self.UNIT), "success")
        self.assertEqual(here.show("ControlGroup", self.UNIT), "", "nothing of it runs")
        self.assertEqual(here.offices(), offices, "the first one's were left alone")
        run("systemctl", "disable", self.UNIT)
        result("template", first="served", second="served")


class SocketTest(unittest.TestCase):
    """With the socket unit nobody is refused while the service is away."""

    # Connects all the time until told to stop; says how often, and how often in vain.
    KNOCK = """
import os, socket, sys, time
came = refused = 0
while not os.path.exists("/root/enough"):
    try:
        socket.create_connection(("127.0.0.1", 2002), 5).close()
        came += 1
    except ConnectionRefusedError:
        refused += 1
    time.sleep(0.02)
print(came, refused)
"""

    def test_who_connects_while_the_service_is_away_is_served(self):
        run("cp", "-a", CONFIGURATION, "/root/as-shipped.yaml")
        run("sed", "-i", "s/^  - address: 127.0.0.1:2002/  - address: systemd/", CONFIGURATION)
        run(NAME, "check", "-c", CONFIGURATION)
        run("systemctl", "stop", NAME)
        run("systemctl", "enable", "--now", f"{NAME}.socket")
        self.assertEqual(here.show("ActiveState"), "inactive")
        self.assertTrue(here.convert("he who starts the service"))
        self.assertEqual(here.show("ActiveState"), "active")
        knocking = here.machine.start("/usr/bin/python3", "-c", self.KNOCK)
        for _ in range(2):
            here.wait_ready()
            run("systemctl", "restart", NAME, timeout=90)
        self.assertTrue(here.convert("after the restarts"))
        run("touch", "/root/enough")
        said, _ = knocking.communicate(timeout=30)
        came, refused = map(int, said.split())
        result("socket", restarts=2, connected=came, refused=refused)
        self.assertGreater(came, 50)
        self.assertEqual(refused, 0)
        run("systemctl", "disable", "--now", f"{NAME}.socket")
        run("cp", "-a", "/root/as-shipped.yaml", CONFIGURATION)
        run("systemctl", "restart", NAME, timeout=90)
        self.assertTrue(here.convert("as it was before"))


def load_tests(*_):
    return in_order(ServiceTest, ExchangeTest, SeveralTest, SocketTest)


if __name__ == "__main__":
    unittest.main(verbosity=2)
