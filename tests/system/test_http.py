"""The HTTP gateway with real clients: curl, Python's http.client, and raw sockets for those nobody should be."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fleet.images import sniff
from fleet.jobserver.server import JobServer
from fleet.protocol import packets
from fleet.settings import Address, ServerLimits, ServerSettings
from tests.conftest import SAMPLES, listening, need
from tests.jobserver.running import serving_with
from tests.peer import Peer, Reply, chatty, explode, fail, reverse, worker
from tests.processes import FLEET, LIMIT_S, Program, until

pytestmark = pytest.mark.system

HEAD = b"POST /reverse HTTP/1.1\r\nHost: localhost\r\n"
HTTP = ("--protocol", "http", "--http-port", "0")


def half_done(peer: Peer, handle: bytes, workload: bytes) -> None:
    peer.send(packets.WORK_DATA, handle, b"half")
    peer.send(packets.WORK_FAIL, handle)


@contextmanager
def gateway(**limits: float) -> Iterator[tuple[JobServer, Address]]:
    """A job server in this process, and where it speaks HTTP."""
    own = ServerLimits(**limits)  # type: ignore[arg-type]
    free = Address(port=0)
    with serving_with(ServerSettings(listen=free, gateways=(("http", free),), limits=own)) as server:
        yield server, server.gateways["http"]


@contextmanager
def serving(**functions: Reply) -> Iterator[Address]:
    """Where HTTP is spoken, with a worker behind it."""
    with gateway() as (server, address), worker(server.address, **functions):
        yield address


def curl(address: Address, function: str, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    argv = [need("curl"), "-sS", "--max-time", str(LIMIT_S), *words, f"http://{address}/{function}"]
    return subprocess.run(argv, input=stdin, capture_output=True, timeout=LIMIT_S * 2, check=False)


def spoken_to(address: Address, *pieces: bytes, half_close: bool = False) -> bytes:
    """All that comes back for these bytes until the server closes the connection."""
    with Peer(address) as peer:
        for piece in pieces:
            peer.sock.sendall(piece)
        if half_close:
            peer.sock.shutdown(socket.SHUT_WR)
        return peer.rest()


# -- the command ----------------------------------------------------------------------------------------------


def test_a_thumbnail_by_curl_from_a_whole_fleet(spawn: Callable[..., Program], tmp_path: Path) -> None:
    need("curl")
    fleet = spawn(*FLEET, "up", "--workers", "1", "--port", "0", *HTTP)
    fleet.out.until("ready ")
    address = Address.parse(fleet.err.until("http listening ").split()[-1])
    thumb = tmp_path / "thumb.jpg"
    done = curl(address, "resize", "-f", "--data-binary", f"@{SAMPLES / 'large.jpg'}", "-o", str(thumb))
    assert done.returncode == 0, done.stderr
    header = sniff(thumb.read_bytes())
    assert (header.format, header.width, header.height) == ("jpeg", 200, 150)
    bad = curl(address, "resize", "-w", "%{http_code}", "-d", "no picture")
    assert bad.stdout.startswith(b"BadImage: ")
    assert bad.stdout.endswith(b"422")


def test_a_server_says_where_it_speaks_http(spawn: Callable[..., Program]) -> None:
    server = spawn(*FLEET, "server", "--port", "0", *HTTP)
    listening(server)
    line = server.out.line()
    assert line.startswith("http listening 127.0.0.1:")
    assert b"job server" in spoken_to(Address.parse(line.split()[-1]), b"GET / HTTP/1.0\r\n\r\n")
    assert server.stop() == 0


@pytest.mark.parametrize("command", ["server", "up"])
def test_an_unknown_protocol_is_a_clear_error(spawn: Callable[..., Program], command: str) -> None:
    program = spawn(*FLEET, command, "--protocol", "gopher")
    assert program.ended() == 2
    assert program.err.rest() == ["fleet: there is no protocol 'gopher' beside Gearman; there are: http"]


# -- jobs -----------------------------------------------------------------------------------------------------


def test_curl_and_every_way_a_job_may_end() -> None:
    with serving(reverse=reverse, explode=explode, fail=fail, chatty=chatty, half=half_done) as address:
        code = ("-w", "|%{http_code}")
        assert curl(address, "reverse", *code, "-d", "hello").stdout == b"olleh|200"
        assert curl(address, "explode", *code, "-d", "hello").stdout == b"ValueError: hello|502"
        assert curl(address, "fail", *code, "-d", "hello").stdout == b"|502"
        assert curl(address, "chatty", *code, "-d", "hello").stdout == b"part 1\npart 2\npart 3\nend|200"
        assert curl(address, "reverse", *code, "-T", "-", stdin=b"in chunks").stdout == b"sknuhc ni|200"
        broken = curl(address, "half", *code, "-d", "hello")
        assert broken.stdout == b"half|200"
        assert broken.returncode == 18  # partial file
        assert curl(address, "reverse", "-I", *code).stdout.endswith(b"|405")


def test_a_background_job_and_its_status() -> None:
    with gateway() as (server, address):
        client = http.client.HTTPConnection(address.host, address.port, timeout=LIMIT_S)
        client.request("POST", "/reverse", b"hello", {"X-Gearman-Background": "true"})
        accepted = client.getresponse()
        where = accepted.headers["Location"]
        assert (accepted.status, accepted.read()) == (202, b"")
        client.request("GET", where)
        status = json.loads(client.getresponse().read())
        assert status == {
            "handle": where.removeprefix("/jobs/"),
            "known": True,
            "running": False,
            "numerator": 0,
            "denominator": 0,
        }
        with worker(server.address, reverse=reverse):
            until(lambda: not server.broker.jobs, "the job is done")
        client.request("GET", where)
        assert client.getresponse().status == 404
        client.close()


def test_ten_megabytes_there_and_back_on_one_connection() -> None:
    payload = bytes(range(256)) * 40_000
    with serving(reverse=reverse) as address:
        client = http.client.HTTPConnection(address.host, address.port, timeout=LIMIT_S)
        for body in (payload, b"small", payload[:-1]):
            client.request("POST", "/reverse", body)
            assert client.getresponse().read() == body[::-1]
        assert curl(address, "reverse", "--data-binary", "@-", stdin=payload).stdout == payload[::-1]
        client.close()


def test_a_body_that_is_too_large_is_refused_and_the_client_hears_of_it() -> None:
    with gateway(packet_bytes=1 << 20) as (_, address):
        too_large = bytes(5 << 20)
        for more in ((), ("-H", "Expect:")):
            refused = curl(
                address, "f", "--data-binary", "@-", "-w", "|%{http_code}", *more, stdin=too_large[: 3 << 19]
            )
            assert refused.stdout.endswith(b"|413"), refused.stderr


def test_two_clients_with_equal_bodies_share_one_job() -> None:
    with gateway() as (server, address):
        found: list[bytes] = []
        threads = [
            threading.Thread(target=lambda: found.append(curl(address, "reverse", "-i", "-d", "same").stdout))
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        until(lambda: [len(job.listeners) for job in list(server.broker.jobs.values())] == [2], "both wait for one job")
        with worker(server.address, reverse=reverse):
            for thread in threads:
                thread.join(LIMIT_S)
        assert found[0] == found[1]
        assert found[0].endswith(b"emas")


def test_requests_in_one_write_are_answered_in_their_order() -> None:
    with serving(reverse=reverse) as address:
        requests = [HEAD + b"Content-Length: 4\r\n\r\n%04d" % n for n in range(200)]
        requests.append(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        sent = spoken_to(address, b"".join(requests))
        assert [part[-4:] for part in sent.split(b"HTTP/1.1 ")[1:-1]] == [(b"%04d" % n)[::-1] for n in range(200)]


# -- leaving --------------------------------------------------------------------------------------------------


def test_a_half_closed_client_gets_its_answer() -> None:
    with gateway() as (server, address):
        found: list[bytes] = []
        ask = HEAD + b"Content-Length: 5\r\n\r\nhello"
        asking = threading.Thread(target=lambda: found.append(spoken_to(address, ask, half_close=True)))
        asking.start()
        until(lambda: bool(server.broker.jobs), "the job is queued")
        with worker(server.address, reverse=reverse):
            asking.join(LIMIT_S)
        assert found[0].endswith(b"\r\n\r\nolleh")


def test_a_client_that_is_gone_takes_its_queued_job_along(spawn: Callable[..., Program]) -> None:
    with gateway() as (server, address):
        client = spawn(need("curl"), "-sS", "-d", "x", f"http://{address}/nobody")
        until(lambda: bool(server.broker.jobs), "the job is queued")
        client.clear()
        until(lambda: not server.broker.jobs, "the job is dropped")


# -- peers as they should not be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /f HTTP/1.1\r\nHost: a", b"408"),
        (HEAD + b"Content-Length: 9\r\n\r\nx", b"408"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nx", b"408"),
    ],
)
def test_who_begins_a_request_and_falls_silent_is_told_and_cut(sent: bytes, status: bytes) -> None:
    with gateway(slow_s=0.3, slow_bytes=4096) as (server, address):
        assert spoken_to(address, sent).startswith(b"HTTP/1.1 " + status)
        assert not server.broker.jobs


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /f HTTP/1.1\r\n" + b"X: y\r\n" * 12_000, b"431"),
        (
            HEAD
            + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /g HTTP/1.1\r\nHost: a\r\n\r\n",
            b"400",
        ),
        (b"\0REQ\0\0\0\x07\0\0\0\0\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_request_ends_the_connection_and_nothing_else(sent: bytes, status: bytes) -> None:
    with gateway() as (server, address):
        answer = spoken_to(address, sent)
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert not server.broker.jobs
        assert spoken_to(address, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 404")
