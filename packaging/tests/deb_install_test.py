"""The package's own life: installed with and without LibreOffice, upgraded, removed, purged."""

import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from deb_machine import APT, OFFICE, TOP, Roots, in_root, without_systemd
from deb_service import (
    CONFIGURATION,
    DEB,
    EXCHANGE,
    NAME,
    PACKAGES,
    PORT,
    READY_LIMIT,
    RELEASE,
    ROOTS,
    SOURCE,
    InOrder,
    Installation,
    Package,
    Steps,
)
from hardening import SIGNS, missing
from supervisor import result, wait_until

# Where people and programs look for it, beside the commands, the units and the configuration.
BROUGHT = [
    "/usr/share/bash-completion/completions/tcplock",
    f"/usr/share/bash-completion/completions/{NAME}",
    f"/usr/share/zsh/vendor-completions/_{NAME}",
    "/usr/share/man/man1/tcplock.1.gz",
    "/usr/share/man/man5/tcplock.yaml.5.gz",
    f"/usr/share/man/man8/{NAME}.8.gz",
    f"/usr/share/{NAME}/{NAME}.schema.json",
    f"/usr/share/{NAME}/libreoffice-profile/user/registrymodifications.xcu",
    f"/usr/share/doc/{NAME}/README.Debian.gz",
    f"/usr/share/doc/{NAME}/examples/client.py",
    f"/usr/share/doc/{NAME}/examples/gate-alone.yaml",
    f"/usr/share/doc/{NAME}/examples/prometheus/alerts.yaml",
]

# What dpkg, apt and the loader keep of everything that was ever installed, each night too, logs, what
# systemd makes for itself when the first sandboxed service starts, and the home of the test's client.
KEPT_BY_OTHERS = re.compile(
    r"/(var/lib/(dpkg|apt)/|var/cache/(apt|ldconfig|debconf)/|var/log/|var/backups/"
    r"|etc/((passwd|group|shadow|gshadow|subuid|subgid)-?|ld\.so\.cache|\.pwd\.lock)$"
    r"|run/systemd/(incoming|propagate|unit-root)|home/clerk/)"
)


# Whatever is called after it, and is neither dpkg's nor ours to see.
LEFT = r"find / /run -xdev -name '*tcplock*' | grep -vE '^/var/(lib/(dpkg|apt)|cache/apt)/' || true"


def setUpModule():
    global package
    package = Package()
    unittest.addModuleCleanup(package.remove)


REQUEST = "recycle requested"
OFFICE_NEWS = re.compile(
    r"\bbackend (starting|ready|recycling|stopping|stopped|died|start failed)\b.*? generation=(\d+)"
)


def wait_until_still(look):
    """What it sees when it sees the same twice, a second apart: systemd deletes a service's own /tmp
    beside its other work."""
    seen = [look()]

    def is_still():
        seen.append(look())
        return seen[-1] == seen[-2]

    wait_until(is_still, 30, "that nothing changes any more", pause=1)
    return seen[-1]


def requests(here):
    return len(here.journal(REQUEST))


def offices_of(lines):
    """Those that are there after these lines of the journal: {generation: "starting" or "ready"}."""
    there = {}
    for what, generation in (news.groups() for news in map(OFFICE_NEWS.search, lines) if news):
        if what in ("starting", "ready"):
            there[generation] = what
        else:
            there.pop(generation, None)
    return there


def offices_now(here):
    return offices_of(text for _, text in here.journal())


def ready_among(offices):
    return {generation for generation, phase in offices.items() if phase == "ready"}


def wait_offices_replaced(here, requests_before):
    """An office that was started in the middle of apt's work may know a part of the kinds of documents.
    When apt has done, it asks for each to be replaced, also one that only starts."""
    here.wait_journal(REQUEST, nth=requests_before + 1)
    lines = [text for _, text in here.journal()]
    request = max(n for n, text in enumerate(lines) if REQUEST in text)
    then = offices_of(lines[:request])

    def others_are_there():
        now = offices_now(here)
        return not set(then) & set(now) and len(ready_among(now)) >= 2

    wait_until(others_are_there, 180, f"two other offices than {sorted(then)}", pause=0.5)
    ready = ready_among(then)
    return {"ready_then": len(ready), "starting_then": len(set(then) - ready)}


def assert_converts_all_kinds(here):
    for kind in ("docx", "xlsx", "odp"):
        if not here.convert(f"one in {kind}", kind=kind):
            raise AssertionError(f"{kind}: the words did not come back")


class ProgramsTest(unittest.TestCase):
    def test_they_are_hardened(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["dpkg-deb", "--extract", DEB, folder], check=True)
            for name in (NAME, "tcplock"):
                with self.subTest(name):
                    self.assertEqual(missing(os.path.join(folder, "usr/bin", name)), [])
        result("hardened", has=",".join(SIGNS).replace(" ", "_"))


class WithoutSystemdTest(unittest.TestCase):
    """In a container or a chroot, where no service manager runs."""

    SCRIPT = f"""
exec 2>&1
export DEBIAN_FRONTEND=noninteractive
test ! -e /run/systemd/system
apt="{" ".join(APT)}"
for version in first second; do
    echo "== $version"
    $apt install {PACKAGES}/$version.deb
    tcplock-supervisor check -c {CONFIGURATION}
    stat -c "exchange %a %U:%G" {EXCHANGE}
done
echo == remove
$apt remove {NAME}
test -e {CONFIGURATION}
echo == again, and purge
$apt install {PACKAGES}/first.deb
$apt purge {NAME}
echo == left
{LEFT}
echo == end
"""

    def test_it_is_installed_upgraded_removed_and_purged(self):
        package.later("second", "+1")
        seen = [(TOP, SOURCE), (package.folder, PACKAGES)]
        said = without_systemd(ROOTS.office(package.depends()), seen, self.SCRIPT, 300)
        steps, left = said.split("== end\n")[0].split("== left\n")
        self.assertEqual(steps.count(f"exchange 2770 {NAME}:tcplock-exchange\n"), 2, said)
        self.assertNotRegex(steps, r"(?i)\b(error|fail(ed)?|cannot|not found|unable)\b", said)
        self.assertEqual(left, "")
        result("without_systemd", installed="yes", upgraded="yes", removed="yes", purged="yes")


class BootTest(unittest.TestCase):
    """Installed where nothing runs, as images of machines are made; then the machine boots."""

    def test_it_serves_from_the_first_moment(self):
        with Roots.layer(ROOTS.office(package.depends())) as root:
            shutil.copy(os.path.join(package.folder, "first.deb"), os.path.join(root, "root"))
            in_root(root, [*APT, "install", "/root/first.deb"], 300)
            with Installation(package, "install-boot", root=root) as here:
                here.wait_ready()
                folder = here.run("stat", "-c", "%a:%U:%G", EXCHANGE).stdout.strip()
                here.run("useradd", "--create-home", "clerk")
                self.assertTrue(here.convert("after the boot"))
        result("boot", exchange=folder, converted="yes")
        self.assertEqual(folder, f"2770:{NAME}:tcplock-exchange")


class WithoutLibreOfficeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.here = cls.enterClassContext(
            Installation(package, "install-bare", office=False, recommends=True)
        )

    def test_it_installs_runs_and_says_what_to_install(self):
        here = self.here
        here.install()
        self.assertEqual(here.show("ActiveState"), "active")
        priority, said = here.wait_journal("libreoffice-writer-nogui")
        self.assertEqual(here.show("ActiveState"), "active")
        self.assertEqual(here.show("NRestarts"), "0")
        self.assertLessEqual(priority, 4, "it is seen with the warnings")
        told = here.journal("libreoffice-writer-nogui")
        self.assertLessEqual(len(told), 2, "it does not fill the journal")
        health = here.run(NAME, "health", check=False)
        self.assertEqual(health.returncode, 1)
        result("without_libreoffice", said=repr(said), health=repr(health.stdout + health.stderr))

    def test_it_serves_once_libreoffice_is_there(self):
        here = self.here
        pid, before = here.main_pid(), requests(here)
        others = ["libreoffice-calc-nogui", "libreoffice-impress-nogui"]
        here.run(*APT, "install", *OFFICE, *others, timeout=600)
        replaced = wait_offices_replaced(here, before)
        here.add_users()
        assert_converts_all_kinds(here)
        self.assertEqual(here.main_pid(), pid, "nobody has started it again")
        result("libreoffice_came_later", **replaced, converted="docx,xlsx,odp")


class ReadmeTest(unittest.TestCase):
    """The README's command, word for word, on a machine without LibreOffice."""

    @classmethod
    def setUpClass(cls):
        cls.here = cls.enterClassContext(
            Installation(package, "install-readme", office=False, recommends=True)
        )

    def test_apt_brings_libreoffice_along_and_it_serves(self):
        here = self.here
        build = f"packaging/deb.sh {RELEASE}"
        command = f"apt install ./build/deb/debian{RELEASE}/tcplock-supervisor_*.deb"
        with open(f"{TOP}/README.md", encoding="utf-8") as file:
            self.assertIn(f"\n{build}\n{command}\n", file.read())
        began = time.monotonic()
        here.shell(f"cd {SOURCE} && {command} -y -q -o Dpkg::Options::=--force-unsafe-io", timeout=900)
        ended = time.monotonic()
        replaced = wait_offices_replaced(here, 0)
        here.run(*APT, "install", "python3-uno", timeout=300)  # the client's
        here.add_users()
        assert_converts_all_kinds(here)
        took = f"{ended - began:.0f}s"
        result("install_as_the_readme_says", took=took, **replaced, converted="docx,xlsx,odp")


class LifeTest(Steps):
    """Where LibreOffice is installed already: what is there at the end is what was there before."""

    @classmethod
    def setUpClass(cls):
        cls.here = cls.enterClassContext(Installation(package, "install"))
        cls.here.run("useradd", "--create-home", "clerk")
        cls.before, cls.mounts_before = cls.files(), cls.mounts()

    @classmethod
    def files(cls):
        """Every name in the machine, with what kind of thing it is, but in what the kernel shows."""
        script = "find / /run /tmp /var/tmp -xdev -printf '%p %y\\n' | sort -u"
        names = cls.here.shell(script).splitlines()
        return {name for name in names if not KEPT_BY_OTHERS.match(name.rsplit(" ", 1)[0])}

    @classmethod
    def mounts(cls):
        return set(cls.here.shell("cut -d ' ' -f 5 /proc/1/mountinfo").split())

    def upgrade(self, name):
        """With a client inside, and one who waits: both are served."""
        here = self.here
        here.wait_ready()
        pid = here.main_pid()
        inside, waiting = self.one_inside_and_one_waiting("at the upgrade")
        upgrade = here.upgrade(name)
        self.serve_both(inside, waiting)
        said, _ = upgrade.communicate(timeout=300)
        self.assertEqual(upgrade.returncode, 0, said)
        self.assertNotEqual(here.main_pid(), pid, "the new one runs")
        self.assertTrue(here.convert("after the upgrade"))

    def one_inside_and_one_waiting(self, when):
        here = self.here
        inside = here.hold(f"inside {when}")
        waiting = here.start_client(f"waiting {when}")
        wait_until(lambda: here.status()["line"]["waiting"] == 1, 60, "one waits", pause=0.2)
        return inside, waiting

    def serve_both(self, inside, waiting):
        """Of a supervisor that has been told to end."""
        here = self.here
        wait_until(lambda: "draining" in here.show("StatusText"), 120, "it drains", pause=0.1)
        inside.go_on()
        self.assertIs(inside.was_served(), True)
        self.assertIs(waiting.was_served(), True)

    def configuration(self):
        return self.here.run("cat", CONFIGURATION).stdout

    def test_installed(self):
        here = self.here
        here.install()
        here.wait_ready()
        self.assertTrue(here.convert("installed"))
        here.run("ls", *BROUGHT)  # which fails if one is missing
        here.run("sh", "-c", f"echo left > {EXCHANGE}/left-by-somebody")
        here.machine.write(
            "/etc/tcplock-supervisor/second.yaml",
            b'listen:\n  - address: 127.0.0.1:2003\nbackend:\n  state_directory: "${STATE_DIRECTORY}"\n'
            b'admin:\n  socket: "${RUNTIME_DIRECTORY}/admin.sock"\n',
        )
        here.run("systemctl", "enable", "--now", f"{NAME}@second")
        self.assertTrue(here.convert("the second", port=2003))
        result("install", version=here.installed_version())

    def test_libreoffice_is_installed_again_and_the_offices_are_replaced(self):
        here = self.here
        two_are_ready = lambda: len(ready_among(offices_now(here))) == 2  # noqa: E731
        wait_until(two_are_ready, READY_LIMIT, "an office and its standby", pause=0.5)
        before = requests(here)
        second = f"{NAME}@second"
        of_second = len(here.journal(REQUEST, unit=second))
        here.run(*APT, "install", "--reinstall", "libreoffice-writer-nogui", timeout=300)
        replaced = wait_offices_replaced(here, before)
        here.wait_journal(REQUEST, nth=of_second + 1, unit=second)
        self.assertTrue(here.convert("after LibreOffice came again"))
        result("libreoffice_came_again", **replaced)
        self.assertGreaterEqual(replaced["ready_then"], 1, "the test saw nothing replaced")

    def test_upgraded_with_the_configuration_as_shipped(self):
        second = self.here.main_pid(f"{NAME}@second")
        version = package.later("second", "+1")
        self.upgrade("second")
        self.assertEqual(self.here.installed_version(), version)
        self.assertIn("# of version +1\n", self.configuration())
        self.assertNotEqual(self.here.main_pid(f"{NAME}@second"), second, "it is the new program")
        result("upgrade", version=version, configuration="replaced", inside="served", waiting="served")

    def test_upgraded_with_a_changed_configuration(self):
        here = self.here
        here.run("sed", "-i", "s/^  queue_limit: 100/  queue_limit: 7/", CONFIGURATION)
        mine = self.configuration()
        version = package.later("third", "+2")
        # One beside it whose configuration is wrong by now does not fail the upgrade of all.
        second = "/etc/tcplock-supervisor/second.yaml"
        here.run("sed", "-i.right", "s/^listen:/listens:/", second)
        self.upgrade("third")
        self.assertEqual(here.installed_version(), version)
        self.assertEqual(here.run("dpkg", "--audit").stdout, "")
        self.assertEqual(here.show("ActiveState", f"{NAME}@second"), "failed")
        _, why = here.wait_journal("second.yaml:1: ", unit=f"{NAME}@second")
        here.run("mv", f"{second}.right", second)
        here.run("systemctl", "start", f"{NAME}@second")
        self.assertTrue(here.convert("the second again", port=2003))
        result("upgrade_with_a_wrong_one_beside", upgrade="done", second=repr(why))
        self.assertEqual(self.configuration(), mine)
        self.assertEqual(here.status()["line"]["limit"], 7)
        self.assertIn("# of version +2\n", here.run("cat", f"{CONFIGURATION}.dpkg-dist").stdout)
        result("upgrade", version=version, configuration="kept", inside="served", waiting="served")

    def test_removed(self):
        here = self.here
        mine = self.configuration()
        inside, waiting = self.one_inside_and_one_waiting("at the removal")
        removal = here.machine.start(*APT, "remove", NAME, timeout=300)
        self.serve_both(inside, waiting)
        said, _ = removal.communicate(timeout=300)
        self.assertEqual(removal.returncode, 0, said)
        self.assertEqual(here.owned_processes(), set())
        for unit in (NAME, f"{NAME}@second"):
            self.assertNotIn(here.show("ActiveState", unit), ("active", "activating"), unit)
        self.assertEqual(self.configuration(), mine)
        self.assertIn("left", here.run("cat", f"{EXCHANGE}/left-by-somebody").stdout)
        self.assertNotEqual(here.run("test", "-e", f"/usr/bin/{NAME}", check=False).returncode, 0)
        result("remove", inside="served", waiting="served", processes=0, configuration="kept",
               documents="kept")  # fmt: skip

    def test_installed_again_after_the_removal(self):
        """dpkg calls that an upgrade: the offices are looked after all the same."""
        here = self.here
        before = requests(here)
        here.install("third")
        here.wait_journal(REQUEST, nth=before + 1)
        here.wait_ready()
        self.assertTrue(here.convert("installed again"))
        self.assertTrue(here.convert("the second, installed again", port=2003))
        result("install_after_remove", requests=requests(here) - before, configuration="kept")
        self.assertEqual(here.status()["line"]["limit"], 7)

    def test_purged(self):
        here = self.here
        here.run(*APT, "purge", "--autoremove", NAME, timeout=120)
        after = wait_until_still(self.files)
        left, lost = sorted(after - self.before), sorted(self.before - after)
        mounts = sorted(self.mounts() - self.mounts_before)
        units = here.shell("systemctl list-units --all --no-legend 'tcplock*'").strip()
        groups = here.shell("getent group tcplock-supervisor tcplock-exchange | cut -d: -f1").split()
        result("purge", files_before=len(self.before), files_after=len(after), left=left, lost=lost,
               mounts=mounts, units=repr(units), groups=",".join(groups))  # fmt: skip
        self.assertEqual(left, [])
        self.assertEqual(lost, [])
        self.assertEqual(mounts, [])
        self.assertEqual(units, "")
        self.assertEqual(here.owned_processes(), set())
        self.assertIn(NAME, here.run("getent", "passwd", NAME).stdout, "as README.Debian says")

    def test_purged_with_something_mounted_on_the_exchange_folder(self):
        here = self.here
        here.install()
        here.run("systemctl", "stop", NAME)
        here.run("mount", "-t", "tmpfs", "none", EXCHANGE)
        here.run("touch", f"{EXCHANGE}/somebody-elses")
        here.run("systemctl", "start", NAME)
        here.wait_ready()
        done = here.run(*APT, "purge", NAME, timeout=120)
        self.assertIn("left what is mounted there", done.stdout + done.stderr)
        self.assertEqual(here.run("ls", EXCHANGE).stdout, "somebody-elses\n")
        self.assertFalse(here.run("dpkg-query", "--list", NAME, check=False).stdout)
        self.assertEqual(here.run("find", "/etc/tcplock-supervisor", check=False).stdout, "")
        here.run("umount", EXCHANGE)
        left = here.run("find", "/var/lib/tcplock-supervisor").stdout.split()
        result("purge_with_a_mount", mounted="left", left=",".join(left))
        self.assertEqual(left, ["/var/lib/tcplock-supervisor", EXCHANGE])

    def test_purged_of_what_has_no_configuration_any_more_and_of_nothing_else(self):
        here = self.here
        here.install()
        state = f"/var/lib/{NAME}"
        owner = f"{NAME}:{NAME}"
        for name in ("gone", "mounted", "elses"):
            here.run("mkdir", f"{state}-{name}")
        here.run("mount", "-t", "tmpfs", "none", f"{state}-mounted")
        here.run("mkdir", "/srv/elsewhere")
        here.run("ln", "-s", "/srv/elsewhere", f"{state}-link")
        for name in ("gone", "mounted", "elses", "link"):
            here.run("touch", f"{state}-{name}/file")
        here.run("chown", "--recursive", owner, f"{state}-gone", f"{state}-mounted", "/srv/elsewhere")
        here.run("chown", "--no-dereference", owner, f"{state}-link")
        here.run("touch", "/etc/tcplock-supervisor/elses.yaml")
        done = here.run(*APT, "purge", NAME, timeout=120)
        left = sorted(here.shell(f"find -L {state}* -type f").split())
        result("purge_of_others", left=",".join(left))
        self.assertEqual(left, [f"{state}-{name}/file" for name in ("elses", "link", "mounted")])
        said = done.stdout + done.stderr
        self.assertIn(f"left what is mounted there, and what it is mounted on: {state}-mounted", said)
        self.assertNotEqual(here.run("test", "-e", f"{state}-gone", check=False).returncode, 0)


class SocketLifeTest(Steps):
    """With the socket unit enabled, which holds the address."""

    @classmethod
    def setUpClass(cls):
        cls.here = cls.enterClassContext(Installation(package, "install-socket"))
        cls.here.run("useradd", "--create-home", "clerk")

    def states(self):
        """Of the socket and the service: (enabled, active)."""
        show = self.here.show
        units = (f"{NAME}.socket", f"{NAME}.service")
        return [(show("UnitFileState", unit), show("ActiveState", unit)) for unit in units]

    def listeners(self):
        """At the gate's port, by the kernel's words."""
        listening = f":{PORT:04X} 00000000:0000 0A"
        return int(self.here.run("grep", "-c", listening, "/proc/net/tcp", check=False).stdout)

    def test_installed_and_enabled(self):
        here = self.here
        here.install()
        self.assertEqual(here.show("UnitFileState", f"{NAME}.socket"), "disabled")
        here.run("sed", "-i", "s/^  - address: 127.0.0.1:2002/  - address: systemd/", CONFIGURATION)
        here.run("systemctl", "stop", NAME)
        here.run("systemctl", "enable", "--now", f"{NAME}.socket")
        here.run("systemctl", "start", NAME)
        self.assertTrue(here.convert("by the socket"))
        self.assertEqual(self.listeners(), 1)
        self.assertEqual(self.states(), [("enabled", "active")] * 2)

    def test_upgraded_and_who_comes_meanwhile_is_served_by_the_new_one(self):
        here = self.here
        package.later("socket", "+1")
        here.wait_ready()
        old = here.main_pid()
        inside = here.hold("inside at the upgrade")
        upgrade = here.upgrade("socket")
        wait_until(lambda: "draining" in here.show("StatusText"), 120, "it drains", pause=0.1)
        late = here.start_client("late at the upgrade")
        inside.go_on()
        self.assertIs(inside.was_served(), True)
        said, _ = upgrade.communicate(timeout=300)
        self.assertEqual(upgrade.returncode, 0, said)
        self.assertIs(late.was_served(), True)
        self.assertNotEqual(here.main_pid(), old)
        self.assertEqual(self.states(), [("enabled", "active")] * 2)
        result("upgrade_with_the_socket", inside="served", late="served")

    def test_not_removed_after_all_it_serves_by_the_socket(self):
        """As when dpkg cannot go on with the removal."""
        here = self.here
        scripts = f"/var/lib/dpkg/info/{NAME}"
        here.run(f"{scripts}.prerm", "remove", timeout=90)
        self.assertEqual(self.listeners(), 0)
        here.run(f"{scripts}.postinst", "abort-remove", timeout=90)
        self.assertTrue(here.convert("not removed"))
        self.assertEqual(self.states(), [("enabled", "active")] * 2)
        result("removal_given_up", serves="yes")

    def test_removed_and_the_address_is_free(self):
        here = self.here
        here.run(*APT, "remove", NAME, timeout=120)
        self.assertEqual(here.owned_processes(), set())
        self.assertEqual(self.listeners(), 0)

    def test_installed_again_it_serves_by_the_socket(self):
        here = self.here
        here.install("socket")
        self.assertTrue(here.convert("by the socket again"))
        self.assertEqual(self.states(), [("enabled", "active")] * 2)
        result("install_after_remove_with_the_socket", serves="yes")

    def test_purged_when_the_service_had_failed(self):
        here = self.here
        here.run("systemctl", "stop", f"{NAME}.socket", NAME, timeout=90)
        self.assertNotEqual(here.run("systemctl", "start", NAME, check=False).returncode, 0)
        self.assertEqual(here.show("ActiveState"), "failed", "there is no socket to listen on")
        here.run(*APT, "purge", NAME, timeout=120)
        units = here.shell("systemctl list-units --all --no-legend 'tcplock*'").strip()
        left = wait_until_still(lambda: here.shell(LEFT)).split()
        result("purge_with_the_socket", left=left, units=repr(units), listeners=self.listeners())
        self.assertEqual(left, [])
        self.assertEqual(units, "")
        self.assertEqual(here.owned_processes(), set())
        self.assertEqual(self.listeners(), 0)


class MaskedTest(Steps):
    """Where the administrator says what is not to be started."""

    @classmethod
    def setUpClass(cls):
        cls.here = cls.enterClassContext(Installation(package, "install-masked"))
        cls.here.run("useradd", "--create-home", "clerk")

    def upgrade(self, name, suffix):
        version = package.later(name, suffix)
        upgrade = self.here.upgrade(name)
        said, _ = upgrade.communicate(timeout=300)
        self.assertEqual(upgrade.returncode, 0, said)
        self.assertEqual(self.here.installed_version(), version)
        self.assertEqual(self.here.run("dpkg", "--audit").stdout, "")

    def test_installed_where_a_policy_forbids_to_start_it(self):
        here = self.here
        policy = "/usr/sbin/policy-rc.d"
        here.machine.write(policy, b"#!/bin/sh\nexit 101\n", mode="0755")
        here.install()
        self.assertEqual(here.show("ActiveState"), "inactive")
        self.assertEqual(here.show("UnitFileState"), "enabled")
        here.run("rm", policy)
        here.run("systemctl", "start", NAME)
        self.assertTrue(here.convert("by hand"))
        result("install_with_a_policy", started="no", enabled="yes")

    def test_upgraded_while_it_is_masked_it_stays_so(self):
        here = self.here
        here.run("systemctl", "mask", "--now", NAME, timeout=90)
        self.upgrade("masked", "+1")
        self.assertEqual(here.show("ActiveState"), "inactive")
        self.assertEqual(here.show("UnitFileState"), "masked")
        self.assertEqual(here.owned_processes(), set())
        here.run("systemctl", "unmask", NAME)
        self.assertEqual(here.show("UnitFileState"), "enabled")
        here.run("systemctl", "start", NAME)
        self.assertTrue(here.convert("unmasked"))
        result("upgrade_while_masked", started="no", afterwards="enabled")

    def test_upgraded_while_it_runs_and_may_not_be_started(self):
        here = self.here
        pid = here.main_pid()
        here.run("systemctl", "mask", NAME)
        self.upgrade("masked-and-running", "+2")
        self.assertEqual(here.main_pid(), pid, "stopped, it could not be started again")
        self.assertTrue(here.convert("by the old one"))

    def test_purged_while_it_is_masked(self):
        here = self.here
        here.run(*APT, "purge", NAME, timeout=120)
        self.assertEqual(here.owned_processes(), set())
        left = wait_until_still(lambda: here.shell(LEFT)).split()
        result("purge_while_masked", left=",".join(left))
        self.assertEqual(left, [f"/etc/systemd/system/{NAME}.service"], "the administrator's own")


if __name__ == "__main__":
    unittest.main(verbosity=2, testLoader=InOrder())
