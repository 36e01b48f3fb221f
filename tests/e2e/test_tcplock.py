"""The ancestor's command before a service that somebody else runs, and what became of its bugs."""

import os
import signal
import tempfile
import time
import unittest

import crowd
from crowd import Client
from supervisor import (
    MAY_MOUNT,
    Supervisor,
    result,
    wait_clients,
    with_mount,
)
from tcplock import Service, Tcplock, ports, run_command


def with_hosts(file):
    return with_mount(file, over="/etc/hosts")


class OptionsTest(unittest.TestCase):
    def test_one_at_a_time_in_the_order_they_came(self):
        gate, port = ports()
        with Service(port) as service, Tcplock("-l", gate, "-p", port) as tcplock:
            service.start()
            clients = crowd.Crowd(gate)
            for number in range(1, 201):
                clients.connect(number)
            clients.serve_all(time.monotonic() + 60)
            self.assertEqual(tcplock.terminate(), 0)
            journal = service.journal()
            right = sum(clients.answers[n] == f"{n} s" for n in range(1, 201))
            result(
                "tcplock_one",
                clients=200,
                served=right,
                most_inside=journal.most_inside(),
                inversions=journal.inversions(),
            )
            self.assertEqual(right, 200)
            self.assertEqual(journal.most_inside(), 1)
            self.assertEqual(journal.inversions(), 0)
            self.assertEqual(journal.count["violation"], 0)

    def test_hup_is_refused_for_there_is_no_file(self):
        gate, port = ports()
        with Service(port) as service, Tcplock("-l", gate, "-p", port) as tcplock:
            service.start()
            client = Client(gate, "1")
            self.assertEqual(client.answer(), "1 s")
            client.close()
            tcplock.process.send_signal(signal.SIGHUP)
            refused = tcplock.log.wait("reload refused, nothing was changed")
            self.assertEqual(refused["why"], "it was started with arguments, and no file")
            after = Client(gate, "2")
            self.assertEqual(after.answer(), "2 s")
            after.close()
            self.assertEqual(tcplock.terminate(), 0)

    def test_three_at_a_time(self):
        gate, port = ports()
        service = Service(port, "--at-most", "3")
        with service, Tcplock("-l", gate, "-p", port, "-n", 3) as tcplock:
            service.start()
            inside = [Client(gate, number) for number in (1, 2, 3)]
            for client in inside:
                client.answer()
            waiting = Client(gate, "4")
            wait_clients(gate, 4)
            self.assertEqual(service.journal().entered, [1, 2, 3])
            inside[1].close()
            self.assertEqual(waiting.answer(), "4 s")
            waiting.close()
            for client in (inside[0], inside[2]):
                client.close()
            clients = crowd.Crowd(gate)
            for number in range(5, 305):
                clients.connect(number)
            clients.serve_all(time.monotonic() + 60)
            self.assertEqual(tcplock.terminate(), 0)
            journal = service.journal()
            result("tcplock_three", clients=304, most_inside=journal.most_inside())
            self.assertEqual(sorted(journal.entered), list(range(1, 305)))
            self.assertEqual(journal.most_inside(), 3)
            self.assertEqual(journal.count["violation"], 0)

    def test_who_is_inside_for_too_long_is_cut(self):
        gate, port = ports()
        service = Service(port, "--forget-reset")
        with service, Tcplock("-l", gate, "-p", port, "-t", 2000) as tcplock:
            service.start()
            begin = time.monotonic()
            slow = Client(gate, "1")
            self.assertEqual(slow.answer(), "1 s")
            waiting = Client(gate, "2")
            self.assertEqual(slow.rest(), "reset")
            cut_after = time.monotonic() - begin
            self.assertEqual(waiting.answer(), "2 s")
            line = tcplock.log.wait("session closed", client=1)
            told = tcplock.log.wait("backend must answer again before the next client")
            result("tcplock_timeout", limit="2s", cut_after=f"{cut_after:.2f}s", end=line["end"])
            self.assertEqual(line["end"], "TD")
            self.assertEqual(told["reason"], "session_timeout")
            self.assertGreaterEqual(cut_after, 2)
            self.assertLess(cut_after, 12)  # It would stay as long as it likes.

    def test_without_a_timeout_it_stays_as_long_as_it_likes(self):
        gate, port = ports()
        with Service(port) as service, Tcplock("-l", gate, "-p", port) as tcplock:
            service.start()
            client = Client(gate, "1 linger 2000")
            self.assertEqual(client.answer(), "1 s")
            time.sleep(2)  # a span that is measured
            self.assertEqual(tcplock.log.count("session closed"), 0)

    def test_hosts_may_be_names_and_addresses_of_both_families(self):
        for host, options in [
            ("localhost", ()),
            ("127.0.0.1", ()),
            ("::1", ("--ipv6",)),
            ("[::1]", ("--ipv6",)),
        ]:
            gate, port = ports()
            with self.subTest(host=host, options=options), Service(port, *options) as service:
                with Tcplock("-l", gate, "-p", port, "-h", host) as tcplock:
                    service.start()
                    client = Client(gate, "1")
                    self.assertEqual(client.answer(), "1 s")
                    client.close()
                    ready = tcplock.log.wait("backend ready")
                    result("tcplock_host", host=host, address=ready["address"])
                    family = "[::1]" if options else "127.0.0.1"
                    self.assertEqual(ready["address"], f"{family}:{port}")

    @unittest.skipUnless(MAY_MOUNT, "needs the right to mount a hosts file of its own")
    def test_of_all_that_a_name_stands_for_the_one_that_answers_is_taken(self):
        for options, address in (((), "127.0.0.1"), (("--ipv6",), "[::1]")):
            gate, port = ports()
            with tempfile.NamedTemporaryFile("w") as hosts, Service(port, *options) as service:
                hosts.write("127.0.0.1 both.test\n::1 both.test\n")
                hosts.flush()
                arguments = ["-l", gate, "-p", port, "-h", "both.test"]
                with Tcplock(*arguments, under=with_hosts(hosts.name)) as tcplock:
                    service.start()
                    client = Client(gate, "1")
                    self.assertEqual(client.answer(), "1 s")
                    client.close()
                    ready = tcplock.log.wait("backend ready")
                    result("tcplock_two_addresses", address=ready["address"])
                    self.assertEqual(ready["address"], f"{address}:{port}")

    def test_it_may_listen_on_ipv6(self):
        gate, port = ports()
        with Service(port) as service, Tcplock("-l", f"[::1]:{gate}", "-p", port):
            service.start()
            self.assertEqual(Client(gate, "1", host="::1").answer(), "1 s")

    def test_a_service_that_is_not_there_is_waited_for(self):
        gate, port = ports()
        with Service(port) as service, Tcplock("-l", gate, "-p", port) as tcplock:
            waiting = Client(gate, "1")
            wait_clients(gate, 1)
            service.start()
            self.assertEqual(waiting.answer(), "1 s")
            waiting.close()
            # It is restarted behind our back, with nobody inside.
            tcplock.log.wait("session closed")
            service.stop()
            service.start()
            client = Client(gate, "2")
            self.assertEqual(client.answer(), "2 s")

    def test_a_name_that_stands_for_nothing_is_said(self):
        gate, port = ports()
        with Tcplock("-l", gate, "-p", port, "-h", "no-such-host.invalid") as tcplock:
            line = tcplock.log.wait("the backend's name cannot be looked up", timeout=20)
            result("tcplock_no_host", host=line["name"], why=repr(line["why"]))
            self.assertEqual(line["name"], f"no-such-host.invalid:{port}")
            # It is no reason to refuse anybody yet: the network may not be up.
            client = Client(gate, "1")
            wait_clients(gate, 1)
            time.sleep(4)  # a span that is measured: five times the pauses after failed starts
            self.assertEqual(tcplock.log.count("client refused"), 0)
            whys = [line["why"] for line in tcplock.log.all("the backend's name cannot be looked up")]
            self.assertTrue(all(a != b for a, b in zip(whys, whys[1:])), f"each change: {whys}")
            self.assertLessEqual(len(whys), 3)
            client.close()
            self.assertEqual(tcplock.terminate(), 0)

    @unittest.skipUnless(MAY_MOUNT, "needs the right to mount a hosts file of its own")
    def test_a_name_that_no_longer_stands_for_anything_is_what_it_was(self):
        gate, port = ports()
        with tempfile.NamedTemporaryFile("w") as hosts, Service(port) as service:
            hosts.write("127.0.0.1 known.test\n")
            hosts.flush()
            with Tcplock(
                "-l", gate, "-p", port, "-h", "known.test", under=with_hosts(hosts.name)
            ) as tcplock:
                service.start()
                tcplock.log.wait("backend ready")
                hosts.truncate(0)
                service.stop()
                client = Client(gate, "1")
                line = tcplock.log.wait("the backend's name cannot be looked up", timeout=20)
                self.assertEqual(line["trying"], "what it was before")
                service.start()
                self.assertEqual(client.answer(), "1 s")
                client.close()

    @unittest.skipUnless(MAY_MOUNT, "needs the right to mount a hosts file of its own")
    def test_a_name_that_stands_for_the_gate_itself_is_said(self):
        gate, _ = ports()
        with tempfile.NamedTemporaryFile("w") as hosts:
            hosts.write("127.0.0.1 myself.test\n")
            hosts.flush()
            with Tcplock(
                "-l", gate, "-p", gate, "-h", "myself.test", under=with_hosts(hosts.name)
            ) as tcplock:
                line = tcplock.log.wait("the backend's name cannot be looked up", timeout=20)
                self.assertEqual(line["why"], "it is the address of this gate itself")

    @unittest.skipUnless(MAY_MOUNT, "needs the right to mount a hosts file of its own")
    def test_a_command_that_probes_does_not_choose_the_address(self):
        # It only said that some address of the name answered, and the first was taken.
        gate, port = ports()
        with tempfile.NamedTemporaryFile("w") as hosts, Service(port) as service:
            hosts.write("::1 both.test\n127.0.0.1 both.test\n")
            hosts.flush()
            config = {
                "protocol": "tcp",
                "listen": [{"address": f"127.0.0.1:{gate}"}],
                "backend": {"address": f"both.test:{port}"},
                "probe": {"kind": "command", "command": ["true"]},
            }
            service.start()
            with Supervisor(config) as supervisor:
                supervisor.under = with_hosts(hosts.name)
                supervisor.start()
                client = Client(gate, "1")
                self.assertEqual(client.answer(), "1 s")
                client.close()
                self.assertEqual(
                    supervisor.log.wait("backend ready")["address"], f"127.0.0.1:{port}"
                )

    def test_a_name_service_that_hangs_holds_up_nothing_for_long(self):
        gate, port = ports()
        environment = {
            "LD_PRELOAD": os.environ["SLOW_NAMES"],
            "ASAN_OPTIONS": "verify_asan_link_order=0",
        }
        with Tcplock("-l", gate, "-p", port, **environment) as tcplock:
            line = tcplock.log.wait(
                "the backend's name cannot be looked up", timeout=30
            )
            begin = time.monotonic()
            self.assertEqual(tcplock.terminate(), 0)
            took = time.monotonic() - begin
            result("tcplock_hung_names", why=repr(line["why"]), end_took=f"{took:.1f}s")
            self.assertEqual(line["why"], "the name service does not answer")
            self.assertLess(took, 20)  # A look-up takes a minute here.

    def restart_with_three_waiting(self, service, gate):
        """Five times over: three inside, three waiting, the service killed and started again. What
        became of those who waited."""
        served = reset = 0
        for _ in range(5):
            service.start()
            inside = [Client(gate, number) for number in (1, 2, 3)]
            for client in inside:
                self.assertNotEqual(client.answer(), "")
            waiting = [Client(gate, number) for number in (4, 5, 6)]
            wait_clients(gate, 6)
            service.stop()
            for client in inside:
                client.rest()
                client.close()
            service.start()
            for client in waiting:
                try:
                    served += client.answer() != ""
                except ConnectionResetError:
                    reset += 1
                client.close()
            service.stop()
        return served, reset

    def test_clients_outlive_the_restart_of_a_service_for_several(self):
        # One that takes nobody any more when it is full: nobody can get in while it ends.
        gate, port = ports()
        service = Service(port, "--at-most", "3", "--listen-for", "3")
        with service, Tcplock("-l", gate, "-p", port, "-n", 3) as tcplock:
            served, reset = self.restart_with_three_waiting(service, gate)
            result("tcplock_restarts", waiting=15, served=served)
            self.assertEqual((served, reset), (15, 0))
            self.assertEqual(tcplock.terminate(), 0)

    def test_who_gets_in_to_a_service_that_ends_is_reset_with_it_and_told_so(self):
        # The kernel closes what a killed process had open in no order that we could ask for: with
        # the first connection a slot is free, and the listener may take one more, then end.
        gate, port = ports()
        service = Service(port, "--at-most", "3")
        with service, Tcplock("-l", gate, "-p", port, "-n", 3) as tcplock:
            served, reset = self.restart_with_three_waiting(service, gate)
            self.assertEqual(tcplock.terminate(), 0)
            entered = service.journal().entered
            told = tcplock.log.all("session closed", out=0)
            result("tcplock_crashes", waiting=15, served=served, reset_with_the_service=reset)
            self.assertEqual(served + reset, 15)
            self.assertEqual(len(entered), 15 + served)  # Those who were reset never got there.
            self.assertEqual(len(told), reset)
            self.assertEqual(tcplock.log.count("client refused"), 0)
            self.assertEqual(tcplock.log.count("internal error, ending at once"), 0)

    def test_those_inside_go_on_when_the_service_takes_no_more(self):
        # It closes its listener, as one does that is being restarted, and serves who is there.
        gate, port = ports()
        service = Service(port, "--at-most", "3", "--listen-for", "2")
        with service, Tcplock("-l", gate, "-p", port, "-n", 3) as tcplock:
            service.start()
            inside = [Client(gate, f"{number} echo") for number in (1, 2)]
            for client in inside:
                client.answer()
            waiting = Client(gate, "3")
            line = tcplock.log.wait("backend is in doubt", timeout=20)
            self.assertEqual((line["reason"], line["inside"]), ("unreachable", "2"))
            for client in inside:
                client.sock.sendall(b"still here")
                self.assertEqual(client.sock.recv(100), b"still here")
                client.close()
            service.stop()
            service.start()
            self.assertEqual(waiting.answer(), "3 s")

    def test_wrong_usage_is_said_and_ends_with_two(self):
        wrong = [
            ([], "-l is missing"),
            (["-l", "9000"], "-p is missing"),
            (["-l", "x", "-p", "1"], "-l:"),
            (["-l", "9000", "-p", "70000"], "-p:"),
            (["-l", "9000", "-p", "1", "-n", "0"], "-n:"),
            (["-l", "9000", "-p", "1", "-t", "soon"], "-t:"),
            (["-l", "9000", "-p", "1", "-h", "a b"], "-p:"),
            (["-l", "9000", "-p", "9000"], "-p: localhost:9000 is where tcplock itself listens"),
            (["-l", "9000", "-p", "1", "--he"], "unrecognised option '--he'"),
            (["-l", "9000", "-p", "1", "stray"], "too many positional options"),
        ]
        for arguments, words in wrong:
            with self.subTest(arguments=arguments):
                ended = run_command(*arguments)
                self.assertEqual(ended.returncode, 2)
                self.assertIn(words, ended.stderr.splitlines()[0])
                print("  " + ended.stderr.splitlines()[0])
        self.assertEqual(run_command("--help").returncode, 0)
        self.assertTrue(run_command("--version").stdout.startswith("tcplock "))


class BugsOfTheAncestorTest(unittest.TestCase):
    """Five, each of which it had for as long as it lived."""

    def test_after_a_timeout_the_next_client_waits_until_something_was_done(self):
        # There the next was let in first, and then the hook was called.
        gate, port = ports()
        with Service(port) as service:
            service.start()
            # It accepts, and does no more: what the hook does about that is up to its owner.
            hook = f"kill -KILL {service.process.pid}; echo killed; sleep 1; echo done"
            config = {
                "protocol": "tcp",
                "listen": [{"address": f"127.0.0.1:{gate}"}],
                "gate": {"session_timeout": "3s"},
                "log": {"level": "debug"},
                "backend": {"address": f"localhost:{port}"},
                "hooks": {"session_timeout": {"command": ["sh", "-c", hook]}},
            }
            with Supervisor(config) as supervisor:
                supervisor.start()
                slow = Client(gate, "1 linger for-ever")
                self.assertEqual(slow.answer(), "1 s")
                waiting = Client(gate, "2")
                wait_clients(gate, 2)
                service.process.send_signal(signal.SIGSTOP)
                self.assertEqual(slow.rest(), "reset")
                supervisor.log.wait("hook output", line="killed")
                service.process.wait()
                service.start()
                self.assertEqual(waiting.answer(), "2 s")

                supervisor.log.wait("client admitted", client=2)
                order = [(line.message, line.get("client")) for line in supervisor.log.lines]
                ended = order.index(("hook ended", None))
                self.assertLess(ended, order.index(("client admitted", "2")))
                self.assertIn(("backend ready", None), order[ended:])
                waiting.close()
                line = supervisor.log.wait("session closed", client=2)
                result("next_after_timeout", waited=line["waited"], end=line["end"])

    def test_a_client_that_left_the_line_is_not_let_in(self):
        # There it went in as a ghost when its turn came.
        gate, port = ports()
        with Service(port) as service, Tcplock("-l", gate, "-p", port) as tcplock:
            service.start()
            inside = Client(gate, "1")
            inside.answer()
            ghost = Client(gate, "2")
            waiting = Client(gate, "3")
            wait_clients(gate, 3)
            ghost.close()
            tcplock.log.wait("client left", client=2)
            inside.close()
            self.assertEqual(waiting.answer(), "3 s")
            waiting.close()
            self.assertEqual(tcplock.terminate(), 0)
            self.assertEqual(service.journal().entered, [1, 3])

    def test_two_clients_with_one_port_are_two(self):
        # There a client was known by its port alone, whatever machine it came from.
        gate, port = ports()
        service = Service(port, "--at-most", "2")
        with service, Tcplock("-l", gate, "-p", port, "-n", 2):
            service.start()
            mine = crowd.socket.socket()
            mine.bind(("127.0.0.2", 0))
            same_port = mine.getsockname()[1]
            other = crowd.socket.socket()
            other.bind(("127.0.0.3", same_port))
            for sock, line in ((mine, b"1\n"), (other, b"2\n")):
                sock.settimeout(20)
                sock.connect(("127.0.0.1", gate))
                sock.sendall(line)
            self.assertEqual(mine.recv(100), b"1 s\n")
            self.assertEqual(other.recv(100), b"2 s\n")
            mine.sendall(b"3\n")
            mine.close()
            other.close()

    def test_what_a_client_sends_at_once_is_kept_for_its_turn(self):
        # There what came before the way to the service was open threw, and ended the client.
        gate, port = ports()
        with Service(port) as service, Tcplock("-l", gate, "-p", port):
            early = Client(gate, "1 echo")
            early.sock.sendall(b"x" * 20_000)
            wait_clients(gate, 1)
            service.start()
            self.assertEqual(early.answer(), "1 s")
            received = early.received
            while len(received) < 20_000:
                received += early.sock.recv(65536)
            self.assertEqual(received, b"x" * 20_000)

    def test_the_time_of_one_client_does_not_cut_another(self):
        # There the timer of a client that had left went on, and nothing was ended but by its name.
        gate, port = ports()
        with Service(port) as service, Tcplock("-l", gate, "-p", port, "-t", 1000) as tcplock:
            service.start()
            for number in range(1, 6):
                client = Client(gate, number)
                client.answer()
                client.close()
            time.sleep(0.6)  # a span that is measured: most of the time that the first ones had
            last = Client(gate, "6")
            self.assertEqual(last.answer(), "6 s")
            last.rest()
            line = tcplock.log.wait("session closed", client=6)
            result("tcplock_timers", limit="1s", last_was_inside=line["lasted"])
            self.assertEqual(line["end"], "TD")
            self.assertGreaterEqual(line.seconds("lasted"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
