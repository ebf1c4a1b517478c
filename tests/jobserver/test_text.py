"""The text commands, as gearadmin and monitoring scripts read them."""

from __future__ import annotations

import pytest

from fleet.jobserver import text
from fleet.jobserver.broker import Broker
from fleet.jobserver.job import HIGH
from fleet.version import __version__
from tests.jobserver.test_broker import grabbed, make_broker, peer


@pytest.fixture
def broker() -> Broker:
    """Three jobs of f, one of them running; an idle worker of f and g."""
    made = make_broker()
    client = peer(made)
    made.submit(client, b"f", b"one", b"", 0, background=True)
    made.submit(client, b"f", b"two", b"", 0)
    made.submit(client, b"f", b"", b"", 0, priority=HIGH)
    worker = peer(made, b"f", b"g")
    worker.label, worker.client_id = "7 127.0.0.1", b"resizer 1"
    grabbed(made, worker)
    return made


@pytest.mark.parametrize("command", [b"status", b"STATUS", b"status please"])
def test_status(broker: Broker, command: bytes) -> None:
    assert text.answer(broker, command) == b"f\t3\t1\t1\ng\t0\t0\t1\n.\n"


def test_prioritystatus_counts_what_is_queued(broker: Broker) -> None:
    assert text.answer(broker, b"prioritystatus") == b"f\t0\t2\t0\t1\ng\t0\t0\t0\t1\n.\n"


def test_workers_lists_every_connection(broker: Broker) -> None:
    assert text.answer(broker, b"workers") == b"-1 - - :\n7 127.0.0.1 resizer 1 : f g\n.\n"


def test_version() -> None:
    assert text.answer(make_broker(), b"version") == f"OK {__version__}\n".encode()


def test_show_jobs(broker: Broker) -> None:
    assert text.answer(broker, b"show jobs") == b"H:test:1\t0\t0\t1\nH:test:2\t0\t0\t0\nH:test:3\t0\t0\t0\n.\n"
    assert text.answer(broker, b"show unique jobs") == b"one\ntwo\n\n.\n"
    assert text.answer(broker, b"show foo") == b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"


def test_cancel_job(broker: Broker) -> None:
    assert text.answer(broker, b"cancel job H:test:2") == b"OK\n"
    assert text.answer(broker, b"cancel job H:test:2") == b"ERR UNKNOWN_JOB\r\n"
    assert text.answer(broker, b"cancel foo bar") == b"ERR UNKNOWN_ERROR\r\n"
    assert b"H:test:2" not in text.answer(broker, b"show jobs")


@pytest.mark.parametrize("line", [b"", b" status", b"GET / HTTP/1.1", b"shutdown", b"show", b"a b c d e f"])
def test_anything_else_is_an_unknown_command(broker: Broker, line: bytes) -> None:
    answer = text.answer(broker, line)
    assert answer.startswith(b"ERR UNKNOWN_COMMAND")
    assert answer.count(b"\n") == 1


def test_a_name_cannot_break_the_table() -> None:
    broker = make_broker()
    peer(broker, b"a\tb\n")
    assert text.answer(broker, b"status") == b"a\\x09b\\x0a\t0\t0\t1\n.\n"
