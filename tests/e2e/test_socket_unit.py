"""Listening on sockets that a socket unit of systemd opened and passes, with systemd played."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import types
import unittest

import fake
import tcplock
from crowd import Client
from socket_unit import SocketUnit, listening
from supervisor import (
    BINARY,
    MAY_MOUNT,
    Supervisor,
    accepted_clients,
    descendants,
    is_listening,
    read_proc,
    reserve_ports,
    result,
    run_command,
    wait_clients,
    wait_until,
    with_mount,
)
from test_reload import Knocking, changed, listeners, reload

PASSED = [{"address": "systemd"}]


def config(*options, **sections):
    return fake.config(*options, **{"listen": PASSED, **sections})


def run_until_it_refuses(supervisor):
    """What a supervisor says that does not start, a line each; it must say so as a wrong
    configuration."""
    ended = subprocess.run(
        [*supervisor.under, BINARY, "-c", supervisor.config_file],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=20,
        pass_fds=supervisor.pass_fds,
        check=False,
    )
    if ended.returncode != 78:
        raise AssertionError(f"exit {ended.returncode}: {ended.stderr}")
    return [line.removeprefix(supervisor.config_file) for line in ended.stderr.splitlines()]


def sockets_of(pid):
    """The inodes of the sockets that a process has open."""
    links = []
    for entry in os.listdir(f"/proc/{pid}/fd"):
        try:
            links.append(os.readlink(f"/proc/{pid}/fd/{entry}"))
        except FileNotFoundError:
            continue
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


class SocketUnitTest(unittest.TestCase):
    def test_who_connects_between_two_supervisors_is_served_by_the_second_in_order(self):
        with SocketUnit(listening()) as unit, Supervisor(config()) as first:
            port = unit.port()
            unit.pass_to(first)
            first.start()
            self.assertEqual(first.log.wait("listening")["address"], f"127.0.0.1:{port}")
            self.assertEqual(first.log.wait("listening")["socket"], "door0")
            inside, waiting = Client(port, 1), Client(port, 2)
            self.assertEqual(inside.answer(), "1 g1")
            wait_clients(port, 2)
            first.signal(signal.SIGTERM)
            first.log.wait("shutting down", waiting=1)
            # It drains: who has been accepted is served, and who comes now waits for the next.
            late = [Client(port, number) for number in (3, 4)]
            self.assertEqual(accepted_clients(port), 2)
            inside.close()
            self.assertEqual(waiting.answer(), "2 g1")
            waiting.close()
            self.assertEqual(first.wait_exit(20), 0)
            for refused in ("client refused", "client left"):
                self.assertEqual(first.log.count(refused), 0)
            self.assertEqual(first.log.count("session closed"), 2)
            late += [Client(port, number) for number in (5, 6, 7)]

            with Supervisor(
                config(), directory=first.directory, port_block=first.first_port
            ) as second:
                unit.pass_to(second)
                second.start()
                served = []
                for client in late:
                    served.append(client.answer())
                    client.close()
                self.assertEqual(served, [f"{number} g1" for number in range(3, 8)])
                second.log.wait("session closed", nth=5)
                self.assertEqual(second.terminate(), 0)
                peers = [line["peer"] for line in second.log.all("session closed")]
            self.assertEqual(peers, [client.name for client in late])
            journal = fake.Journal(first.journal_file)
            self.assertEqual(journal.entered, list(range(1, 8)))
            result("between_two", by_the_first=2, waited_for_the_second=len(served), lost=0)

    def test_who_connects_after_a_kill_waits_for_the_next(self):
        with SocketUnit(listening()) as unit, Supervisor(config()) as first:
            unit.pass_to(first)
            first.start()
            first.log.wait("backend ready")
            first.process.kill()
            first.wait_exit(10)
            client = Client(unit.port(), 1)
            with Supervisor(
                config(), directory=first.directory, port_block=first.first_port
            ) as second:
                unit.pass_to(second)
                second.start()
                self.assertEqual(client.answer(), "1 g1")
                client.close()
                self.assertEqual(second.terminate(), 0)

    def test_a_second_term_loses_nobody_who_was_not_accepted(self):
        with SocketUnit(listening()) as unit, Supervisor(config(shutdown_timeout="60s")) as first:
            port = unit.port()
            unit.pass_to(first)
            first.start()
            inside, waiting = Client(port, 1), Client(port, 2)
            self.assertEqual(inside.answer(), "1 g1")
            wait_clients(port, 2)
            first.signal(signal.SIGTERM)
            first.log.wait("shutting down", waiting=1)
            late = [Client(port, number) for number in (3, 4, 5)]
            time.sleep(0.3)  # two within 0.2 s are one request
            first.signal(signal.SIGTERM)
            self.assertEqual(first.wait_exit(20), 0)
            self.assertEqual(first.log.wait("session closed")["end"], "GD")
            self.assertEqual(first.log.wait("client refused")["end"], "GQ")
            self.assertEqual(first.log.count("client refused"), 1)
            self.assertIn(waiting.rest(), (b"", "reset"))
            with Supervisor(
                config(), directory=first.directory, port_block=first.first_port
            ) as second:
                unit.pass_to(second)
                second.start()
                for number, client in enumerate(late, 3):
                    self.assertEqual(client.answer(), f"{number} g1")
                    client.close()
                self.assertEqual(second.terminate(), 0)
            result("second_term_with_a_passed_socket", cut=1, refused=1, served_by_the_next=len(late))

    def test_of_those_who_came_before_the_first_start_as_many_wait_as_may(self):
        with SocketUnit(listening()) as unit:
            early = [Client(unit.port(), number) for number in range(1, 8)]
            # Nobody is inside before all have come, or one more would have room.
            slow = config("--start-delay", "2000", gate={"queue_limit": 3})
            with Supervisor(slow) as supervisor:
                unit.pass_to(supervisor)
                supervisor.start()
                supervisor.log.wait("client refused", nth=4)
                for client in early[3:]:
                    self.assertIn(client.rest(), (b"", "reset"))
                for number, client in enumerate(early[:3], 1):
                    self.assertEqual(client.answer(), f"{number} g1")
                    client.close()
                supervisor.log.wait("session closed", nth=3)
                self.assertEqual(supervisor.terminate(), 0)
                refused = supervisor.log.all("client refused")
                self.assertEqual([line["end"] for line in refused], ["PQ"] * 4)
                self.assertEqual(
                    [line["peer"] for line in refused], [client.name for client in early[3:]]
                )
                result("backlog_beyond_the_limit", came=7, served=3, refused=len(refused))

    def test_who_came_before_the_first_start_is_carried_as_anybody_is(self):
        # Without SO_OOBINLINE, which the socket had not when he connected, the `b` would be lost.
        with SocketUnit(listening()) as unit:
            client = Client(unit.port(), "1 echo")
            client.sock.sendall(b"a")
            client.sock.send(b"b", socket.MSG_OOB)
            client.sock.sendall(b"c")
            with Supervisor(config()) as supervisor:
                unit.pass_to(supervisor)
                supervisor.start()
                self.assertEqual(client.answer(), "1 g1")
                echoed = client.received
                while len(echoed) < 3:
                    more = client.sock.recv(100)
                    self.assertTrue(more, f"it ended after {echoed}")
                    echoed += more
                self.assertEqual(echoed, b"abc")
                client.close()
                self.assertEqual(supervisor.terminate(), 0)

    def test_nothing_stands_still_when_somebody_makes_the_socket_block(self):
        # As systemd does when it starts another service that shares the socket.
        with SocketUnit(listening()) as unit, Supervisor(config()) as supervisor:
            unit.pass_to(supervisor)
            supervisor.start()
            supervisor.log.wait("backend ready")
            for number in (1, 2, 3):
                unit.sockets[0].setblocking(True)
                client = Client(unit.port(), number)
                self.assertEqual(client.answer(), f"{number} g1")
                client.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_ipv4_comes_in_by_a_socket_of_ipv6_as_the_ipv4_it_is(self):
        allowing = config(listen=[{**PASSED[0], "allow": ["127.0.0.0/8"]}])
        with SocketUnit(listening("::")) as unit, Supervisor(allowing) as supervisor:
            port = unit.port()
            unit.pass_to(supervisor)
            supervisor.start()
            self.assertEqual(supervisor.log.wait("listening")["address"], f"[::]:{port}")
            client = Client(port, 1)
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.log.wait("session closed")["peer"], client.name)
            stranger = Client(port, 2, host="::1")
            refused = supervisor.log.wait("client refused")
            self.assertEqual(refused["end"], "PA")
            self.assertEqual(refused["peer"], f"[::1]:{stranger.sock.getsockname()[1]}")
            self.assertEqual(supervisor.terminate(), 0)

    @unittest.skipUnless(MAY_MOUNT, "needs the right to mount a hosts file of its own")
    def test_a_name_of_ipv4_that_leads_back_to_a_socket_of_ipv6_is_said(self):
        with SocketUnit(listening("::")) as unit, tempfile.NamedTemporaryFile("w") as hosts:
            hosts.write("127.0.0.1 myself.test\n")
            hosts.flush()
            alone = {"protocol": "tcp", "listen": PASSED,
                     "backend": {"address": f"myself.test:{unit.port()}"}}  # fmt: skip
            with Supervisor(alone) as supervisor:
                unit.pass_to(supervisor)
                supervisor.under = [*with_mount(hosts.name, over="/etc/hosts"), *supervisor.under]
                supervisor.start()
                line = supervisor.log.wait("the backend's name cannot be looked up")
                self.assertEqual(line["why"], "it is the address of this gate itself")
                self.assertEqual(supervisor.terminate(), 0)

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "needs systemd's own program")
    def test_systemd_itself_passes_a_socket(self):
        port = reserve_ports()
        with Supervisor(config()) as supervisor:
            variables = [f"--setenv={name}" for name in os.environ]
            supervisor.under = [
                "systemd-socket-activate", f"--listen=127.0.0.1:{port}", "--fdname=real", *variables
            ]  # fmt: skip
            # It becomes the supervisor when somebody comes.
            supervisor.start(listening=False)
            wait_until(lambda: " as 3." in supervisor.log.tail(9), 20, "systemd's program listens")
            clients = [Client(port, number) for number in (1, 2, 3)]
            line = supervisor.log.wait("listening")
            self.assertEqual((line["address"], line["socket"]), (f"127.0.0.1:{port}", "real"))
            for number, client in enumerate(clients, 1):
                self.assertEqual(client.answer(), f"{number} g1")
                client.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_several_sockets_and_a_listener_of_its_own_feed_one_line(self):
        own = reserve_ports()
        with SocketUnit(listening(), listening("::1"), names=["four", "six"]) as unit:
            several = config(listen=[*PASSED, *listeners(own)], log={"level": "debug"})
            with Supervisor(several) as supervisor:
                unit.pass_to(supervisor)
                supervisor.start()
                supervisor.log.wait("listening", nth=3)
                told = [(line["address"], line.get("socket"))
                        for line in supervisor.log.all("listening")]  # fmt: skip
                self.assertEqual(
                    told,
                    [(f"127.0.0.1:{unit.port()}", "four"), (f"[::1]:{unit.port(1)}", "six"),
                     (f"127.0.0.1:{own}", None)],
                )  # fmt: skip
                supervisor.log.wait("backend ready")
                inside = Client(unit.port(), 0)
                self.assertEqual(inside.answer(), "0 g1")
                doors = [(unit.port(), "127.0.0.1"), (unit.port(1), "::1"), (own, "127.0.0.1")]
                clients = []
                for number in range(1, 13):
                    port, host = doors[number % 3]
                    clients.append(Client(port, number, host=host))
                    # One after the other, so that the order in which they are accepted is known.
                    wait_until(
                        lambda: sum(accepted_clients(port) for port, _ in doors) > number,
                        20, f"{number} wait",
                    )  # fmt: skip
                inside.close()
                for number, client in enumerate(clients, 1):
                    self.assertEqual(client.answer(), f"{number} g1")
                    client.close()
                self.assertEqual(supervisor.terminate(), 0)
                self.assertEqual(supervisor.log.admission_inversions(), 0)
                journal = fake.Journal(supervisor.journal_file)
                self.assertEqual(journal.entered, list(range(13)))
                self.assertEqual(journal.most_inside(), 1)
                result("one_line", doors=len(doors), served=len(clients) + 1)

    def test_a_reload_leaves_it_open_and_changes_who_may_connect(self):
        before = config(gate={"half_closed": "leave"})  # Who knocks and leaves is gone at once.
        with SocketUnit(listening()) as unit, Supervisor(before) as supervisor:
            port, other = unit.port(), reserve_ports()
            unit.pass_to(supervisor)
            supervisor.start()
            supervisor.log.wait("backend ready")
            with Knocking(port) as knocking:
                wait_until(lambda: knocking.tried > 50, 20, "some have knocked")
                supervisor.write_config(
                    changed(before, listen=[{**PASSED[0], "allow": ["127.0.0.2"]},
                                            *listeners(other)])
                )  # fmt: skip
                told = reload(supervisor)
                so_far = knocking.tried
                wait_until(lambda: knocking.tried > so_far + 50, 20, "more have knocked")
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertEqual(knocking.failed, 0)
            self.assertTrue(is_listening(other))
            welcome = Client(port, 1, source="127.0.0.2")
            self.assertEqual(welcome.answer(), "1 g1")
            welcome.close()
            supervisor.log.wait("client refused", end="PA")
            self.assertEqual(supervisor.log.count("listening"), 2)
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_reload_that_does_not_fit_what_was_passed_is_refused(self):
        before = config()
        with SocketUnit(listening()) as unit, Supervisor(before) as supervisor:
            port = unit.port()
            unit.pass_to(supervisor)
            supervisor.start()
            supervisor.log.wait("backend ready")
            for listen, words in (
                (listeners("@PORT@"), "nobody would accept clients there"),
                ([*PASSED, *listeners(port)], "is passed by a socket unit already"),
                ([*PASSED, {"address": f"0.0.0.0:{port}"}],
                 f"0.0.0.0:{port} and 127.0.0.1:{port} (door0), which a socket unit has passed, "
                 "are in part the same"),
            ):  # fmt: skip
                supervisor.write_config(changed(before, listen=listen))
                told = reload(supervisor)
                self.assertEqual(told.returncode, 1)
                self.assertIn(words, told.stderr)
                self.assertIn("Nothing was changed.", told.stderr)
            client = Client(port, 1)
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_without_a_socket_a_reload_to_systemd_is_refused(self):
        before = fake.config()
        with Supervisor(before) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            supervisor.write_config(changed(before, listen=PASSED))
            told = reload(supervisor)
            self.assertEqual(told.returncode, 1)
            self.assertIn("no socket was passed", told.stderr)
            self.assertTrue(is_listening(supervisor.port))
            self.assertEqual(supervisor.terminate(), 0)

    def test_nothing_of_it_is_open_in_what_is_started(self):
        with SocketUnit(listening(), listening("::1")) as unit:
            passed = {str(os.fstat(one.fileno()).st_ino) for one in unit.sockets}
            with Supervisor(config()) as supervisor:
                unit.pass_to(supervisor)
                supervisor.start()
                supervisor.log.wait("backend ready")
                backend = supervisor.log.wait("backend starting").number("pid")
                client = Client(unit.port(), 1)
                self.assertEqual(client.answer(), "1 g1")
                self.assertEqual(passed - sockets_of(supervisor.pid), set())
                started = [backend, supervisor.wait_warden()]
                started += [pid for pid, _, _ in descendants(supervisor.pid)]
                for pid in set(started):
                    self.assertEqual(sockets_of(pid) & passed, set(), read_proc(f"/proc/{pid}/cmdline"))
                result("descriptors", passed=len(passed), processes=len(set(started)), leaked=0)
                client.close()
                self.assertEqual(supervisor.terminate(), 0)


class WrongTest(unittest.TestCase):
    def refused(self, unit, sections, **told):
        """The one line that is said when a unit passes this to that configuration."""
        with Supervisor(sections) as supervisor:
            if unit:
                unit.pass_to(supervisor, **told)
            lines = run_until_it_refuses(supervisor)
            self.assertEqual(len(lines), 1, lines)
            return lines[0]

    def test_nothing_was_passed(self):
        line = self.refused(None, config())
        self.assertRegex(line, r"^:\d+: listen\[0\]\.address: no socket was passed, expected a start "
                               r"by a socket unit \(systemctl start tcplock-supervisor\.socket\)")  # fmt: skip

    def test_it_was_passed_to_somebody_else(self):
        with SocketUnit(listening()) as unit:
            self.assertIn("no socket was passed", self.refused(unit, config(), pid=os.getpid()))

    def test_nobody_expects_it(self):
        with SocketUnit(listening(), names=["tcplock-supervisor.socket"]) as unit:
            line = self.refused(unit, fake.config())
            self.assertIn(
                f" listen: 127.0.0.1:{unit.port()} (tcplock-supervisor.socket) was passed by a "
                "socket unit, and nobody would accept clients there, expected "
                '"- address: systemd" in this list, or no socket unit',
                line,
            )

    def test_it_is_a_datagram_socket(self):
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        with SocketUnit(datagrams) as unit:
            line = self.refused(unit, config())
            self.assertIn(
                f"listen[0].address: 127.0.0.1:{unit.port()} (door0) is no socket of TCP, expected "
                "ListenStream= with an address and a port",
                line,
            )

    def test_it_is_in_the_file_system(self):
        directory = tempfile.mkdtemp(prefix="tcplock-test-")
        self.addCleanup(shutil.rmtree, directory)
        path = os.path.join(directory, "door.sock")
        one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        one.bind(path)
        one.listen()
        with SocketUnit(one) as unit:
            line = self.refused(unit, config())
            self.assertIn(f"listen[0].address: unix:{path} (door0) is no socket of TCP", line)

    def test_it_is_one_connection(self):
        door = listening()
        client = socket.create_connection(door.getsockname())
        with SocketUnit(door.accept()[0]) as unit:
            line = self.refused(unit, config())
            self.assertIn("(door0) does not listen, it is one client's connection perhaps, "
                          "expected Accept=no", line)  # fmt: skip
        client.close()
        door.close()

    def test_there_are_fewer_than_told(self):
        with SocketUnit(listening()) as unit:
            line = self.refused(unit, config(), count=2)
            self.assertIn("descriptor 4 is not open, expected as many sockets as LISTEN_FDS says", line)

    def test_an_office_within_reach_of_others_needs_an_answer(self):
        office = {"protocol": "uno", "listen": PASSED}
        with SocketUnit(listening("0.0.0.0")) as unit:
            line = self.refused(unit, office)
            self.assertIn(
                "listen[0].allow: missing, expected the networks that may connect, or [any]: "
                f"0.0.0.0:{unit.port()} (door0) can be reached from other machines, and whoever "
                "reaches a UNO socket can run programs",
                line,
            )

    def test_it_is_in_part_where_the_file_listens(self):
        for passed, written in (("127.0.0.1", "0.0.0.0"), ("0.0.0.0", "127.0.0.1"),
                                ("::", "127.0.0.1"), ("::", "[::1]")):  # fmt: skip
            with self.subTest(passed=passed, written=written), SocketUnit(listening(passed)) as unit:
                port = unit.port()
                line = self.refused(
                    unit, config(listen=[*PASSED, {"address": f"{written}:{port}"}])
                )
                at = f"[{passed}]" if ":" in passed else passed
                self.assertRegex(line, r"^:\d+: listen\[1\]\.address: ")
                self.assertIn(
                    f"{written}:{port} and {at}:{port} (door0), which a socket unit has passed, are "
                    "in part the same, expected each address once",
                    line,
                )

    def test_it_is_where_operators_read(self):
        with SocketUnit(listening("::")) as unit:
            http = f"127.0.0.1:{unit.port()}"
            line = self.refused(unit, config(admin={"socket": "off", "http": http}))
            self.assertRegex(line, r"^:\d+: admin\.http: ")
            self.assertIn(f"{http} is where clients connect, at [::]:{unit.port()} (door0) passed by "
                          "a socket unit, expected an address of its own", line)  # fmt: skip

    def test_it_is_where_the_backend_listens(self):
        for passed in ("127.0.0.1", "::"):
            with self.subTest(passed=passed), SocketUnit(listening(passed)) as unit:
                port = unit.port()
                line = self.refused(unit, config(backend={"ports": f"{port}-{port}"}))
                self.assertIn("(door0) is where the backend listens, expected another port in the "
                              "socket unit", line)  # fmt: skip

    def test_it_is_where_a_backend_listens_that_is_written_in_another_way(self):
        for passed, backend in (("127.0.0.1", "0.0.0.0"), ("127.0.0.1", "localhost"),
                                ("::", "localhost"), ("127.0.0.1", "[::ffff:127.0.0.1]")):  # fmt: skip
            with self.subTest(passed=passed, backend=backend), SocketUnit(listening(passed)) as unit:
                alone = {"protocol": "tcp", "listen": PASSED,
                         "backend": {"address": f"{backend}:{unit.port()}"}}  # fmt: skip
                self.assertIn("(door0) is where the backend listens, expected another port in the "
                              "socket unit", self.refused(unit, alone))  # fmt: skip

    def test_one_of_ipv6_alone_is_not_in_the_way_of_ipv4(self):
        door = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        door.bind(("::", 0))
        door.listen(10)
        with SocketUnit(door) as unit, tcplock.Service(unit.port()) as service:
            service.start()
            alone = {"protocol": "tcp", "listen": PASSED,
                     "backend": {"address": f"127.0.0.1:{unit.port()}"}}  # fmt: skip
            with Supervisor(alone) as supervisor:
                unit.pass_to(supervisor)
                supervisor.start()
                supervisor.log.wait("backend ready")
                client = Client(unit.port(), "1", host="::1")
                self.assertEqual(client.answer(), "1 s")
                client.close()
                self.assertEqual(supervisor.terminate(), 0)

    def test_tcplock_takes_none(self):
        with SocketUnit(listening()) as unit:
            start = types.SimpleNamespace()
            unit.pass_to(start)
            ended = tcplock.run_command(
                "-l", str(reserve_ports()), "-p", "1", under=start.under, pass_fds=start.pass_fds
            )
            self.assertEqual(ended.returncode, 2)
            self.assertEqual(
                ended.stderr,
                f"tcplock: 127.0.0.1:{unit.port()} (door0) was passed by a socket unit, and tcplock "
                "takes none, expected no socket unit, or tcplock-supervisor with \"- address: "
                "systemd\" under listen\n",
            )

    def test_what_is_no_socket_is_not_called_one(self):
        # As OpenFile= in a service unit passes it.
        with open("/dev/null", "rb") as file, SocketUnit(file, names=["null"]) as unit:
            start = types.SimpleNamespace()
            unit.pass_to(start)
            ended = tcplock.run_command(
                "-l", str(reserve_ports()), "-p", "1", under=start.under, pass_fds=start.pass_fds
            )
            self.assertEqual(ended.returncode, 2)
            self.assertEqual(
                ended.stderr,
                "tcplock: descriptor 3 (null), of which LISTEN_FDS tells, is no socket, and tcplock "
                "takes nothing that is passed, expected no LISTEN_FDS\n",
            )
            line = self.refused(unit, fake.config())
            self.assertRegex(line, r"^:\d+: listen: ")
            self.assertIn("descriptor 3 (null), of which LISTEN_FDS tells, is no socket, expected "
                          "nothing to be passed without", line)  # fmt: skip

    def test_it_can_be_checked_without_a_socket(self):
        with Supervisor(config(probe={"timeout": "500ms"})) as supervisor:
            checked = run_command("check", "-c", supervisor.config_file)
            self.assertEqual((checked.returncode, checked.stderr), (0, ""))
            self.assertTrue(checked.stdout.endswith(": fine\n"), checked.stdout)
            shown = run_command("show-config", "-c", supervisor.config_file)
            self.assertIn('  - address: "systemd"\n    allow: []\n', shown.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
