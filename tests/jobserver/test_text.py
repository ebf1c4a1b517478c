"""The text commands, as gearadmin and monitoring scripts read them."""

from __future__ import annotations

import pytest

from fleet.jobserver import text
from fleet.jobserver.job import HIGH, LOW, NORMAL
from fleet.jobserver.refusal import Refusal
from fleet.jobserver.session import Session
from fleet.jobserver.wire import Hub, Wire
from fleet.version import __version__
from tests.jobserver.queue import grabbed, make_broker, peer

UNKNOWN = b"ERR UNKNOWN_COMMAND Unknown+server+command%s\r\n"
INCOMPLETE = b"ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+%s\r\n"


def an_asker(*, admin: bool = True) -> Wire:
    return Session(Hub(make_broker(), pid=4711, verbose="INFO"), "3 127.0.0.1", admin)


@pytest.fixture
def asker() -> Wire:
    """Who asks a server with four jobs of f, one of them running, one for later; an idle worker of f and g."""
    found = an_asker()
    broker = found.broker
    client = peer(broker)
    client.label = "5 10.0.0.2"
    broker.submit(client, b"f", b"one", b"", 0, background=True)
    broker.submit(client, b"f", b"two", b"", 0)
    broker.submit(client, b"f", b"", b"", 0, priority=HIGH)
    broker.submit(client, b"f", b"later", b"", 0, background=True, epoch_s=99)
    worker = peer(broker, b"f", b"g")
    worker.label, worker.client_id = "7 10.0.0.1", b"resizer 1"
    grabbed(broker, worker)
    return found


def ask(asker: Wire, line: bytes) -> bytes:
    answer = text.answer(asker, line, 0)
    assert isinstance(answer, bytes)
    return answer


@pytest.mark.parametrize("command", [b"status", b"STATUS", b"status please"])
def test_status(asker: Wire, command: bytes) -> None:
    assert ask(asker, command) == b"f\t4\t1\t1\ng\t0\t0\t1\n.\n"


def test_prioritystatus_counts_what_is_queued(asker: Wire) -> None:
    assert ask(asker, b"prioritystatus") == b"f\t0\t3\t0\t1\ng\t0\t0\t0\t1\n.\n"


def test_workers_lists_every_connection(asker: Wire) -> None:
    assert ask(asker, b"workers") == b"3 127.0.0.1 - :\n5 10.0.0.2 - :\n7 10.0.0.1 resizer 1 : f g\n.\n"


def test_the_servers_own_facts(asker: Wire) -> None:
    assert ask(asker, b"version") == f"OK {__version__}\n".encode()
    assert ask(asker, b"version please") == f"OK {__version__}\n".encode()
    assert ask(asker, b"getpid") == b"OK 4711\n"
    assert ask(asker, b"verbose") == b"OK INFO\n"


def test_show_jobs(asker: Wire) -> None:
    rows = b"H:test:1\t0\t0\t1\nH:test:2\t0\t0\t0\nH:test:3\t0\t0\t0\nH:test:4\t0\t0\t1\n.\n"
    assert ask(asker, b"show jobs") == rows
    assert ask(asker, b"show unique jobs") == b"one\ntwo\n\nlater\n.\n"
    assert ask(asker, b"show foo") == b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"


def test_the_perl_servers_jobs_and_clients(asker: Wire) -> None:
    assert ask(asker, b"jobs") == b"f\tone\t-\t0\nf\ttwo\t-\t1\nf\t\t10.0.0.1\t1\nf\tlater\t-\t0\n.\n"
    assert ask(asker, b"clients") == b"127.0.0.1\n10.0.0.2\n\tf\ttwo\t-\n\tf\t\t10.0.0.1\n10.0.0.1\n.\n"


def test_cancel_job(asker: Wire) -> None:
    assert ask(asker, b"cancel job H:test:2") == b"OK\n"
    assert ask(asker, b"cancel job H:test:2") == b"ERR UNKNOWN_JOB\r\n"
    assert ask(asker, b"cancel job H:test:4") == b"OK\n"
    assert ask(asker, b"cancel foo bar") == b"ERR UNKNOWN_ERROR\r\n"
    assert ask(asker, b"show jobs") == b"H:test:1\t0\t0\t1\nH:test:3\t0\t0\t0\n.\n"


def test_create_and_drop_function(asker: Wire) -> None:
    assert ask(asker, b"create function new") == b"OK\n"
    assert b"\nnew\t0\t0\t0\n" in ask(asker, b"status")
    assert ask(asker, b"drop function new") == b"OK\n"
    assert ask(asker, b"drop function new") == b"ERR function not found\r\n"
    busy = b"ERR there are still connected workers or executing clients\r\n"
    assert ask(asker, b"drop function g") == busy
    asker.broker.submit(asker, b"queued", b"", b"", 0)
    assert ask(asker, b"drop function queued") == busy
    assert ask(asker, b"create function " + b"f" * 513).startswith(b"ERR ARGUMENT_TOO_LARGE")


def is_taken(asker: Wire, priority: int) -> bool:
    try:
        asker.broker.submit(asker, b"f", b"", b"", 0, priority=priority)
    except Refusal as refusal:
        return refusal.args != (b"QUEUE_ERROR", b"Job queue is full")
    return True


def test_maxqueue_limits_each_priority_by_all_jobs_of_the_function() -> None:
    asker = an_asker()
    assert ask(asker, b"maxqueue f 3 2 1") == b"OK\n"

    def taken() -> list[int]:
        """How many jobs of each priority, low ones first, are taken one after the other."""
        return [sum(is_taken(asker, priority) for _ in range(5)) for priority in (LOW, NORMAL, HIGH)]

    assert taken() == [1, 1, 1]
    assert ask(asker, b"maxqueue f 5") == b"OK\n"
    assert taken() == [2, 0, 0]
    assert ask(asker, b"maxqueue f") == b"OK\n"
    assert taken() == [5, 5, 5]
    assert ask(asker, b"maxqueue f -1") == b"OK\n"
    assert taken() == [5, 5, 5]


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"", UNKNOWN % b""),
        (b" status", UNKNOWN % b""),
        (b"shutdown", UNKNOWN % b"shutdown"),
        (b"show", UNKNOWN % b"show"),
        (b"cancel", UNKNOWN % b"cancel"),
        (b"cancel job", UNKNOWN % b"cancel"),
        (b"a b c d e f", UNKNOWN % b"a"),
        (b"show jobs x", b"ERR UNKNOWN_SHOW_ARGUMENTS\r\n"),
        (b"create", INCOMPLETE % b"create"),
        (b"create foo", INCOMPLETE % b"create"),
        (b"create function", INCOMPLETE % b"create"),
        (b"drop", INCOMPLETE % b"drop"),
        (b"drop function", INCOMPLETE % b"drop"),
        (b"maxqueue", INCOMPLETE % b"maxqueue"),
        (b"maxqueue f 1 2", INCOMPLETE % b"maxqueue"),
        (b"maxqueue f many", b"ERR INVALID_ARGUMENTS maxqueue+takes+numbers+of+jobs\r\n"),
    ],
)
def test_the_sentences_of_gearmand_for_what_makes_no_sense(asker: Wire, line: bytes, answer: bytes) -> None:
    assert ask(asker, line) == answer


@pytest.mark.parametrize("line", [b"cancel job H:test:1", b"create function f", b"drop function f", b"maxqueue f 1"])
def test_w31_only_an_admin_changes_anything(line: bytes) -> None:
    stranger = an_asker(admin=False)
    assert ask(stranger, line).startswith(b"ERR PERMISSION_DENIED")
    assert not stranger.broker.functions
    assert ask(stranger, b"status") == b".\n"


def test_a_name_cannot_break_the_table() -> None:
    asker = an_asker()
    peer(asker.broker, b"a\tb\n")
    assert ask(asker, b"status") == b"a\\x09b\\x0a\t0\t0\t1\n.\n"


@pytest.mark.parametrize(
    "line", [b"GET / HTTP/1.1", b"SSH-2.0-OpenSSH_9.2", b"EHLO me", b"PING", b"*1", b"post /f HTTP/1.0"]
)
def test_w29_greetings_of_other_protocols_are_told_apart(line: bytes) -> None:
    assert text.is_foreign(line)
    assert ask(an_asker(), line).startswith(b"ERR UNKNOWN_COMMAND")


@pytest.mark.parametrize("line", [b"", b"status", b"get things done", b"pinging", b"show jobs"])
def test_a_persons_typing_errors_are_not_foreign(line: bytes) -> None:
    assert not text.is_foreign(line)
