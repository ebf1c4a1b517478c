"""Peers that are slow, deaf, greedy or many: each gets its answer, and the others do not notice."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fleet.jobserver.server import JobServer
from fleet.protocol import REQ, RES, encode
from fleet.protocol import packets as p
from fleet.version import __version__
from tests.jobserver.running import serving
from tests.peer import Packet, Peer
from tests.processes import open_files, until

pytestmark = pytest.mark.system

MIB = 1024 * 1024
SLOW_S = 0.4
PATIENCE = {"slow_s": SLOW_S, "slow_bytes": 4096}
LATENCY_S = 5.0  # generous: the machine may be busy


@contextmanager
def unharmed(server: JobServer) -> Iterator[None]:
    """A well-behaved peer is served as quickly after the block as before."""
    with Peer(server.address) as good:
        assert good.ask(p.ECHO_REQ, b"1").args == (b"1",)
        yield
        begun = time.monotonic()
        assert good.ask(p.ECHO_REQ, b"2").args == (b"2",)
        assert time.monotonic() - begun < LATENCY_S


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def nobody(server: JobServer) -> None:
    until(lambda: not server.connections, "all connections are gone")


def served_between(server: JobServer, answers: socket.socket, end: bytes) -> int:
    """How often somebody else is served until the answers come to their end."""
    with Peer(server.address) as good:
        served, tail = 0, b""
        while not tail.endswith(end):
            good.ask(p.ECHO_REQ, b"and me?")
            served += 1
            data = answers.recv(65536)
            assert data, "the answers break off"
            tail = (tail + data)[-len(end) :]
    return served


# -- slow -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "begun",
    [
        p.HEADER.pack(REQ, p.SUBMIT_JOB, 100)[:7],
        p.HEADER.pack(REQ, p.SUBMIT_JOB, 100) + b"f\0u\0half",
        p.HEADER.pack(REQ, p.SUBMIT_JOB, 10 * MIB) + b"f\0u\0half",
        b"stat",
    ],
    ids=["w04 a header", "w05 a body", "w05 a large body", "w04 a line"],
)
def test_who_begins_a_message_and_falls_silent_is_cut(begun: bytes) -> None:
    with serving(**PATIENCE) as server, unharmed(server), Peer(server.address) as peer:
        peer.sock.sendall(begun)
        assert b"TOO_SLOW" in peer.rest()
        assert not server.broker.jobs


@pytest.mark.parametrize("kept", range(1, 12))
def test_w04_a_header_that_ends_with_the_connection_leaves_nothing(kept: int) -> None:
    with serving() as server:
        with Peer(server.address) as peer:
            peer.sock.sendall(p.HEADER.pack(REQ, p.SUBMIT_JOB, 100)[:kept])
        nobody(server)
        assert not server.broker.peers


def test_w06_who_sends_a_byte_at_a_time_is_cut() -> None:
    with serving(**PATIENCE) as server, unharmed(server), Peer(server.address) as peer:
        peer.sock.sendall(p.HEADER.pack(REQ, p.SUBMIT_JOB, 1000) + b"f\0u\0")
        peer.sock.settimeout(0.01)
        answer = b""
        for _ in range(900):
            peer.sock.sendall(b"x")
            try:
                answer = peer.sock.recv(1000)
                break
            except TimeoutError:
                continue
        assert b"TOO_SLOW" in answer


def test_who_goes_on_sending_is_not_cut() -> None:
    slow_s, pieces = 5 * SLOW_S, 30  # a busy machine may keep us waiting for a while
    with serving(slow_s=slow_s, slow_bytes=100) as server, Peer(server.address) as peer:
        peer.sock.sendall(p.HEADER.pack(REQ, p.ECHO_REQ, 100 * pieces))
        for _ in range(pieces):
            time.sleep(1.5 * slow_s / pieces)  # the pace is what is tested
            peer.sock.sendall(b"x" * 100)
        assert peer.read().args == (b"x" * 100 * pieces,)


def test_w07_packets_in_one_write_and_one_packet_in_many_are_the_same() -> None:
    stream = b"".join(encode(REQ, p.ECHO_REQ, b"%d" % n) for n in range(100))
    with serving() as server, Peer(server.address) as at_once, Peer(server.address) as in_bits:
        at_once.sock.sendall(stream)
        for at in range(len(stream)):
            in_bits.sock.sendall(stream[at : at + 1])
        for n in range(100):
            assert at_once.read().args == in_bits.read().args == (b"%d" % n,)


def test_an_idle_connection_is_closed_unless_somebody_would_miss_it() -> None:
    with serving(idle_s=1.0) as server, ExitStack() as stack:
        idle, worker, client = (stack.enter_context(Peer(server.address)) for _ in range(3))
        worker.send(p.CAN_DO, b"f")
        client.ask(p.SUBMIT_JOB, b"g", b"", b"")
        assert idle.rest() == b""
        assert worker.ask(p.ECHO_REQ, b"x").args == client.ask(p.ECHO_REQ, b"x").args


# -- greedy -----------------------------------------------------------------------------------------------------


def test_w03_what_is_only_announced_takes_no_memory() -> None:
    with serving() as server, ExitStack() as stack, unharmed(server):
        before = resident_bytes()
        for _ in range(15):
            peer = stack.enter_context(Peer(server.address))
            peer.sock.sendall(struct.pack(">4sII", REQ, p.SUBMIT_JOB, 64 * MIB))
            peer.sock.sendall(b"f\0\0" + bytes(100_000))
        assert resident_bytes() - before < 32 * MIB


def test_w15_functions_are_capped_and_the_unused_go_first() -> None:
    with serving(functions=100, functions_per_worker=60) as server, unharmed(server):
        for _ in range(3):
            with Peer(server.address) as peer:
                for number in range(60):
                    peer.send(p.CAN_DO, os.urandom(8).hex().encode())
                    assert peer.ask(p.ECHO_REQ, b"%d" % number).kind == p.ECHO_RES
                assert peer.ask(p.CAN_DO, b"one too many").args[0] == b"TOO_MANY_FUNCTIONS"
            nobody_but(server, 1)
        assert len(server.broker.functions) <= 100


def nobody_but(server: JobServer, count: int) -> None:
    until(lambda: len(server.connections) == count, f"{count} connections are left")


def test_w33_a_client_that_never_reads_slows_its_worker_and_is_cut() -> None:
    limits = {"unsent_high_bytes": MIB, "unread_s": 1.0, "unsent_bytes": 16 * MIB}
    with serving(**limits) as server, unharmed(server), Peer(server.address) as worker, Peer(server.address) as deaf:
        deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        worker.send(p.CAN_DO, b"f")
        deaf.send(p.SUBMIT_JOB, b"f", b"", b"w")
        worker.send(p.ECHO_REQ, b"after the submit")
        worker.read()
        handle = bytes(until_assigned(worker).args[0])
        before, chunk, sent = resident_bytes(), bytes(100_000), 0
        worker.sock.settimeout(0.2)
        try:
            while sent < 150 * MIB:
                worker.send(p.WORK_DATA, handle, chunk)
                sent += len(chunk)
        except TimeoutError:
            pass  # it was held up
        assert sent < 64 * MIB
        assert resident_bytes() - before < 32 * MIB
        nobody_but(server, 2)
        worker.sock.settimeout(10)
    assert not server.broker.jobs


def until_assigned(worker: Peer) -> Packet:
    """Grab until there is a job: the submit comes from another connection."""
    while (answer := worker.ask(p.GRAB_JOB)).kind == p.NO_JOB:
        worker.send(p.PRE_SLEEP)
        assert worker.read().kind == p.NOOP
    return answer


def test_w30_a_long_burst_of_questions_holds_up_nobody_and_is_answered_to_its_end() -> None:
    """Also if who asked sends no more, and begins to read only when much more waits than it may leave unread."""
    with serving(unsent_high_bytes=64 * 1024) as server, Peer(server.address) as peer, Peer(server.address) as worker:
        for number in range(500):
            worker.send(p.CAN_DO, b"a function of some length %d" % number)
        worker.ask(p.ECHO_REQ, b"registered")
        peer.sock.sendall(b"status\n" * 400 + b"version\n")
        peer.sock.shutdown(socket.SHUT_WR)
        with unharmed(server):
            pass
        assert served_between(server, peer.sock, b"OK " + __version__.encode() + b"\n") > 20
        assert peer.rest() == b""


def test_w37_a_half_closed_client_that_leaves_does_not_stay_for_ever() -> None:
    """Thousands of them, while there are no workers, would be all the connections there can be."""
    with serving(idle_s=1.0) as server:
        with Peer(server.address) as client:
            client.ask(p.SUBMIT_JOB, b"nobody does it", b"", b"w")
            client.sock.shutdown(socket.SHUT_WR)
            ended = [connection for connection in server.connections.values() if connection.wire.listening]
            until(lambda: all(connection._ended for connection in ended), "it has heard that nothing more comes")
            assert server.broker.jobs
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        nobody(server)
        assert not server.broker.jobs


def test_w34_a_sleeper_that_does_not_come_costs_one_noop_and_no_job() -> None:
    with serving(wake_s=0.1) as server, ExitStack() as stack:
        stuck, good, client = (stack.enter_context(Peer(server.address)) for _ in range(3))
        for sleeper in (stuck, good):
            sleeper.send(p.CAN_DO, b"f")
            sleeper.send(p.PRE_SLEEP)
            sleeper.ask(p.ECHO_REQ, b"asleep")
        client.ask(p.SUBMIT_JOB, b"f", b"", b"w")
        assert good.read().kind == p.NOOP
        assert good.ask(p.GRAB_JOB).kind == p.JOB_ASSIGN
        stuck.sock.settimeout(0.3)
        assert stuck.read().kind == p.NOOP
        with pytest.raises(TimeoutError):
            stuck.read()


def test_w39_who_guesses_handles_is_slowed_down_and_finds_none() -> None:
    guesses = 4000
    with (
        serving(guesses=500) as server,
        unharmed(server),
        Peer(server.address) as client,
        Peer(server.address) as thief,
    ):
        client.ask(p.SUBMIT_JOB_BG, b"f", b"", b"w")
        begun = time.monotonic()
        thief.sock.sendall(b"".join(encode(REQ, p.GET_STATUS, b"H:host:1-%020x" % n) for n in range(guesses)))
        assert all(thief.read().args[1] == b"0" for _ in range(guesses))
        assert time.monotonic() - begun >= 0.2


# -- many -------------------------------------------------------------------------------------------------------


def test_w35_many_idle_connections_take_little_memory_each_and_slow_nobody() -> None:
    count = 500
    with serving() as server, unharmed(server), ExitStack() as stack:
        before = resident_bytes()
        peers = [stack.enter_context(Peer(server.address)) for _ in range(count)]
        assert all(peer.ask(p.ECHO_REQ, b"x").kind == p.ECHO_RES for peer in peers)
        # Both ends are in this process.
        assert resident_bytes() - before < count * 64 * 1024


def test_w35_connecting_and_leaving_leaks_no_descriptor() -> None:
    with serving() as server, unharmed(server):
        nobody_but(server, 1)
        before = len(open_files())
        for _ in range(1000):
            socket.create_connection((server.address.host, server.address.port)).close()
        nobody_but(server, 1)
        until(lambda: len(os.listdir("/proc/self/fd")) == before, "all descriptors are closed")


def test_one_connection_too_many_is_told_so() -> None:
    with serving(connections=3) as server, ExitStack() as stack, unharmed(server):
        peers = [stack.enter_context(Peer(server.address)) for _ in range(2)]
        assert all(peer.ask(p.ECHO_REQ, b"x").kind == p.ECHO_RES for peer in peers)
        with Peer(server.address) as fourth:
            assert b"TOO_MANY_CONNECTIONS" in fourth.rest()


# -- gone -------------------------------------------------------------------------------------------------------


def test_w38_a_client_that_resets_the_connection_drops_its_job_only_when_nobody_else_waits() -> None:
    with serving() as server, Peer(server.address) as worker, Peer(server.address) as other:
        worker.send(p.CAN_DO, b"f")
        with Peer(server.address) as gone:
            gone.ask(p.SUBMIT_JOB, b"f", b"alone", b"")
            gone.ask(p.SUBMIT_JOB, b"f", b"shared", b"")
            other.ask(p.SUBMIT_JOB, b"f", b"shared", b"")
            handles = [bytes(worker.ask(p.GRAB_JOB).args[0]) for _ in range(2)]
            gone.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        nobody_but(server, 2)
        for handle in handles:
            worker.send(p.WORK_COMPLETE, handle, b"r")
        assert other.read() == (p.WORK_COMPLETE, (handles[1], b"r"))
        assert worker.ask(p.ECHO_REQ, b"no error").args == (b"no error",)
        assert not server.broker.jobs


def test_w43_urgent_data_and_a_closed_window_stop_nobody() -> None:
    with serving() as server, unharmed(server), Peer(server.address) as urgent, Peer(server.address) as deaf:
        deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.sock.sendall(encode(REQ, p.ECHO_REQ, bytes(60_000)) * 20)
        urgent.sock.send(b"!", socket.MSG_OOB)
        assert urgent.ask(p.ECHO_REQ, b"x").args == (b"x",)


def test_a_wrong_magic_is_told_and_closed() -> None:
    with serving() as server, unharmed(server), Peer(server.address) as peer:
        peer.sock.sendall(p.HEADER.pack(RES, p.ECHO_REQ, 0))
        assert b"INVALID_PACKET" in peer.rest()
