"""The configuration is read again while clients wait: what changes, what does not, and for whom."""

import copy
import os
import re
import signal
import socket
import threading
import unittest

import fake
from crowd import Client, Crowd
from supervisor import (
    Supervisor,
    is_listening,
    reserve_ports,
    result,
    run_command,
    wait_clients,
    wait_until,
)


def listeners(*ports, **options):
    return [{"address": f"127.0.0.1:{port}", **options} for port in ports]


def changed(config, **sections):
    """The same, but for what is named."""
    fresh = copy.deepcopy(config)
    for section, keys in sections.items():
        if isinstance(keys, dict):
            fresh[section] = {**fresh.get(section, {}), **keys}
        else:
            fresh[section] = keys
    return fresh


def reload(supervisor):
    return run_command("reload", "-s", supervisor.admin_socket)


def probes(supervisor):
    """How many the running generation has answered, by what operators may read."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(supervisor.admin_socket)
    connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    connection.close()
    counted = re.findall(
        r'^tcplock_probes_total\{[^}]*purpose="liveness"[^}]*result="answered"\} (\d+)$', text, re.M
    )
    return sum(map(int, counted))


class Knocking:
    """Connects and leaves again and again, from its own thread; counts who was not let in."""

    def __init__(self, port):
        self.port = port
        self.tried = self.failed = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._knock)

    def _knock(self):
        while not self._ends.is_set():
            self.tried += 1
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except OSError:
                self.failed += 1
            self._ends.wait(0.002)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()


class ReloadTest(unittest.TestCase):
    def test_a_hundred_who_wait_are_all_served_in_their_order(self):
        crowd = 100
        kept = reserve_ports()
        removed, added = kept + 1, kept + 2
        before = fake.config(
            listen=listeners(kept, removed),
            gate={"half_closed": "leave"},  # Who knocks and leaves is gone at once.
            log={"level": "debug"},
        )
        with Supervisor(before) as supervisor:
            supervisor.start()
            supervisor.log.wait("listening", nth=2)
            supervisor.log.wait("backend ready")
            inside = Client(kept, 1)
            self.assertEqual(inside.answer(), "1 g1")
            # In turn through both doors: one of them will be closed.
            doors = {port: Crowd(port) for port in (kept, removed)}
            for number in range(2, crowd + 2):
                doors[kept if number % 2 else removed].connect(number)
            wait_clients(kept, 1 + crowd // 2)
            wait_clients(removed, crowd // 2)

            # A bad one changes nothing.
            supervisor.write_config(changed(before, gate={"queue_limt": 5}))
            supervisor.signal(signal.SIGHUP)
            refused = supervisor.log.wait("reload refused, nothing was changed")
            self.assertIn("queue_limt", refused["why"])
            self.assertIn("queue_limit", refused["why"])
            told = reload(supervisor)
            self.assertEqual(told.returncode, 1)
            self.assertIn("config.yaml:", told.stderr)
            self.assertTrue(is_listening(removed))

            # A good one does, while others knock at the door that stays.
            after = changed(
                before,
                listen=listeners(kept, added),
                gate={"queue_timeout": "5min"},
                backend={"command": [part.replace("g{", "new-g{")
                                     for part in before["backend"]["command"]]},
            )  # fmt: skip
            with Knocking(kept) as knocking:
                wait_until(lambda: knocking.tried > 50, 20, "some have knocked")
                supervisor.write_config(after)
                told = reload(supervisor)
                so_far = knocking.tried
                wait_until(lambda: knocking.tried > so_far + 50, 20, "more have knocked")
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertIn("gate.queue_timeout 10min -> 5min", told.stdout)
            self.assertIn("by a recycle in turn", told.stdout)
            self.assertFalse(is_listening(removed))
            self.assertEqual(knocking.failed, 0)
            late = Client(added, crowd + 2)
            inside.close()
            for door in doors.values():
                threading.Thread(target=door.serve_all, args=(float("inf"),), daemon=True).start()
            self.assertEqual(late.answer().split()[1], "new-g2")
            late.close()
            wait_until(
                lambda: sum(len(door.answers) for door in doors.values()) == crowd,
                60, "all have their answer",
            )  # fmt: skip
            answers = {number: answer for door in doors.values()
                       for number, answer in door.answers.items()}  # fmt: skip
            self.assertEqual(answers, {n: f"{n} new-g2" for n in range(2, crowd + 2)})
            recycling = supervisor.log.wait("backend recycling")
            self.assertEqual(recycling["reason"], "reload")
            self.assertEqual(supervisor.terminate(), 0)
            journal = fake.Journal(supervisor.journal_file)
            inversions = supervisor.log.admission_inversions()
            result(
                "reload",
                waiting=crowd,
                served=len(answers),
                inversions=inversions,
                knocked=knocking.tried,
                not_let_in=knocking.failed,
                reason=recycling["reason"],
            )
            self.assertEqual(inversions, 0)
            # In the order they were accepted, which is told above; through each door, as they came.
            for parity in (0, 1):
                through = [n for n in journal.entered if 1 < n <= crowd + 1 and n % 2 == parity]
                self.assertEqual(through, sorted(through))

    def test_an_address_that_is_taken_changes_nothing(self):
        with socket.create_server(("127.0.0.1", reserve_ports())) as taken:
            port = taken.getsockname()[1]
            before = fake.config()
            with Supervisor(before) as supervisor:
                supervisor.start()
                supervisor.log.wait("backend ready")
                other = supervisor.port + 1
                supervisor.write_config(
                    changed(before, listen=listeners(other, port), gate={"queue_limit": 1})
                )
                told = reload(supervisor)
                self.assertEqual(told.returncode, 1)
                self.assertIn(f"cannot listen on 127.0.0.1:{port}", told.stderr)
                self.assertIn("Nothing was changed.", told.stderr)
                self.assertFalse(is_listening(other))
                waiting = [Client(supervisor.port, number) for number in (1, 2, 3)]
                for number, client in enumerate(waiting, 1):
                    self.assertEqual(client.answer(), f"{number} g1")
                    client.close()
                self.assertEqual(supervisor.terminate(), 0)

    def test_what_needs_a_restart_is_named_and_nothing_else_is_taken(self):
        before = fake.config()
        with Supervisor(before) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            supervisor.write_config(
                changed(
                    before,
                    gate={"queue_limit": 7},
                    admin={"socket": supervisor.admin_socket, "socket_mode": "0600"},
                    backend={"instances": 2},
                )
            )
            told = reload(supervisor)
            self.assertEqual(told.returncode, 1)
            self.assertEqual(
                told.stderr.splitlines(),
                ["backend.instances 1 -> 2 needs a restart",
                 "admin.socket_mode 0660 -> 0600 needs a restart", "Nothing was changed."],
            )  # fmt: skip
            status = run_command("status", "-s", supervisor.admin_socket).stdout
            self.assertIn("0 of 1000 wait", status)
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_file_that_says_the_same_changes_nothing(self):
        before = fake.config()
        with Supervisor(before) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            told = reload(supervisor)
            self.assertEqual((told.returncode, told.stdout), (0, "nothing has changed\n"))
            told = reload(supervisor)
            self.assertEqual((told.returncode, told.stdout), (0, "nothing has changed\n"))
            os.remove(supervisor.config_file)
            told = reload(supervisor)
            self.assertEqual(told.returncode, 1)
            self.assertIn(supervisor.config_file, told.stderr)
            client = Client(supervisor.port, 1)
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_limits_are_obeyed_at_once_by_those_who_wait(self):
        before = fake.config()
        with Supervisor(before) as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, 1)
            self.assertEqual(inside.answer(), "1 g1")
            waiting = Client(supervisor.port, 2)
            wait_clients(supervisor.port, 2)
            supervisor.write_config(
                changed(before, gate={"queue_timeout": "500ms"}, log={"level": "debug"})
            )
            self.assertEqual(reload(supervisor).returncode, 0)
            refused = supervisor.log.wait("client refused")
            self.assertEqual(refused["end"], "sQ")
            self.assertEqual(waiting.answer(), "")
            waiting.close()
            # And the log tells more from now on.
            supervisor.write_config(changed(before, log={"level": "error"}))
            self.assertEqual(reload(supervisor).returncode, 0)
            inside.close()
            self.assertEqual(supervisor.terminate(), 0)
            self.assertEqual(supervisor.log.count("session closed"), 0)

    def test_who_may_connect_changes_without_closing_the_door(self):
        before = fake.config(listen=listeners("@PORT@", allow=["any"]))
        with Supervisor(before) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            supervisor.write_config(
                changed(before, listen=listeners("@PORT@", allow=["127.0.0.2"]))
            )
            self.assertEqual(reload(supervisor).returncode, 0)
            stranger = Client(supervisor.port, 1)
            self.assertEqual(stranger.answer(), "")
            self.assertEqual(supervisor.log.wait("client refused")["end"], "PA")
            welcome = Client(supervisor.port, 2, source="127.0.0.2")
            self.assertEqual(welcome.answer(), "2 g1")
            welcome.close()
            stranger.close()
            self.assertEqual(supervisor.log.count("listening"), 1)
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_backend_that_did_not_start_is_tried_at_once_when_it_is_mended(self):
        backoff = {"first": "1min", "max": "10min"}
        good = fake.config(backend={"restart_backoff": backoff})
        bad = changed(good, backend={"command": ["/nowhere/soffice"]})
        with Supervisor(bad) as supervisor:
            supervisor.start()
            waiting = Client(supervisor.port, 1)
            failed = supervisor.log.wait("backend start failed")
            self.assertEqual(failed["next_try_in"], "60.000s")
            supervisor.write_config(good)
            self.assertEqual(reload(supervisor).returncode, 0)
            answer = waiting.answer()
            result("mended_by_reload", answer=answer.replace(" ", ":"), pause_was=failed["next_try_in"])
            self.assertTrue(answer.startswith("1 g"))
            waiting.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_file_that_is_none_any_more_is_refused(self):
        before = fake.config()
        with Supervisor(before) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            with open(supervisor.config_file, "w"):
                pass  # as an editor leaves it for a moment
            told = reload(supervisor)
            self.assertEqual(told.returncode, 1)
            self.assertIn("is empty", told.stderr)
            os.remove(supervisor.config_file)
            os.mkfifo(supervisor.config_file)
            supervisor.signal(signal.SIGHUP)
            refused = supervisor.log.wait("reload refused, nothing was changed", by="signal HUP")
            self.assertIn("is no file that can be read again", refused["why"])
            client = Client(supervisor.port, 1)
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_an_address_that_holds_one_of_ours_is_named_so(self):
        before = fake.config()
        with Supervisor(before) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            everywhere = [{"address": f"0.0.0.0:{supervisor.port}", "allow": ["any"]}]
            supervisor.write_config(changed(before, listen=everywhere))
            told = reload(supervisor)
            self.assertEqual(told.returncode, 1)
            self.assertIn(
                f"we listen on 127.0.0.1:{supervisor.port} ourselves. That needs a restart",
                told.stderr,
            )
            self.assertTrue(is_listening(supervisor.port))
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_listener_comes_and_goes_and_comes_again(self):
        before = fake.config()
        with Supervisor(before) as supervisor:
            other = supervisor.port + 1
            supervisor.start()
            supervisor.log.wait("backend ready")
            both = changed(before, listen=listeners(supervisor.port, other))
            for config, expected in ((both, True), (before, False), (both, True)):
                supervisor.write_config(config)
                told = reload(supervisor)
                self.assertEqual(told.returncode, 0, told.stderr)
                self.assertEqual(is_listening(other), expected)
            client = Client(other, 1)
            self.assertEqual(client.answer().split()[0], "1")
            client.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_what_a_running_backend_is_asked_stays_until_it_is_replaced(self):
        quick = {"interval": "200ms", "failure_threshold": 2, "timeout": "5s"}
        old = fake.config("--greet", "old", "--at-most", "2", probe={"kind": "greeting", "expect": "old", **quick},
                          gate={"concurrency": 2})  # fmt: skip
        new = fake.config("--greet", "new", "--at-most", "2", probe={"kind": "greeting", "expect": "new", **quick},
                          gate={"concurrency": 2})  # fmt: skip
        with Supervisor(old) as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, "1 echo")
            self.assertEqual(inside.answer(), "old")
            self.assertEqual(inside.answer(), "1 g1")
            supervisor.write_config(new)
            self.assertEqual(reload(supervisor).returncode, 0)
            probed = probes(supervisor)
            wait_until(lambda: probes(supervisor) > probed + 5, 20, "it has been probed since")
            self.assertEqual(supervisor.log.count("backend recycling"), 0)
            inside.send("still here")
            self.assertEqual(inside.answer(), "still here")
            inside.close()
            self.assertEqual(supervisor.log.wait("backend recycling")["reason"], "reload")
            after = Client(supervisor.port, 2)
            self.assertEqual(after.answer(), "new")
            self.assertEqual(after.answer(), "2 g2")
            after.close()
            self.assertEqual(supervisor.log.wait("session closed", client=1)["end"], "--")
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_hook_that_was_mended_is_the_next_to_be_run(self):
        told = "@DIRECTORY@/told"

        def hook(word, pause):
            script = f"echo {word} >> {told}; sleep {pause}"
            return {"backend_ready": {"command": ["sh", "-c", script], "timeout": "20s"}}

        before = fake.config(hooks=hook("old", 3))
        with Supervisor(before) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            supervisor.write_config(changed(before, hooks=hook("new", 0)))
            self.assertEqual(reload(supervisor).returncode, 0)
            self.assertEqual(run_command("recycle", "-s", supervisor.admin_socket).returncode, 0)
            supervisor.log.wait("hook ended", nth=2, timeout=20)
            with open(os.path.join(supervisor.directory, "told")) as file:
                self.assertEqual(file.read().split(), ["old", "new"])
            self.assertEqual(supervisor.terminate(), 0)

    def test_while_it_drains_nothing_is_reloaded(self):
        before = fake.config()
        with Supervisor(before) as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, 1)
            self.assertEqual(inside.answer(), "1 g1")
            self.assertEqual(run_command("drain", "-s", supervisor.admin_socket).returncode, 0)
            supervisor.log.wait("drain requested")
            other = supervisor.port + 1
            supervisor.write_config(changed(before, listen=listeners(supervisor.port, other)))
            told = reload(supervisor)
            self.assertEqual(told.returncode, 1)
            self.assertIn("it is shutting down", told.stderr)
            self.assertFalse(is_listening(other))
            inside.close()
            self.assertEqual(supervisor.wait_exit(20), 0)

    def test_once_it_is_ending_nothing_is_reloaded(self):
        before = fake.config()
        with Supervisor(before) as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, 1)
            self.assertEqual(inside.answer(), "1 g1")
            supervisor.signal(signal.SIGTERM)
            supervisor.log.wait("shutting down")
            told = reload(supervisor)
            self.assertEqual(told.returncode, 1)
            self.assertIn("it is shutting down", told.stderr)
            inside.close()
            self.assertEqual(supervisor.wait_exit(20), 0)


if __name__ == "__main__":
    unittest.main()
