"""The installed service, with LibreOffice: what it does for its clients, and against trouble."""

import json
import os
import re
import time
import unittest

from deb_machine import APT, TOP
from deb_service import CONFIGURATION, EXCHANGE, NAME, PACKAGES, SOURCE, InOrder, Installation, Package
from supervisor import result, wait_until

EXPOSURE_MAX = 1.5
REFUSED = 1  # exit status of what was asked of a supervisor and not done


def setUpModule():
    global package, here, run
    package = Package()
    unittest.addModuleCleanup(package.remove)
    here = unittest.enterModuleContext(Installation(package, "service", tools="autopkgtest, dpkg-dev"))
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
        self.assertEqual(here.show("OOMPolicy"), "continue")
        result("security", exposure=exposure, owners=",".join(owners))
        self.assertLessEqual(exposure, EXPOSURE_MAX)

    def test_its_status_is_for_its_group_and_a_stranger_is_told_so(self):
        # It is told that once a second at most.
        wait_until(lambda: "serving" in here.show("StatusText"), 20, "that systemd knows", pause=0.2)
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
        self.addCleanup(run, "cp", "-a", "/root/as-shipped.yaml", CONFIGURATION)
        run("sed", "-i", "s/^  queue_limit: 100/  queue_limit: 7/", CONFIGURATION)
        run("systemctl", "reload", NAME)
        self.assertEqual(here.status()["line"]["limit"], 7)
        run("sed", "-i", "s/^  queue_limit: 7/  queue_limit: many/", CONFIGURATION)
        wrong = run("systemctl", "reload", NAME, check=False)
        self.assertNotEqual(wrong.returncode, 0)
        # systemctl's own process says it as well, in either order.
        priority, why = here.wait_journal("reload refused")
        self.assertEqual(priority, 3)
        self.assertIn("gate.queue_limit: ", why)
        run("cp", "-a", "/root/as-shipped.yaml", CONFIGURATION)
        run("systemctl", "reload", NAME)
        self.assertEqual(here.status()["line"]["limit"], 100)
        self.assertEqual(here.main_pid(), pid)
        result("reload", refused=repr(why))

    def test_a_signal_reloads_it_and_leaves_the_offices_alone(self):
        offices = here.wait_both_ready()
        reloads = len(here.journal("signal HUP"))
        run("systemctl", "kill", "-s", "HUP", "--kill-whom=main", NAME)
        here.wait_journal("signal HUP", nth=reloads + 1)
        self.assertTrue(here.convert("after the signal"))
        self.assertEqual(here.offices(), offices)

    def test_a_killed_office_costs_the_next_client_no_start_of_another(self):
        """The standby, which has answered already, takes its place at once."""
        offices = here.wait_both_ready()
        office, generation = here.serving_office(), here.standby()["generation"]
        sessions = len(here.journal("session closed"))
        here.send("KILL", office)
        took = self.converts("after the office was killed")
        priority, _ = here.wait_journal("backend died")
        self.assertEqual(priority, 4)
        self.assertEqual({here.serving_office()}, offices - {office})
        _, end = here.wait_journal("session closed", nth=sessions + 1)
        waited = re.search(r" waited=([0-9.]+s)", end)[1]
        result("office_killed", waited=waited, next_conversion=took)
        self.assertRegex(end, rf" generation={generation} ", "it had answered before")

    def test_killed_offices_are_replaced_for_the_next_client(self):
        offices = here.wait_both_ready()
        here.send("KILL", *offices)
        took = self.converts("after both offices were killed")
        self.assertFalse(offices & here.offices())
        result("offices_killed", killed=len(offices), next_conversion=took)

    def test_a_killed_supervisor_is_started_again_and_no_office_survives(self):
        pid, offices = here.main_pid(), here.offices()
        here.send("KILL", pid)
        began = time.monotonic()
        here.wait_active_as_another(pid)
        back = time.monotonic() - began
        took = self.converts("after the supervisor was killed")
        self.assertTrue(offices)
        self.assertFalse(offices & here.offices(), "of the killed supervisor's")
        here.wait_both_ready()
        alone = lambda: here.owned_processes() == set(here.processes())  # noqa: E731
        wait_until(alone, 20, "that all are the service's", pause=0.5)
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
        self.assertEqual(mode, f"660:{NAME}:tcplock-exchange")
        run("rm", source, target, user="courier")
        self.assertEqual(run("ls", "-A", EXCHANGE).stdout, "", "nothing is left beside them")
        folder = run("stat", "-c", "%a:%U:%G", EXCHANGE).stdout.strip()
        self.assertEqual(folder, f"2770:{NAME}:tcplock-exchange")
        result("exchange", folder=folder, converted=mode, removed_by="courier")

    def test_whatever_his_umask_he_makes_a_folder_for_a_job_of_his(self):
        """What he makes there with no more care than `mkdir` and `cp` is for the office to use."""
        folder, source = f"{EXCHANGE}/job", here.letter("courier", "/home/courier", "one of many")
        copied, target = f"{folder}/letter.docx", f"{folder}/letter.txt"
        script = f"umask 077 && mkdir {folder} && cp {source} {copied}"
        run("sh", "-c", script, user="courier")
        self.convert_by_path("courier", copied, target)
        self.assertIn("one of many", run("cat", target, user="courier").stdout)
        modes = run("stat", "-c", "%a:%U:%G", folder, copied, target).stdout.split()
        run("rm", "-r", folder, user="courier")
        result("exchange_folder", folder=modes[0], source=modes[1], converted=modes[2])
        self.assertEqual(modes[0], "2770:courier:tcplock-exchange")

    def test_a_document_in_his_home_fails_clearly(self):
        source = here.letter("courier", "/home/courier", "at home", mode="0644")
        run("chmod", "755", "/home/courier")
        began = time.monotonic()
        failed = self.convert_by_path("courier", source, f"{EXCHANGE}/home.txt", check=False)
        took = time.monotonic() - began
        self.assertEqual(failed.returncode, 1, failed.stdout)
        self.assertIn("Unsupported URL", failed.stdout)
        self.assertIn("at-home.docx", failed.stdout)
        self.assertLess(took, 30, "he is told, and does not hang")
        self.assertEqual(run("ls", "-A", EXCHANGE).stdout, "")
        into = here.letter("courier", EXCHANGE, "for his home")
        not_there = self.convert_by_path("courier", into, "/home/courier/out.txt", check=False)
        self.assertEqual(not_there.returncode, 1, not_there.stdout)
        run("rm", into, user="courier")
        self.assertTrue(here.convert("after the failures"))
        result("home", load=repr(failed.stdout.strip()), store=repr(not_there.stdout.strip()))

    def test_nothing_else_is_put_in_its_place(self):
        """By the service's user, whose folder it lies in: systemd would open what a link leads to."""
        state = os.path.dirname(EXCHANGE)
        inside = ["nsenter", f"--target={here.main_pid()}", "--mount", "setpriv", f"--reuid={NAME}",
                  f"--regid={NAME}", "--init-groups"]  # fmt: skip
        run(*inside, "mkdir", f"{state}/his")
        run(*inside, "mv", f"{state}/his", f"{state}/hers")
        run(*inside, "rmdir", f"{state}/hers")
        for command in (["mv", EXCHANGE, f"{state}/away"], ["rmdir", EXCHANGE]):
            denied = run(*inside, *command, check=False)
            self.assertNotEqual(denied.returncode, 0, command)
            self.assertIn("Device or resource busy", denied.stderr)
        result("exchange_swapped", by_its_user=repr(denied.stderr.strip()))

    def test_with_something_else_in_its_place_no_service_starts(self):
        config = 'backend: {state_directory: "${STATE_DIRECTORY}"}\n' \
            'listen: [{address: "127.0.0.1:2003"}]\nadmin: {socket: off}\n'  # fmt: skip
        here.machine.write("/etc/tcplock-supervisor/beside.yaml", config.encode())
        run("systemctl", "stop", NAME)
        run("mv", EXCHANGE, "/srv/exchange")
        for what, make, why in (
            ("link", ["ln", "-s", "/srv", EXCHANGE], "Assertion failed"),
            ("nothing", ["rm", EXCHANGE], "status=226/NAMESPACE"),
        ):
            run(*make)
            for unit in (NAME, f"{NAME}@beside"):
                started = run("systemctl", "start", unit, check=False)
                self.assertNotEqual(started.returncode, 0, (what, unit))
                # systemd tries again every two seconds, and hands its own lines on to the journal.
                told = lambda: run("journalctl", "--no-pager", "-u", unit).stdout  # noqa: B023, E731
                said = lambda: why in told() + started.stderr  # noqa: B023, E731
                wait_until(said, 20, f"{why!r} of {unit}", pause=0.2)
                self.assertNotEqual(here.show("ActiveState", unit), "active")
                run("systemctl", "stop", unit)
        run("mv", "/srv/exchange", EXCHANGE)
        run("rm", "/etc/tcplock-supervisor/beside.yaml")
        run("systemctl", "start", NAME)
        here.wait_ready()
        result("exchange_swapped_by_root", link="not started", nothing="not started")

    def test_no_other_user_reads_it_himself_nor_its_members_the_state(self):
        """The gate is another way, which the README does not hide: the office does it for him."""
        source = here.letter("courier", EXCHANGE, "not for everybody", mode="0644")
        for command in (["cat", source], ["ls", EXCHANGE], ["touch", f"{EXCHANGE}/mine"]):
            denied = run(*command, user="clerk", check=False)
            self.assertNotEqual(denied.returncode, 0, command)
            self.assertIn("Permission denied", denied.stderr)
        state = run("ls", "/var/lib/tcplock-supervisor", user="courier", check=False)
        self.assertIn("Permission denied", state.stderr)
        run("rm", source, user="courier")
        result("strangers", exchange="denied", state="denied")


class SandboxTest(unittest.TestCase):
    """What the unit forbids its processes, tried from inside by a backend of the template's unit,
    which is the main unit's text, and by the same program in no sandbox."""

    ELSEWHERE = "192.0.2.1"  # an address of this machine, but not loopback's
    PORT = 2004
    UNIT = f"{NAME}@prisoner"
    PROGRAM = f"{SOURCE}/packaging/tests/deb_prisoner.py"
    CONFIGURATION = f"""
protocol: tcp
listen:
  - address: 127.0.0.1:{PORT}
backend:
  command: [/usr/bin/python3, {PROGRAM}, serve, "{{port}}"]
  address: "127.0.0.1:{{port}}"
  state_directory: "${{STATE_DIRECTORY}}"
admin:
  socket: "${{RUNTIME_DIRECTORY}}/admin.sock"
  socket_group: {NAME}
"""
    BUS = "/run/dbus/system_bus_socket"
    # What listens outside of the sandbox, until its standard input ends.
    DOORS = f"""
import os, socket, sys
bus = socket.socket(socket.AF_UNIX)
bus.bind("{BUS}")
os.chmod("{BUS}", 0o666)
bus.listen(100)
elsewhere = socket.create_server(("{ELSEWHERE}", 2005))
sys.stdin.read()
"""
    # (what it tries, what comes of it without the sandbox, what with it)
    ATTEMPTS = (
        ("write:/srv/everybody/his", "done", "EROFS"),
        ("write:/tmp/everybody/his", "done", "ENOENT"),
        ("write:/dev/shm/everybody/his", "done", "ENOENT"),
        ("write:/dev/shm/his", "done", "done"),
        ("write:/etc/tcplock-supervisor/his", "EACCES", "EROFS"),
        ("write:/var/lib/tcplock-supervisor-prisoner/his", "done", "done"),
        (f"write:{EXCHANGE}/his", "done", "done"),
        (f"link:{EXCHANGE}/his", "done", "EPERM"),
        (f"link_at:{EXCHANGE}/his", "done", "EPERM"),
        (f"pipe:{EXCHANGE}/his", "done", "EPERM"),
        ("ring:", None, "EPERM"),
        ("read:/home/open", "done", "EACCES"),
        ("read:/proc/1/status", "done", "ENOENT"),
        (f"connect:127.0.0.1:{PORT}", "done", "done"),
        (f"connect:{ELSEWHERE}:2005", "done", "silence"),  # the kernel drops what is sent
        (f"join:{BUS}", "done", "EACCES"),
        ("queue:/everybodys", "done", "ENOENT"),
        ("socket:AF_NETLINK", "done", "EAFNOSUPPORT"),
        ("status:NoNewPrivs", "0", "1"),
        ("status:CapBnd", None, "0000000000000000"),
        ("status:Seccomp", None, "2"),
        ("namespace:", None, "EPERM"),
    )

    @classmethod
    def setUpClass(cls):
        open_to_all = ("/srv/everybody", "/tmp/everybody", "/dev/shm/everybody", "/home/open")
        run("install", "-d", "-m", "777", *open_to_all)
        run("install", "-d", os.path.dirname(cls.BUS))
        here.shell("umask 0 && touch /dev/mqueue/everybodys")  # a queue
        here.machine.add_address(cls.ELSEWHERE)
        path = "/etc/tcplock-supervisor/prisoner.yaml"
        here.machine.write(path, cls.CONFIGURATION.encode())
        cls.addClassCleanup(run, "rm", path)
        cls.addClassCleanup(run, "systemctl", "stop", cls.UNIT)
        run("systemctl", "start", cls.UNIT)
        doors = here.machine.start("/usr/bin/python3", "-c", cls.DOORS, timeout=300)
        cls.addClassCleanup(doors.communicate, timeout=30)
        free = lambda: cls.outside([f"connect:{cls.ELSEWHERE}:2005"])  # noqa: E731
        wait_until(lambda: "done" in free().values(), 30, "a service elsewhere", pause=0.2)

    @classmethod
    def outside(cls, attempts):
        return json.loads(run("/usr/bin/python3", cls.PROGRAM, "try", *attempts, user=NAME).stdout)

    def test_it_forbids_what_nothing_else_would(self):
        attempts = [attempt for attempt, _, _ in self.ATTEMPTS]
        ask = ["/usr/bin/python3", self.PROGRAM, "ask", str(self.PORT), *attempts]
        outside, inside = self.outside(attempts), json.loads(run(*ask, user="clerk").stdout)
        for attempt, free, held in self.ATTEMPTS:
            result("sandbox", tried=attempt, outside=outside[attempt], inside=inside[attempt])
            with self.subTest(attempt):
                self.assertEqual(inside[attempt], held)
                if free is not None:
                    self.assertEqual(outside[attempt], free)

    def test_an_office_writes_nowhere_else(self):
        source = here.letter("courier", EXCHANGE, "for everybody")
        target = "/srv/everybody/letter.txt"
        failed = run(*here.client("path", source, target), user="courier", timeout=120, check=False)
        self.assertEqual(failed.returncode, 1, failed.stdout)
        self.assertEqual(run("ls", "-A", "/srv/everybody").stdout, "")
        run("rm", source, user="courier")


class SeveralTest(unittest.TestCase):
    """A second supervisor by the template unit."""

    UNIT = f"{NAME}@second"
    SOCKET = "/run/tcplock-supervisor-second/admin.sock"

    def test_it_has_its_own_address_state_and_socket(self):
        path = "/etc/tcplock-supervisor/second.yaml"
        text = 'listen:\n  - address: 127.0.0.1:2003\n' \
            'backend:\n  state_directory: /var/lib/tcplock-supervisor-second\n  standby: 0\n' \
            f'admin:\n  socket: {self.SOCKET}\n'  # fmt: skip
        here.machine.write(path, text.encode())
        run(NAME, "check", "-c", path)
        first, offices = here.main_pid(), here.wait_both_ready()
        run("systemctl", "enable", "--now", self.UNIT)
        self.assertTrue(here.convert("from the second", port=2003))
        self.assertTrue(here.convert("from the first"))
        self.assertEqual(here.status(self.SOCKET)["counts"]["admitted"], 1)
        self.assertEqual(here.main_pid(), first)
        self.assertIn("place-0", run("ls", "/var/lib/tcplock-supervisor-second").stdout)
        second = here.main_pid(self.UNIT)
        here.machine.write(path, (text + "gate: {queue_limit: 9}\n").encode())
        run("systemctl", "reload", self.UNIT)
        self.assertEqual(here.status(self.SOCKET)["line"]["limit"], 9)
        self.assertEqual(here.main_pid(self.UNIT), second)
        run("systemctl", "stop", self.UNIT)
        self.assertEqual(here.show("Result", self.UNIT), "success")
        nothing = lambda: here.show("ControlGroup", self.UNIT) == ""  # noqa: E731
        wait_until(nothing, 20, "that nothing of it runs", pause=0.2)
        self.assertEqual(here.offices(), offices, "the first one's were left alone")
        run("systemctl", "disable", self.UNIT)
        result("template", first="served", second="served")


class SocketTest(unittest.TestCase):
    """With the socket unit nobody is refused while the service is away."""

    # Connects all the time, at least a hundred times, until told to stop; says when it is at it, and
    # at the end how often, and how often in vain.
    KNOCK = """
import os, socket, time
came = refused = 0
while came + refused < 100 or not os.path.exists("/root/enough"):
    try:
        socket.create_connection(("127.0.0.1", 2002), 5).close()
        came += 1
        if came == 1:
            print("knocking", flush=True)
    except ConnectionRefusedError:
        refused += 1
    time.sleep(0.02)
print(came, refused)
"""

    # The service does not start before this is there.
    GAP = """
[Service]
ExecStartPre=/bin/sh -c 'until [ -e /run/enough ]; do sleep 0.1; done'
"""

    @classmethod
    def setUpClass(cls):
        run("cp", "-a", CONFIGURATION, "/root/as-shipped.yaml")
        cls.addClassCleanup(cls.be_as_before)
        run("sed", "-i", "s/^  - address: 127.0.0.1:2002/  - address: systemd/", CONFIGURATION)
        run(NAME, "check", "-c", CONFIGURATION)
        run("systemctl", "stop", NAME)
        run("systemctl", "enable", "--now", f"{NAME}.socket")

    @staticmethod
    def be_as_before():
        run("systemctl", "disable", "--now", f"{NAME}.socket")
        run("cp", "-a", "/root/as-shipped.yaml", CONFIGURATION)
        run("systemctl", "restart", NAME, timeout=90)

    def test_who_connects_first_starts_the_service(self):
        self.assertEqual(here.show("ActiveState"), "inactive")
        self.assertTrue(here.convert("he who starts the service"))
        self.assertEqual(here.show("ActiveState"), "active")

    def connected(self):
        """How many clients have a connection to the gate, by the kernel's words."""
        established = r"^ *[0-9]+: [0-9A-F]+:[0-9A-F]+ 0100007F:07D2 01 "
        return int(run("grep", "-cE", established, "/proc/net/tcp", check=False).stdout)

    def test_who_comes_while_the_service_is_down_is_served_by_the_next(self):
        here.wait_ready()
        pid = here.main_pid()
        folder = f"/run/systemd/system/{NAME}.service.d"
        run("mkdir", "-p", folder)
        here.machine.write(f"{folder}/gap.conf", self.GAP.encode())
        run("systemctl", "daemon-reload")
        restart = here.machine.start("systemctl", "restart", NAME)
        wait_until(
            lambda: here.show("SubState") == "start-pre", 90, "the service is down", pause=0.1
        )
        self.assertFalse(here.run("pidof", "-s", NAME, check=False).stdout.strip())
        client = here.start_client("he who came in the gap")
        wait_until(lambda: self.connected() == 1, 60, "the client's connection", pause=0.1)
        self.assertEqual(here.show("SubState"), "start-pre")
        run("touch", "/run/enough")
        self.assertIs(client.was_served(), True)
        said, _ = restart.communicate(timeout=90)
        self.assertEqual(restart.returncode, 0, said)
        self.assertNotEqual(here.main_pid(), pid)
        run("rm", "-r", folder)
        run("systemctl", "daemon-reload")
        result("socket_gap", client="served by the next one")

    def test_a_client_from_elsewhere_comes_in_and_the_office_not_out(self):
        elsewhere = "192.0.2.3"
        attempt = f"connect:{elsewhere}:2002"
        program = ["/usr/bin/python3", SandboxTest.PROGRAM, "try", attempt]
        come = lambda: json.loads(run(*program, user="clerk").stdout)[attempt]  # noqa: E731
        listening, allowed = f"ListenStream={elsewhere}:2002", "IPAddressAllow=192.0.2.0/24"
        networks = "    allow: [127.0.0.0/8, 192.0.2.0/24]"
        run("sed", "-i", f"s|^    allow: .*|{networks}|", CONFIGURATION)
        self.addCleanup(self.be_more)
        self.be_more(listening)
        here.machine.add_address(elsewhere)  # as a network that comes up when the socket is open
        alone = come()
        self.be_more(listening, allowed)
        admitted = come()
        # Nobody has turned him away; he goes at once, mostly before he is let in.
        his_line = re.compile(rf" (session closed|client left) .*peer={re.escape(elsewhere)}:")
        told = lambda: run("journalctl", "--unit", NAME).stdout  # noqa: E731
        wait_until(lambda: his_line.search(told()), 30, "that he was welcome", pause=0.2)
        out = json.loads(self.from_within(*program))[attempt]
        self.assertEqual((alone, admitted, out), ("silence", "done", "silence"))
        self.assertTrue(here.convert("he who is of this machine"))
        result("socket_elsewhere", alone=alone, allowed=admitted, office_to_him=out)

    def from_within(self, *command):
        """What it says where the service's own filter holds."""
        join = 'for root in /sys/fs/cgroup/unified /sys/fs/cgroup; do group=$root$0/cgroup.procs; ' \
            '[ ! -e "$group" ] || { echo $$ >"$group"; exec "$@"; }; done; exit 1'  # fmt: skip
        return run("sh", "-c", join, here.show("ControlGroup"), *command).stdout

    def be_more(self, *lines):
        """The socket unit, with these lines beside its own."""
        folder = f"/run/systemd/system/{NAME}.socket.d"
        run("systemctl", "stop", f"{NAME}.socket", NAME, timeout=90)
        run("rm", "-rf", folder)
        if lines:
            run("mkdir", folder)
            here.machine.write(f"{folder}/more.conf", "\n".join(["[Socket]", *lines, ""]).encode())
        run("systemctl", "daemon-reload")
        run("systemctl", "start", f"{NAME}.socket", NAME)

    def test_nobody_who_knocks_through_two_restarts_is_refused(self):
        knocking = here.machine.start("/usr/bin/python3", "-c", self.KNOCK, timeout=600)
        self.assertEqual(knocking.stdout.readline(), "knocking\n")
        for _ in range(2):
            here.wait_ready()
            run("systemctl", "restart", NAME, timeout=90)
        self.assertTrue(here.convert("after the restarts"))
        run("touch", "/root/enough")
        said, _ = knocking.communicate(timeout=30)
        came, refused = map(int, said.split())
        result("socket", restarts=2, connected=came, refused=refused)
        self.assertGreaterEqual(came, 100)
        self.assertEqual(refused, 0)
        self.be_as_before()
        self.assertTrue(here.convert("as it was before"))


class AutopkgtestTest(unittest.TestCase):
    """debian/tests, by Debian's own runner: it installs what they depend on, and fails them for what
    they write to standard error."""

    def test_each_of_them(self):
        run(*APT, "install", "autopkgtest", timeout=120)
        tree = "/root/source"  # as a source package has it
        run("mkdir", tree)
        run("cp", "-r", f"{SOURCE}/packaging", f"{SOURCE}/packaging/debian", tree)
        # The machine is what it asks for, of which the runner of Debian 13 knows nothing.
        how = ["--no-built-binaries", "--ignore-restrictions=isolation-container"]
        command = ["autopkgtest", *how, f"{PACKAGES}/first.deb", tree, "--", "null"]
        done = run(*command, timeout=600, check=False)
        said = done.stdout + done.stderr
        passed = re.findall(r"^(\w+) +(PASS.*?)\s*$", said, re.M)
        result("autopkgtest", status=done.returncode, **dict(passed))
        self.assertEqual(done.returncode, 0, said[-6000:])
        self.assertEqual(dict(passed), {"smoke": "PASS (superficial)", "conversion": "PASS"})


if __name__ == "__main__":
    unittest.main(verbosity=2, testLoader=InOrder())
