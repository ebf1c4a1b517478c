"""The same HTTP requests to our gateway and to gearmand's plugin: what goes well there goes well here."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from dataclasses import replace

import pytest

from fleet.settings import Address
from tests.conftest import listening
from tests.interop.servers import GEARMAND
from tests.peer import reverse, worker
from tests.processes import FLEET, LIMIT_S, Program, until

pytestmark = [pytest.mark.interop, pytest.mark.system]

Answer = tuple[int, str | None, bool, bytes]  # status, command, whether there is a handle, body


def ours(spawn: Callable[..., Program]) -> tuple[Address, Address]:
    server = spawn(*FLEET, "server", "--port", "0", "--protocol", "http", "--http-port", "0")
    return listening(server), Address.parse(server.out.line().removeprefix("http listening "))


def gearmands(spawn: Callable[..., Program]) -> tuple[Address, Address]:
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        http_address = Address(*chosen.getsockname())
    options = (*GEARMAND.options, "--protocol=http", f"--http-port={http_address.port}")
    return replace(GEARMAND, options=options).start(spawn), http_address


def asked(address: Address, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
    client = http.client.HTTPConnection(address.host, address.port, timeout=LIMIT_S)
    try:
        client.request(method, path, body, headers)
        answer = client.getresponse()
        named = answer.headers
        return answer.status, named["X-Gearman-Command"], "X-Gearman-Job-Handle" in named, answer.read()
    finally:
        client.close()


def speaks(address: Address) -> bool:
    try:
        socket.create_connection((address.host, address.port), LIMIT_S).close()
    except ConnectionRefusedError:
        return False
    return True


ALIKE: list[tuple[str, str, bytes | None, dict[str, str]]] = [
    ("POST", "/reverse", b"hello", {}),
    ("PUT", "/reverse", b"hello", {}),
    ("GET", "/reverse", None, {}),
    ("POST", "//reverse", b"hello", {}),
    ("POST", "/reverse", b"hello", {"X-Gearman-Unique": "me", "X-Gearman-Priority": "high"}),
    ("POST", "/reverse", b"hello", {"x-gearman-priority": "low"}),
]


def test_what_goes_well_at_gearmand_goes_well_here(spawn: Callable[..., Program]) -> None:
    answers = []
    for start in (ours, gearmands):
        gearman, address = start(spawn)
        until(lambda address=address: speaks(address), "HTTP is spoken")  # type: ignore[misc]
        with worker(gearman, reverse=reverse):
            answers.append([asked(address, *request) for request in ALIKE])
    assert answers[0] == answers[1]
    assert answers[0][0] == (200, "WORK_COMPLETE", True, b"olleh")


def test_where_we_differ_from_gearmand(spawn: Callable[..., Program]) -> None:
    found = []
    for start in (ours, gearmands):
        _, address = start(spawn)
        until(lambda address=address: speaks(address), "HTTP is spoken")  # type: ignore[misc]
        background = asked(address, "POST", "/nobody", b"x", {"X-Gearman-Background": "true"})
        nothing = asked(address, "GET", "/", None, {})
        found.append((background[:3], nothing[0]))
    assert found == [((202, "JOB_CREATED", True), 404), ((200, "JOB_CREATED", True), 404)]
