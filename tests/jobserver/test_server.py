"""The job server as a process, with sockets."""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.jobserver.listening import CannotListen
from fleet.jobserver.server import JobServer
from fleet.protocol import REQ, encode, packets
from fleet.settings import Address, ServerSettings
from tests.conftest import listening
from tests.jobserver.running import serving_with
from tests.peer import Peer
from tests.processes import FLEET, LIMIT_S, Program, until

pytestmark = pytest.mark.system


def test_a_large_payload_there_and_back(server: Address) -> None:
    payload = bytes(range(256)) * 40_000
    with Peer(server) as client, Peer(server) as worker:
        worker.send(packets.CAN_DO, b"f")
        (handle,) = client.ask(packets.SUBMIT_JOB, b"f", b"", payload).args
        job = worker.ask(packets.GRAB_JOB_UNIQ)
        assert job.kind == packets.JOB_ASSIGN_UNIQ
        assert job.args[3] == payload
        worker.send(packets.WORK_COMPLETE, bytes(handle), payload[::-1])
        assert client.read() == (packets.WORK_COMPLETE, (handle, payload[::-1]))


def test_a_client_with_a_small_send_buffer_is_not_held_up(server: Address) -> None:
    """libgearman's client: each of its 64 kB segments waits for the one before to be acknowledged."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        sock.connect((server.host, server.port))
        began = time.monotonic()
        sock.sendall(encode(REQ, packets.SUBMIT_JOB, b"f", b"", bytes(18_000_000)))
        assert sock.recv(4) == b"\0RES"
        assert time.monotonic() - began < 8  # 270 segments, 40 ms each, if the kernel had its way


def test_a_timer_brings_a_job_back_without_any_traffic(server: Address) -> None:
    with Peer(server) as client, Peer(server) as slow, Peer(server) as other:
        slow.send(packets.CAN_DO_TIMEOUT, b"f", b"1000")
        other.send(packets.CAN_DO, b"f")
        client.ask(packets.SUBMIT_JOB, b"f", b"", b"w")
        assert slow.ask(packets.GRAB_JOB).kind == packets.JOB_ASSIGN
        assert other.ask(packets.GRAB_JOB).kind == packets.NO_JOB
        other.send(packets.PRE_SLEEP)
        assert other.read().kind == packets.NOOP


def test_a_lost_workers_job_goes_to_another(server: Address) -> None:
    with Peer(server) as client, Peer(server) as other:
        other.send(packets.CAN_DO, b"f")
        with Peer(server) as worker:
            worker.send(packets.CAN_DO, b"f")
            client.ask(packets.SUBMIT_JOB, b"f", b"", b"w")
            assert worker.ask(packets.GRAB_JOB).kind == packets.JOB_ASSIGN
            other.send(packets.PRE_SLEEP)
        assert other.read().kind == packets.NOOP


def test_w29_http_gets_one_short_error(server: Address) -> None:
    with Peer(server) as peer:
        peer.sock.sendall(b"GET / HTTP/1.1\r\n")
        answer = peer.rest()
        assert answer.startswith(b"ERR UNKNOWN_COMMAND")
        assert answer.count(b"\n") == 1


def test_w03_an_oversized_announcement_is_refused_and_the_connection_closed(server: Address) -> None:
    with Peer(server) as peer:
        peer.sock.sendall(struct.pack(">4sII", REQ, packets.SUBMIT_JOB, 0xFFFFFFFF))
        assert b"the limit is" in peer.rest()


def test_w37_a_half_closed_client_gets_its_answers(server: Address) -> None:
    with Peer(server) as client, Peer(server) as worker:
        worker.send(packets.CAN_DO, b"f")
        client.send(packets.SUBMIT_JOB, b"f", b"", b"w")
        client.sock.shutdown(socket.SHUT_WR)
        assert client.read().kind == packets.JOB_CREATED
        job = worker.ask(packets.GRAB_JOB)
        worker.send(packets.WORK_COMPLETE, bytes(job.args[0]), b"r")
        assert client.read().kind == packets.WORK_COMPLETE
        assert client.rest() == b""
        with Peer(server) as other:
            other.sock.sendall(b"version\n")
            other.sock.shutdown(socket.SHUT_WR)
            assert other.rest().startswith(b"OK ")


def test_w37_a_half_closed_client_gets_the_answers_to_all_that_it_sent_ahead() -> None:
    with serving_with(ServerSettings(listen=Address(port=0), gateways=(("http", Address(port=0)),))) as server:
        for address, asked, answer in (
            (server.address, b"version\n", b"OK "),
            (server.gateways["http"], b"GET /jobs/H HTTP/1.1\r\nHost: localhost\r\n\r\n", b"HTTP/1.1 404"),
        ):
            for count in (3, 1000):
                with Peer(address) as client:
                    client.sock.sendall(asked * count)
                    client.sock.shutdown(socket.SHUT_WR)
                    assert client.rest().count(answer) == count


def test_w36_many_submits_without_reading_are_all_answered_once_read(server: Address) -> None:
    with Peer(server) as client:
        client.sock.sendall(encode(REQ, packets.SUBMIT_JOB_BG, b"f", b"", b"x") * 10_000)
        assert all(client.read().kind == packets.JOB_CREATED for _ in range(10_000))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(spawn: Callable[..., Program], number: signal.Signals) -> None:
    program = spawn(*FLEET, "server", "--port", "0")
    with Peer(listening(program)) as peer:
        peer.ask(packets.ECHO_REQ, b"x")
        program.send(number)
        assert program.ended() == 0
        assert program.err.rest() == []


def test_it_ends_cleanly_while_jobs_still_come(spawn: Callable[..., Program], tmp_path: Path) -> None:
    program = spawn(*FLEET, "server", "--port", "0", "--store", f"sqlite:{tmp_path / 'jobs'}")
    submit = encode(REQ, packets.SUBMIT_JOB_BG, b"f", b"", b"x")
    with Peer(listening(program)) as peer:
        peer.sock.sendall(submit * 100)
        for number in range(20_000):
            if number == 1000:
                program.send(signal.SIGTERM)
            try:
                peer.read()
                peer.sock.sendall(submit)
            except (AssertionError, OSError):
                break  # the server has gone
        else:
            pytest.fail("it goes on for as long as jobs come")
    assert program.ended() == 0
    assert program.err.rest() == []


def test_sigusr1_lets_the_jobs_end_and_takes_no_new_connection(spawn: Callable[..., Program]) -> None:
    program = spawn(*FLEET, "server", "--port", "0")
    address = listening(program)
    with Peer(address) as peer:
        peer.send(packets.CAN_DO, b"f")
        peer.ask(packets.SUBMIT_JOB, b"f", b"", b"w")
        program.send(signal.SIGUSR1)
        until(lambda: refused(address), "new connections are refused")
        handle = bytes(peer.ask(packets.GRAB_JOB).args[0])
        peer.send(packets.WORK_COMPLETE, handle, b"r")
        assert peer.read() == (packets.WORK_COMPLETE, (handle, b"r"))
        assert peer.rest() == b""
    assert program.ended() == 0


def refused(address: Address) -> bool:
    """A connection that is under way while the listener closes is tried again by the kernel after a second."""
    try:
        socket.create_connection((address.host, address.port), LIMIT_S).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        pass
    return False


def test_a_job_for_later_runs_on_time_without_any_traffic(server: Address) -> None:
    with Peer(server) as client, Peer(server) as worker:
        worker.send(packets.CAN_DO, b"f")
        worker.send(packets.PRE_SLEEP)
        when = int(time.time()) + 2
        client.ask(packets.SUBMIT_JOB_EPOCH, b"f", b"", b"%d" % when, b"w")
        assert worker.read().kind == packets.NOOP
        assert time.time() >= when
        assert worker.ask(packets.GRAB_JOB).kind == packets.JOB_ASSIGN


def test_a_taken_port_is_a_clear_error(spawn: Callable[..., Program], server: Address) -> None:
    program = spawn(*FLEET, "server", "--port", str(server.port))
    assert program.ended() == 78
    (line,) = program.err.rest()
    assert line == (
        f"fleet: cannot listen on 127.0.0.1:{server.port}: address already in use; "
        "stop what uses the port, or choose another"
    )


def test_a_server_that_cannot_listen_closes_its_store(server: Address, tmp_path: Path) -> None:
    taken = ServerSettings(listen=server, store=f"sqlite:{tmp_path}/jobs.sqlite")

    async def start() -> None:
        await JobServer(taken).start()

    before = threading.active_count()
    with pytest.raises(CannotListen):
        asyncio.run(start())
    assert threading.active_count() == before
