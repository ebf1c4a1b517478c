"""Connecting to a name that has several addresses, of which the server listens on one."""

from __future__ import annotations

import errno
import select
import socket
from collections.abc import Iterator

import pytest

from fleet import dial
from fleet.settings import Address
from tests.ports import ClosedPort


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def known_as(monkeypatch: pytest.MonkeyPatch, *where: tuple[str, int]) -> None:
    """The name has these addresses; this machine's /etc/hosts may have one only."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", one) for one in where]
    monkeypatch.setattr(dial, "resolved", lambda address: list(found))


def dialled(attempt: dial.Dial) -> socket.socket:
    while True:
        select.select([], [attempt.sock], [], 10)
        if attempt.connected():
            return attempt.sock


def test_the_address_that_is_listened_on_is_found_behind_those_that_refuse(
    monkeypatch: pytest.MonkeyPatch, listening: tuple[str, int], closed_port: ClosedPort
) -> None:
    closed = closed_port()
    known_as(monkeypatch, (closed.host, closed.port), (closed.host, closed.port), listening)
    with dialled(dial.Dial(dial.resolved(Address("localhost")))) as sock:
        assert sock.getpeername() == listening
        assert not sock.getblocking()


def test_when_all_refuse_that_is_said(monkeypatch: pytest.MonkeyPatch, closed_port: ClosedPort) -> None:
    closed = closed_port()
    known_as(monkeypatch, (closed.host, closed.port), (closed.host, closed.port))
    with pytest.raises(ConnectionRefusedError):
        dialled(dial.Dial(dial.resolved(Address("localhost"))))


def test_a_reason_is_said_in_words_and_not_in_numbers() -> None:
    assert dial.reason_of(ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('::1', 1)")) == (
        "connection refused"
    )
    with pytest.raises(OSError) as unknown:
        dial.resolved(Address("nowhere.invalid"))
    assert dial.reason_of(unknown.value).startswith(("name or service not known", "temporary failure"))
