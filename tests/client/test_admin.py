"""The text protocol from the client's side."""

from __future__ import annotations

import socket

import pytest

from fleet.client import admin
from fleet.errors import Deadline, NoServer
from fleet.settings import Address
from fleet.version import __version__
from tests.client.test_blocking import silent
from tests.peer import worker
from tests.ports import ClosedPort

pytestmark = pytest.mark.system


def test_status_and_version(server: Address) -> None:
    assert admin.version(server) == __version__
    assert admin.status(server) == []
    with worker(server, resize=silent):
        assert admin.status(server) == [admin.FunctionStatus("resize", 0, 0, 1)]


def test_counters(server: Address) -> None:
    assert (admin.counters(server) or {})["functions"] == {}
    with worker(server, resize=silent):
        found = admin.counters(server)
    assert found is not None
    assert found["functions"]["resize"]["submitted"] == 0


def test_nobody_there(closed_port: ClosedPort) -> None:
    with pytest.raises(NoServer, match="connection refused"):
        admin.status(closed_port())


def test_somebody_who_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(Deadline, match="did not answer"):
        admin.status(Address(*mute.getsockname()), timeout=0.1)
