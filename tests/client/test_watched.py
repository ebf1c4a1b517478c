"""Watching jobs: what arrives, in its order, from several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from fleet import Client
from fleet.client.watched import Event, submit, watch
from fleet.errors import Deadline, NoServer
from fleet.protocol import packets
from fleet.settings import Address
from tests.client.test_blocking import silent
from tests.conftest import start_at
from tests.peer import Peer, chatty, explode, fail, reverse, worker
from tests.ports import ClosedPort
from tests.processes import LIMIT_S, Program

pytestmark = pytest.mark.system


@pytest.fixture
def client(server: Address) -> Iterator[Client]:
    with Client(server, timeout=LIMIT_S) as made:
        yield made


def test_a_job_from_its_first_word_to_its_last(server: Address, client: Client) -> None:
    with worker(server, chatty=chatty):
        found = [event for _, event in watch([submit(client, "chatty")])]
    assert found == [
        Event("status", progress=(1, 3)),
        Event("data", b"part 1\n"),
        Event("status", progress=(2, 3)),
        Event("data", b"part 2\n"),
        Event("status", progress=(3, 3)),
        Event("data", b"part 3\n"),
        Event("warning", b"nearly done"),
        Event("complete", b"end"),
    ]


def test_how_jobs_fail(server: Address, client: Client) -> None:
    with worker(server, fail=fail, explode=explode, reverse=reverse):
        tasks = [submit(client, name, b"abc") for name in ("fail", "explode", "reverse")]
        found = {task.function: event for task, event in watch(tasks)}
    assert found == {
        b"fail": Event("fail"),
        b"explode": Event("fail", b"ValueError: abc"),
        b"reverse": Event("complete", b"cba"),
    }


def test_events_are_given_as_they_come(server: Address, client: Client) -> None:
    go = threading.Event()

    def slow(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_DATA, handle, b"first")
        assert go.wait(LIMIT_S)
        peer.send(packets.WORK_COMPLETE, handle, b"last")

    with worker(server, slow=slow):
        events = watch([submit(client, "slow")])
        assert next(events)[1] == Event("data", b"first")
        go.set()
        assert next(events)[1] == Event("complete", b"last")


def test_silence_has_a_deadline(server: Address, client: Client) -> None:
    with worker(server, silent=silent), pytest.raises(Deadline, match="no answer from silent"):
        list(watch([submit(client, "silent")], timeout=0.05))


def test_a_server_that_goes_takes_only_unseen_events_with_it(
    spawn: Callable[..., Program], closed_port: ClosedPort
) -> None:
    """A job whose output was seen fails; its neighbour, of which nothing was seen, is begun anew."""
    address = closed_port()
    process = start_at(address, spawn)

    def half(peer: Peer, handle: bytes, workload: bytes) -> None:
        peer.send(packets.WORK_DATA, handle, b"half")

    with Client(address, timeout=LIMIT_S) as client, worker(address, half=half):
        seen = submit(client, "half")
        assert next(watch([seen]))[1] == Event("data", b"half")
        unseen = submit(client, "nobody", unique="u")
        process.process.kill()
        with pytest.raises(NoServer, match="in the middle of the job's output"):
            list(watch([seen]))
        assert not unseen.done
        process.ended()
        start_at(address, spawn)
        with worker(address, nobody=reverse):
            assert [event for _, event in watch([unseen])] == [Event("complete")]
