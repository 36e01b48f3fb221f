"""A state directory that goes, cannot be written to, or is full: said clearly, and it heals."""

import os
import shutil
import signal
import subprocess
import unittest

import fake
import office
from supervisor import BINARY, MAY_MOUNT, Supervisor, freeze, result

NOBODY = 65534
QUICK = {"restart_backoff": {"first": "50ms", "max": "200ms"}}


def kill_backend(supervisor, generation):
    line = supervisor.log.wait("backend starting", generation=generation)
    os.kill(line.number("pid"), signal.SIGKILL)


def stopped_office(supervisor):
    """Its processes, which write no more in the folders that are taken from under them."""
    pids = office.soffice_pids(supervisor)
    for pid in pids:
        freeze(pid)
    return pids


class RemovedTest(unittest.TestCase):
    def test_it_is_made_anew_with_all_that_an_office_needs(self):
        with Supervisor(office.config(backend=QUICK)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            pids = stopped_office(supervisor)
            shutil.rmtree(supervisor.state_directory)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            supervisor.log.wait("the state directory had been removed, it is made anew", timeout=20)
            office.convert_one(supervisor.port)
            profile = os.path.join(supervisor.state_directory, "place-0", "profile", "user")
            with open(os.path.join(profile, "registrymodifications.xcu")) as file:
                self.assertIn("UseLocking", file.read())
            failed = supervisor.log.count("backend start failed")
            result("state_removed", failed_starts=failed)
            self.assertEqual(failed, 0)
            self.assertEqual(supervisor.terminate(), 0)

    def test_one_that_is_anothers_now_is_left_to_him(self):
        with Supervisor(fake.config(backend=QUICK)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            shutil.rmtree(supervisor.state_directory)
            taken = fake.config(backend={"state_directory": supervisor.state_directory})
            with Supervisor(taken) as other:
                other.start()
                other.log.wait("backend ready")
                kill_backend(supervisor, 1)
                failed = supervisor.log.wait("backend start failed")
                result("state_taken", reason=repr(failed["reason"]))
                self.assertIn(f"another supervisor (pid {other.pid}) is using", failed["reason"])
                self.assertEqual(other.terminate(), 0)
            supervisor.log.wait("backend ready", nth=2)
            self.assertEqual(supervisor.terminate(), 0)


class UnwritableTest(unittest.TestCase):
    @unittest.skipUnless(os.getuid() == 0, "needs to become another user")
    def test_the_path_and_the_reason_are_said_and_it_goes_on_when_it_may(self):
        with Supervisor(fake.config(backend=QUICK)) as supervisor:
            for folder in (supervisor.directory, supervisor.state_directory):
                os.chown(folder, NOBODY, NOBODY)
            supervisor.under = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            supervisor.start()
            supervisor.log.wait("backend ready")
            os.chmod(supervisor.state_directory, 0o555)
            shutil.rmtree(os.path.join(supervisor.state_directory, "place-0"))
            kill_backend(supervisor, 1)
            failed = supervisor.log.wait("backend start failed")
            result("state_unwritable", reason=repr(failed["reason"]))
            place = os.path.join(supervisor.state_directory, "place-0")
            self.assertEqual(failed["reason"], f"cannot make {place}: Permission denied")
            os.chmod(supervisor.state_directory, 0o755)
            supervisor.log.wait("backend ready", nth=2)
            self.assertEqual(supervisor.terminate(), 0)

    @unittest.skipUnless(os.getuid() == 0, "needs to become another user")
    def test_a_folder_that_was_shut_in_the_template_does_not_keep_it_from_starting(self):
        with Supervisor(fake.config(backend={"profile_template": "default"})) as supervisor:
            template = os.path.join(supervisor.state_directory, "profile-template")
            shut = [os.path.join(template, "user", "basic"), os.path.join(template, "more")]
            for folder in shut:
                os.makedirs(os.path.join(folder, "Standard"))
            for folder, _, _ in os.walk(supervisor.directory):
                os.chown(folder, NOBODY, NOBODY)
            for folder in [*shut, template]:
                os.chmod(folder, 0)
            supervisor.under = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            supervisor.start()
            supervisor.log.wait("backend ready")
            there = [name for _, *both in os.walk(template) for names in both for name in names]
            self.assertEqual(there, ["user", "registrymodifications.xcu"])
            self.assertEqual(supervisor.terminate(), 0)

    @unittest.skipUnless(os.getuid() == 0, "needs to become another user")
    def test_from_the_start_it_is_an_error_that_says_what_to_do(self):
        with Supervisor(fake.config()) as supervisor:
            os.chmod(supervisor.directory, 0o755)
            os.chmod(supervisor.state_directory, 0o555)
            run = subprocess.run(
                ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", BINARY,
                 "-c", supervisor.config_file],
                capture_output=True, text=True, timeout=20, check=False,
            )  # fmt: skip
            self.assertEqual(run.returncode, 1)
            self.assertIn(
                f"{supervisor.state_directory}: cannot be written to: Permission denied.", run.stderr
            )


class FullTest(unittest.TestCase):
    @unittest.skipUnless(MAY_MOUNT, "may not mount")
    def test_what_does_not_fit_is_named_and_it_goes_on_when_there_is_room(self):
        with Supervisor(office.config(backend=QUICK)) as supervisor:
            mount = 'mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@"'
            supervisor.under = ["unshare", "--mount", "sh", "-c", mount, supervisor.state_directory]
            supervisor.start()
            supervisor.log.wait("backend ready", timeout=60)
            there = f"/proc/{supervisor.pid}/root{supervisor.state_directory}"
            pids = stopped_office(supervisor)
            shutil.rmtree(os.path.join(there, "place-0", "profile"))
            filler = os.path.join(there, "filler")
            with open(filler, "wb", buffering=0) as file, self.assertRaises(OSError):
                while True:
                    file.write(bytes(4096))
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            failed = supervisor.log.wait("backend start failed", timeout=20)
            result("state_full", reason=repr(failed["reason"]))
            self.assertIn("cannot make the profile", failed["reason"])
            self.assertIn("No space left on device", failed["reason"])
            os.unlink(filler)
            supervisor.log.wait("backend ready", nth=2, timeout=60)
            office.convert_one(supervisor.port)
            self.assertEqual(supervisor.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
