"""As process 1 of a container: nothing outlives its generation unnoticed."""

import os
import signal
import subprocess
import unittest

import fake
from container import STRAY, Contained, backend_with_a_stray, strays, why_not
from supervisor import processes, read_proc, result, wait_until

TRACER = os.environ.get("TRACER", "")
NOBODY = 65534
REFUSED = "a process of the backend may not be signalled"


def leave_in(supervisor, user=0):
    """A stray in the container, as `docker exec` may leave one."""
    enter = ["nsenter", "--target", str(supervisor.pid), "--pid", "--mount"]
    if os.getuid() != 0:
        enter += ["--user", "--preserve-credentials"]
    become = f"setpriv --reuid {user} --clear-groups" if user else ""
    script = f'env -i setsid {become} {" ".join(STRAY)} > /dev/null 2>&1 &'
    subprocess.run([*enter, "/bin/sh", "-c", script], check=True, timeout=10)
    return wait_until(strays, 10, "the stray")[-1]


class ContainerTest(unittest.TestCase):
    def setUp(self):
        reason = why_not()
        if reason:
            self.skipTest(f"no pid namespace: {reason}")

    def test_a_stray_without_any_mark_survived_each_recycle_as_process_1(self):
        with Contained(fake.config(backend=backend_with_a_stray())) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", generation=1)
            (first,) = wait_until(strays, 10, "the first stray")
            self.assertNotIn(b"TCPLOCK", read_proc(f"/proc/{first}/environ"))
            adopted = supervisor.log.wait("stray process adopted", generation=1)
            self.assertEqual(adopted["command"], " ".join(STRAY))
            supervisor.signal(signal.SIGUSR1)
            supervisor.log.wait("backend ready", generation=2)
            (second,) = wait_until(strays, 10, "the second stray")
            self.assertNotEqual(second, first, "it went with its generation")
            self.assertEqual(supervisor.terminate(), 0)
            result("strays_as_process_1", ended=2, left=len(strays()))
            self.assertEqual(strays(), [])

    def test_a_stray_that_holds_the_output_kept_a_reader_of_each_generation_for_ever(self):
        # With a child of our own at the start a stray is not known to be a backend's.
        entrypoint = ("/bin/sh", "-c", 'sleep 1000 & exec "$@"', "sh")
        with Contained(fake.config(backend=backend_with_a_stray()), entrypoint) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", generation=1)
            descriptors = supervisor.open_descriptors()
            for generation in range(2, 5):
                supervisor.signal(signal.SIGUSR1)
                supervisor.log.wait("backend ready", generation=generation)
                wait_until(lambda: len(strays()) == generation, 10, "its stray")
                wait_until(
                    lambda: supervisor.open_descriptors() <= descriptors, 10, "no descriptor more"
                )
            self.assertEqual(supervisor.terminate(), 0)
            result("output_held", strays=generation, descriptors=descriptors, left=len(strays()))
            self.assertEqual(strays(), [])

    def test_a_stray_older_than_the_generation_outlived_it(self):
        failing = {"command": ["/bin/sh", "-c", "exit 1"]}
        between = {"restart_backoff": {"first": "10s"}}
        with Contained(fake.config(backend={**failing, **between})) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend stopped", generation=1)
            leave_in(supervisor)
            supervisor.log.wait("backend stopped", timeout=30, generation=2)
            self.assertEqual(strays(), [])
            supervisor.log.wait("stray process adopted", generation=2)
            self.assertEqual(supervisor.terminate(), 0)
            result("left_by_exec", ended=1)

    def test_roots_stray_put_the_place_of_a_supervisor_that_may_not_kill_it_in_quarantine(self):
        if os.getuid() != 0:
            self.skipTest("needs root, for two users")
        as_nobody = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
        with Contained(fake.config(backend={"stop_timeout": "1s"}), as_nobody) as supervisor:
            for folder in (supervisor.directory, supervisor.state_directory):
                os.chown(folder, NOBODY, NOBODY)
            supervisor.start()
            supervisor.log.wait("backend ready", generation=1)
            stray = leave_in(supervisor)
            supervisor.signal(signal.SIGUSR1)
            supervisor.log.wait("backend stopped", generation=1)
            supervisor.log.wait("backend ready", generation=2)
            self.assertEqual(strays(), [stray], "it is none of the backend's")
            self.assertEqual(supervisor.log.count("place quarantined"), 0)
            self.assertEqual(supervisor.log.count(REFUSED), 0)
            self.assertEqual(supervisor.terminate(), 0)
            result("roots_stray", left_alone=1)

    def test_a_process_that_may_not_be_signalled_was_named_at_every_look(self):
        if os.getuid() != 0:
            self.skipTest("needs root, for two users")
        become = f"setpriv --reuid {NOBODY} --clear-groups"
        script = f'{become} {" ".join(STRAY)} & exec "$$@"'
        command = ["/bin/sh", "-c", script, "sh", *fake.command()]
        backend = {"command": command, "stop_grace": "500ms", "stop_timeout": "1s"}
        without_the_right = ("setpriv", "--bounding-set=-kill", "--inh-caps=-kill")
        with Contained(fake.config(backend=backend), without_the_right) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", generation=1)
            (refusing,) = wait_until(strays, 10, "somebody else's process")
            supervisor.signal(signal.SIGUSR1)
            supervisor.log.wait("place quarantined", generation=1)
            self.assertEqual(supervisor.log.count(REFUSED, generation=1), 1)
            os.kill(refusing, signal.SIGKILL)
            supervisor.log.wait("backend stopped", generation=1)
            supervisor.log.wait("backend ready", generation=2)
            (refusing,) = wait_until(strays, 10, "the next one's")
            os.kill(refusing, signal.SIGKILL)
            self.assertEqual(supervisor.terminate(), 0)
            result("refused", told=supervisor.log.count(REFUSED))

    def test_a_leader_that_could_not_be_seen_was_taken_for_gone_while_it_lived(self):
        if os.getuid() != 0:
            self.skipTest("needs root, for two users")
        # Without this right root is shown nobody else's processes; group 0 would be shown all.
        hide = "mount -t proc -o hidepid=2,gid=54321 proc /proc"
        hidden = f'{hide} && exec setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace "$@"'
        backend = {"user": "nobody", "stop_grace": "500ms", "stop_timeout": "1s"}
        config = fake.config("--ignore-term", backend=backend)
        with Contained(config, ("/bin/sh", "-c", hidden, "sh")) as supervisor:
            os.chmod(supervisor.directory, 0o777)
            supervisor.start()
            supervisor.log.wait("backend ready", generation=1)
            leader = next(p for p, _, parent, _ in processes() if parent == supervisor.pid)
            supervisor.signal(signal.SIGUSR1)
            supervisor.log.wait("place quarantined", generation=1)
            self.assertEqual(supervisor.log.count("backend stopped", generation=1), 0)
            os.kill(leader, signal.SIGKILL)
            supervisor.log.wait("backend stopped", generation=1)
            supervisor.terminate()
            result("unseen_leader", place_kept=1)

    def test_a_quarantined_generation_killed_what_the_next_one_had_forked(self):
        # Once told to, a process of the backend's leaves another without parent and session, but
        # with its generation's cookie: long after the supervisor has looked at the tree.
        fork = f'until [ -e @DIRECTORY@/go ]; do sleep 0.05; done; setsid {" ".join(STRAY)} &'
        command = ["/bin/sh", "-c", f'({fork}) & exec "$$@"', "sh", *fake.command()]
        backend = {"command": command, "stop_grace": "500ms", "stop_timeout": "1s"}
        with Contained(fake.config(backend=backend)) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready", generation=1)
            leader = next(p for p, _, parent, _ in processes() if parent == supervisor.pid)
            tracer = subprocess.Popen(
                [TRACER, str(leader)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            try:
                if tracer.stdout.readline().strip() != "attached":
                    self.skipTest("tracing is not permitted here")
                supervisor.signal(signal.SIGUSR1)
                supervisor.log.wait("place quarantined", generation=1)
                supervisor.log.wait("backend ready", generation=2)
                open(os.path.join(supervisor.directory, "go"), "w").close()
                (forked,) = wait_until(strays, 10, "what generation 2 forked")
            finally:
                tracer.stdin.close()
                tracer.wait(10)
                tracer.stdout.close()
            supervisor.log.wait("backend stopped", generation=1)
            self.assertEqual(strays(), [forked], "it is generation 2's")
            self.assertEqual(supervisor.terminate(), 0)
            result("quarantine", spared=1, left=len(strays()))
            self.assertEqual(strays(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
