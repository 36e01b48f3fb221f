"""Who is let in and who is refused, and what happens to the bytes, against the scripted backend."""

import socket
import threading
import time
import unittest

import fake
from crowd import Client
from supervisor import Supervisor, result, wait_clients, wait_until


def send_and_finish(client, body):
    client.sock.sendall(body)
    client.finish_sending()


class RefusalTest(unittest.TestCase):
    def test_who_finds_the_line_full_is_refused_at_once(self):
        with fake.supervisor(gate={"queue_limit": 3}) as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, "1")
            self.assertEqual(inside.answer(), "1 g1")
            waiting = [Client(supervisor.port, number) for number in (2, 3, 4)]
            wait_clients(supervisor.port, 4)
            refused = Client(supervisor.port, "5")
            begin = time.monotonic()
            self.assertIn(refused.rest(), (b"", "reset"))
            took = time.monotonic() - begin
            line = supervisor.log.wait("client refused")
            inside.close()
            answers = []
            for client in waiting:
                answers.append(client.answer())
                client.close()
            result(
                "queue_limit",
                refused_after=f"{took:.3f}s",
                end=line["end"],
                reason=repr(line["reason"]),
            )
            self.assertEqual(line["end"], "PQ")
            self.assertEqual(line["peer"], refused.name)
            self.assertLess(took, 10)  # Otherwise it would wait for the others, who stay.
            self.assertEqual(answers, ["2 g1", "3 g1", "4 g1"])
            self.assertEqual(supervisor.terminate(), 0)
            self.assertEqual(fake.Journal(supervisor.journal_file).entered, [1, 2, 3, 4])

    def test_who_waits_longer_than_queue_timeout_is_refused(self):
        # No probe in between: who finds the slot taken by one waits as well.
        probe = {"interval": "1h"}
        with fake.supervisor(gate={"queue_timeout": "1s"}, probe=probe) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            inside = Client(supervisor.port, "1")
            self.assertEqual(inside.answer(), "1 g1")
            waiting = Client(supervisor.port, "2")
            begin = time.monotonic()
            self.assertIn(waiting.rest(), (b"", "reset"))
            took = time.monotonic() - begin
            line = supervisor.log.wait("client refused")
            result("queue_timeout", limit="1s", refused_after=f"{took:.3f}s", end=line["end"])
            self.assertEqual(line["end"], "sQ")
            self.assertGreaterEqual(line.seconds("waited"), 0.99)
            self.assertLess(took, 10)  # By default it would be 10 min.
            inside.close()

    def test_who_may_not_connect_is_refused_before_he_waits(self):
        listen = [{"address": "127.0.0.1:@PORT@", "allow": ["127.0.0.1/32"]}]
        with fake.supervisor(listen=listen) as supervisor:
            supervisor.start()
            stranger = Client(supervisor.port, "1", source="127.0.0.2")
            self.assertIn(stranger.rest(), (b"", "reset"))
            line = supervisor.log.wait("client refused")
            friend = Client(supervisor.port, "2", source="127.0.0.1")
            self.assertEqual(friend.answer(), "2 g1")
            friend.close()
            result("allow", stranger=line["peer"], end=line["end"])
            self.assertEqual(line["end"], "PA")
            self.assertEqual(line["peer"], stranger.name)
            supervisor.log.wait("session closed")
            self.assertEqual(supervisor.terminate(), 0)
            self.assertEqual(fake.Journal(supervisor.journal_file).entered, [2])


class BytesTest(unittest.TestCase):
    def test_a_client_that_finished_sending_is_still_answered_where_kept(self):
        with fake.supervisor(gate={"half_closed": "keep"}) as supervisor:
            supervisor.start()
            first = Client(supervisor.port, "1 echo")
            self.assertEqual(first.answer(), "1 g1")
            second = Client(supervisor.port, "2")
            second.finish_sending()  # While it waits.
            wait_clients(supervisor.port, 2)
            body = bytes(range(256)) * 4096
            sender = threading.Thread(target=send_and_finish, args=(first, body))
            sender.start()
            received = first.rest()
            sender.join()
            first.close()
            answer = second.rest()
            closed = [supervisor.log.wait("session closed", nth=nth) for nth in (1, 2)]
            result("half_close_kept", echoed=len(received), answered=answer.decode().strip(),
                   ends=",".join(line["end"] for line in closed))  # fmt: skip
            self.assertTrue(received == body, "the same bytes in the same order")
            self.assertEqual(answer, b"2 g1\n")
            self.assertEqual([line["end"] for line in closed], ["--", "--"])
            # What was sent is the line (7 bytes) and the body; the answer has 5 bytes.
            self.assertEqual(
                (closed[0].number("in"), closed[0].number("out")), (len(body) + 7, len(body) + 5)
            )

    def test_a_client_that_finished_sending_has_left_where_so_told(self):
        with fake.supervisor(gate={"half_closed": "leave"}) as supervisor:
            supervisor.start()
            first = Client(supervisor.port, "1")
            self.assertEqual(first.answer(), "1 g1")
            second = Client(supervisor.port, "2")
            wait_clients(supervisor.port, 2)
            second.finish_sending()
            left = supervisor.log.wait("client left")
            first.finish_sending()
            third = Client(supervisor.port, "3")
            self.assertEqual(third.answer(), "3 g1")
            closed = supervisor.log.wait("session closed")
            third.close()
            result("half_close_leaves", waiting=left["end"], inside=closed["end"])
            self.assertEqual(left["end"], "CQ")
            self.assertEqual(left["peer"], second.name)
            self.assertEqual(closed["end"], "--")
            supervisor.log.wait("session closed", nth=2)
            self.assertEqual(supervisor.terminate(), 0)
            self.assertEqual(fake.Journal(supervisor.journal_file).entered, [1, 3])

    def test_a_client_that_resets_holds_its_slot_until_the_backend_has_closed(self):
        with fake.supervisor(gate={"half_closed": "keep"}) as supervisor:
            supervisor.start()
            first = Client(supervisor.port, "1 linger 1000")
            self.assertEqual(first.answer(), "1 g1")
            second = Client(supervisor.port, "2")
            begin = time.monotonic()
            first.reset()
            self.assertEqual(second.answer(), "2 g1")
            waited = time.monotonic() - begin
            second.close()
            closed = supervisor.log.wait("session closed")
            result("reset_by_client", end=closed["end"], next_waited=f"{waited:.2f}s")
            self.assertEqual(closed["end"], "CD")
            self.assertGreaterEqual(waited, 0.99)
            self.assertEqual(supervisor.terminate(), 0)
            self.assertEqual(supervisor.log.count("backend recycling"), 0)
            journal = fake.Journal(supervisor.journal_file)
            self.assertEqual(journal.most_inside(), 1)
            self.assertEqual(journal.of("leave")[0], ["leave", "1"])

    def test_a_backend_that_never_closes_for_a_client_that_reset_is_recycled(self):
        gate = {"half_closed": "keep", "release_timeout": "500ms"}
        with fake.supervisor(gate=gate) as supervisor:
            supervisor.start()
            first = Client(supervisor.port, "1 linger for-ever")
            self.assertEqual(first.answer(), "1 g1")
            second = Client(supervisor.port, "2")
            first.reset()
            self.assertEqual(second.answer(), "2 g2")
            self.assertEqual(supervisor.log.wait("session closed")["end"], "TL")
            recycled = supervisor.log.wait("backend recycling")
            self.assertEqual(recycled["reason"], "release_timeout")
            second.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_reset_of_the_backend_reaches_the_client(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            first = Client(supervisor.port, "1 reset")
            seen = first.rest()
            closed = supervisor.log.wait("session closed")
            second = Client(supervisor.port, "2")
            self.assertEqual(second.answer(), "2 g1")
            second.close()
            result("reset_by_backend", end=closed["end"], client_saw=seen)
            self.assertEqual(closed["end"], "SD")
            self.assertEqual(seen, "reset")
            self.assertEqual(supervisor.terminate(), 0)
            self.assertEqual(supervisor.log.count("backend recycling"), 0)

    def test_a_last_job_that_the_backend_ends_is_no_death(self):
        with fake.supervisor(recycle={"max_jobs": 1}) as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1 close")
            self.assertEqual(client.rest(), b"1 g1\n")
            client.close()
            line = supervisor.log.wait("session closed")
            recycled = supervisor.log.wait("backend recycling")
            result("last_job_closed_by_the_backend", end=line["end"], reason=recycled["reason"])
            self.assertEqual((line["end"], recycled["reason"]), ("S-", "max_jobs"))
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_backend_that_closes_first_ends_the_session(self):
        with fake.supervisor() as supervisor:
            supervisor.start()
            client = Client(supervisor.port, "1 close")
            self.assertEqual(client.rest(), b"1 g1\n")
            client.close()
            line = supervisor.log.wait("session closed")
            result("backend_closes_first", end=line["end"], job=line["job"])
            self.assertEqual(line["end"], "S-")

    def serve_beside_one_that_never_reads(self, half_closed):
        """A client that is owed more than it takes, and one behind it: the lines of both."""
        with fake.supervisor(gate={"half_closed": half_closed}) as supervisor:
            supervisor.start()
            supervisor.log.wait("backend ready")
            stuck = Client(supervisor.port, receive_buffer=4096)
            stuck.send("1 bulk-and-close 1000000")
            second = Client(supervisor.port, "2", timeout=30)
            answer = second.answer()
            second.close()
            line = supervisor.log.wait("session closed", timeout=40, peer=stuck.name)
            next_line = supervisor.log.wait("session closed", timeout=40, peer=second.name)
            result(
                f"never_reads_{half_closed}",
                end=line["end"],
                lasted=line["lasted"],
                next_waited=next_line["waited"],
            )
            self.assertEqual(answer, "2 g1")
            self.assertEqual(line["end"], "CL")
            stuck.close()
            return line, next_line

    def test_a_client_that_never_reads_what_it_is_owed_holds_up_nobody(self):
        line, next_line = self.serve_beside_one_that_never_reads("leave")
        waited, lasted = next_line.seconds("waited"), line.seconds("lasted")
        self.assertLess(waited, lasted - 2, "he does not wait until the rest is given up")

    def test_a_client_that_may_still_send_and_never_reads_is_given_up(self):
        # Where half-closing is kept, a backend that has closed may still be sent to.
        line, _ = self.serve_beside_one_that_never_reads("keep")
        self.assertLess(line.seconds("lasted"), 30)  # Otherwise it has for ever.

    def test_clients_that_never_read_leave_descriptors_for_the_backend(self):
        limit = 104  # The fewer the better: who is given up leaves a descriptor again.
        backend = {"limits": {"open_files": 64, "address_space": "off"}}
        gate = {"half_closed": "leave"}  # a slot is free while much is still owed
        with fake.supervisor(gate=gate, backend=backend) as supervisor:
            supervisor.under = ["prlimit", f"--nofile={limit}:{limit}"]
            supervisor.start()
            log, stuck = supervisor.log, []

            def has_entered_or_was_refused():
                entered = fake.Journal(supervisor.journal_file).entered
                return len(stuck) in entered or log.count("client refused", end="PO") > 0

            while log.count("client refused", end="PO") == 0:
                self.assertLess(len(stuck), limit, "there is a descriptor for everybody")
                stuck.append(Client(supervisor.port, receive_buffer=4096))
                stuck[-1].send(f"{len(stuck)} bulk-and-close 1000000")
                wait_until(has_entered_or_was_refused, 10, "the next has gone in")
            closed = log.count("session closed")
            for client in stuck:
                client.close()
            log.wait("session closed", nth=len(stuck) - log.count("client refused"))
            late = Client(supervisor.port, "1000")
            answer = late.answer()
            late.close()
            result("descriptors_run_out", limit=limit, owed_at_once=len(stuck) - 1 - closed)
            self.assertEqual(answer, "1000 g1")
            self.assertEqual(log.count("backend could not be reached, the client waits again"), 0)
            self.assertEqual(log.count("backend recycling"), 0)
            self.assertEqual(supervisor.terminate(), 0)

    def test_a_client_that_never_reads_in_mid_job_is_cut_at_session_timeout(self):
        with fake.supervisor(gate={"session_timeout": "2s"}) as supervisor:
            supervisor.start()
            stuck = Client(supervisor.port, "1 bulk 50000000")
            second = Client(supervisor.port, "2")
            answer = second.answer()
            second.close()
            line = supervisor.log.wait("session closed")
            result("never_reads", end=line["end"], lasted=line["lasted"], delivered=line["out"])
            self.assertEqual(answer, "2 g2")
            self.assertEqual(line["end"], "TD")
            stuck.close()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class ListenerTest(unittest.TestCase):
    def test_clients_of_two_families_wait_in_one_line(self):
        if not has_ipv6():
            self.skipTest("no IPv6 here")
        listen = [{"address": "127.0.0.1:@PORT@"}, {"address": "[::1]:@PORT@"}]
        with Supervisor(fake.config(listen=listen)) as supervisor:
            supervisor.start()
            supervisor.log.wait("listening", nth=2)
            inside = Client(supervisor.port, "0")
            self.assertEqual(inside.answer(), "0 g1")
            clients = []
            for number in range(1, 11):
                host = "::1" if number % 2 else "127.0.0.1"
                clients.append(Client(supervisor.port, number, host=host))
                wait_clients(supervisor.port, number + 1)
            inside.close()
            answers = []
            for client in clients:
                answers.append(client.answer())
                client.close()
            supervisor.log.wait("session closed", nth=11)
            peers = [line["peer"] for line in supervisor.log.all("session closed")]
            self.assertEqual(supervisor.terminate(), 0)
            entered = fake.Journal(supervisor.journal_file).entered
            result("two_families", served=len(answers), ipv6=sum("[" in peer for peer in peers),
                   inversions=fake.Journal(supervisor.journal_file).inversions())  # fmt: skip
            self.assertEqual(entered, list(range(11)))
            self.assertEqual(sum("::1" in peer for peer in peers), 5)

    def test_every_address_of_both_families_is_at_one_port(self):
        if not has_ipv6():
            self.skipTest("no IPv6 here")
        listen = [{"address": "[::]:@PORT@"}, {"address": "0.0.0.0:@PORT@"}]
        with Supervisor(fake.config(listen=listen)) as supervisor:
            supervisor.start()
            supervisor.log.wait("listening", nth=2)
            for number, host in enumerate(("127.0.0.1", "::1"), 1):
                client = Client(supervisor.port, number, host=host)
                self.assertEqual(client.answer(), f"{number} g1")
                client.close()
            self.assertEqual(supervisor.terminate(), 0)

    def test_an_address_of_ipv4_may_be_written_as_one_of_ipv6(self):
        # The system lets no socket of IPv6 alone be there: the start failed.
        listen = [{"address": "[::ffff:127.0.0.1]:@PORT@"}]
        with Supervisor(fake.config(listen=listen)) as supervisor:
            supervisor.start()
            line = supervisor.log.wait("listening")
            self.assertEqual(line["address"], f"127.0.0.1:{supervisor.port}")
            client = Client(supervisor.port, 1)
            self.assertEqual(client.answer(), "1 g1")
            client.close()
            self.assertEqual(supervisor.terminate(), 0)


class DescriptorTest(unittest.TestCase):
    def test_the_backend_has_three_descriptors_while_two_hundred_wait(self):
        with fake.supervisor(gate={"half_closed": "leave"}, recycle={"max_jobs": 1}) as supervisor:
            supervisor.start()
            inside = Client(supervisor.port, "0 fds")
            inside.answer()
            waiting = [Client(supervisor.port, number) for number in range(1, 201)]
            wait_clients(supervisor.port, 201)
            inside.close()  # One job: the next generation is started while two hundred wait.
            self.assertEqual(waiting[0].answer(), "1 g2")
            wait_clients(supervisor.port, 200)
            for client in reversed(waiting):  # Who is inside goes last.
                client.close()
            supervisor.log.wait("client left", nth=199)
            starts = fake.Journal(supervisor.journal_file).of("start")
            self.assertEqual(starts[1][1], "g2")
            result("descriptors", waiting=200, backend_has=starts[1][3])
            self.assertEqual(starts[1][3], "fds=0,1,2")


if __name__ == "__main__":
    unittest.main(verbosity=2)
