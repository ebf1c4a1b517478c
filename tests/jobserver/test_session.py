"""One connection at the job server, without a socket: packets in, packets out."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.jobserver.broker import Broker
from fleet.jobserver.session import HANDLERS, Session
from fleet.jobserver.wire import Hub
from fleet.protocol import REQ, RES, SHAPES, TEXT, Decoder, encode
from fleet.protocol.packets import (
    CAN_DO,
    ECHO_REQ,
    ECHO_RES,
    ERROR,
    GET_STATUS,
    GET_STATUS_UNIQUE,
    GRAB_JOB,
    GRAB_JOB_ALL,
    GRAB_JOB_UNIQ,
    HEADER,
    JOB_ASSIGN,
    JOB_ASSIGN_ALL,
    JOB_ASSIGN_UNIQ,
    JOB_CREATED,
    NO_JOB,
    NOOP,
    OPTION_REQ,
    OPTION_RES,
    POOL,
    PRE_SLEEP,
    STATUS_RES,
    STATUS_RES_UNIQUE,
    SUBMIT_JOB,
    SUBMIT_JOB_BG,
    SUBMIT_JOB_EPOCH,
    SUBMIT_JOB_HIGH,
    SUBMIT_JOB_HIGH_BG,
    SUBMIT_JOB_LOW,
    SUBMIT_JOB_LOW_BG,
    SUBMIT_REDUCE_JOB,
    SUBMIT_REDUCE_JOB_BACKGROUND,
    WORK_COMPLETE,
    WORK_DATA,
    WORK_EXCEPTION,
    WORK_FAIL,
    WORK_STATUS,
    WORK_WARNING,
)
from tests.jobserver.queue import make_broker

SECOND = 1_000_000_000
LIMIT = 1 << 20


class End:
    """A session and what a peer at its other end reads."""

    def __init__(self, broker: Broker, *, exceptions: bool = False) -> None:
        self.broker = broker
        self.session = Session(Hub(broker, exceptions=exceptions))
        self.decoder = Decoder(RES, body_bytes=1 << 30)

    def send(self, kind: int, *args: bytes) -> list[tuple[Any, ...]]:
        self.session.feed(encode(REQ, kind, *args), 0)
        self.broker.wake(0)
        return self.read()

    def raw(self, data: bytes) -> bytes:
        self.session.feed(data, 0)
        return b"".join(map(bytes, self.session.take()))

    def read(self) -> list[tuple[Any, ...]]:
        sent = b"".join(map(bytes, self.session.take()))
        return [(kind, *args) for kind, args in self.decoder.feed(sent)]


@pytest.fixture
def broker() -> Broker:
    return make_broker(packet_bytes=LIMIT)


@pytest.fixture
def client(broker: Broker) -> End:
    return End(broker)


@pytest.fixture
def worker(broker: Broker) -> End:
    made = End(broker)
    made.send(CAN_DO, b"f")
    return made


def test_every_packet_type_has_a_handler() -> None:
    assert set(HANDLERS) == set(SHAPES) | {TEXT}


def test_a_job_from_submit_to_result(client: End, worker: End) -> None:
    assert worker.send(GRAB_JOB) == [(NO_JOB,)]
    assert worker.send(PRE_SLEEP) == []
    ((kind, handle),) = client.send(SUBMIT_JOB, b"f", b"u", b"work")
    assert kind == JOB_CREATED
    assert worker.read() == [(NOOP,)]
    assert worker.send(GRAB_JOB) == [(JOB_ASSIGN, handle, b"f", b"work")]
    worker.send(WORK_STATUS, handle, b"1", b"3")
    worker.send(WORK_DATA, handle, b"some\0data")
    worker.send(WORK_WARNING, handle, b"hm")
    assert client.send(GET_STATUS, handle)[3:] == [(STATUS_RES, handle, b"1", b"1", b"1", b"3")]
    worker.send(WORK_COMPLETE, handle, b"done")
    assert client.read() == [(WORK_COMPLETE, handle, b"done")]
    assert client.send(GET_STATUS, handle) == [(STATUS_RES, handle, b"0", b"0", b"0", b"0")]
    assert worker.read() == []


@pytest.mark.parametrize(("grab", "assign"), [(GRAB_JOB_UNIQ, JOB_ASSIGN_UNIQ), (GRAB_JOB_ALL, JOB_ASSIGN_UNIQ)])
def test_grabs_that_show_the_unique(client: End, worker: End, grab: int, assign: int) -> None:
    ((_, handle),) = client.send(SUBMIT_JOB_BG, b"f", b"u", b"work")
    assert worker.send(grab) == [(assign, handle, b"f", b"u", b"work")]


@pytest.mark.parametrize("kind", [SUBMIT_JOB, SUBMIT_JOB_HIGH, SUBMIT_JOB_LOW])
def test_foreground_submits_hear_of_the_end(client: End, worker: End, kind: int) -> None:
    ((_, handle),) = client.send(kind, b"f", b"", b"")
    worker.send(GRAB_JOB)
    worker.send(WORK_COMPLETE, handle, b"r")
    assert client.read() == [(WORK_COMPLETE, handle, b"r")]


@pytest.mark.parametrize("kind", [SUBMIT_JOB_BG, SUBMIT_JOB_HIGH_BG, SUBMIT_JOB_LOW_BG])
def test_background_submits_hear_nothing_more(client: End, worker: End, kind: int) -> None:
    ((_, handle),) = client.send(kind, b"f", b"", b"")
    worker.send(GRAB_JOB)
    worker.send(WORK_COMPLETE, handle, b"r")
    assert client.read() == []


@pytest.mark.parametrize(("kind", "waits"), [(SUBMIT_REDUCE_JOB, True), (SUBMIT_REDUCE_JOB_BACKGROUND, False)])
def test_a_reduce_job_is_handed_over_with_its_reducer(client: End, worker: End, kind: int, waits: bool) -> None:
    ((created, handle),) = client.send(kind, b"f", b"u", b"count", b"", b"a\0b")
    assert created == JOB_CREATED
    assert worker.send(GRAB_JOB_ALL) == [(JOB_ASSIGN_ALL, handle, b"f", b"u", b"count", b"a\0b")]
    worker.send(WORK_COMPLETE, handle, b"7")
    assert client.read() == ([(WORK_COMPLETE, handle, b"7")] if waits else [])


@pytest.mark.parametrize(("grab", "assign"), [(GRAB_JOB, JOB_ASSIGN), (GRAB_JOB_UNIQ, JOB_ASSIGN_UNIQ)])
def test_other_grabs_do_a_reduce_job_as_any_other(client: End, worker: End, grab: int, assign: int) -> None:
    client.send(SUBMIT_REDUCE_JOB, b"f", b"u", b"count", b"", b"w")
    ((kind, *_, workload),) = worker.send(grab)
    assert (kind, workload) == (assign, b"w")


def test_a_job_for_later_comes_when_its_time_has(broker: Broker, client: End, worker: End) -> None:
    ((created, handle),) = client.send(SUBMIT_JOB_EPOCH, b"f", b"u", b"1000", b"w")
    assert created == JOB_CREATED
    assert client.send(GET_STATUS, handle) == [(STATUS_RES, handle, b"1", b"0", b"0", b"0")]
    assert worker.send(GRAB_JOB) == [(NO_JOB,)]
    worker.send(PRE_SLEEP)
    broker.tick(0, 1000.5)
    assert worker.read() == [(NOOP,)]
    assert worker.send(GRAB_JOB) == [(JOB_ASSIGN, handle, b"f", b"w")]


def test_exceptions_are_for_everybody_where_the_server_says_so(broker: Broker, worker: End) -> None:
    client = End(broker, exceptions=True)
    ((_, handle),) = client.send(SUBMIT_JOB, b"f", b"", b"")
    worker.send(GRAB_JOB)
    worker.send(WORK_EXCEPTION, handle, b"ValueError: no")
    assert client.read() == [(WORK_EXCEPTION, handle, b"ValueError: no")]


def test_exceptions_go_to_those_who_asked_and_are_failures_to_the_others(broker: Broker, worker: End) -> None:
    asked, other = End(broker), End(broker)
    assert asked.send(OPTION_REQ, b"Exceptions") == [(OPTION_RES, b"Exceptions")]
    ((_, handle),) = asked.send(SUBMIT_JOB, b"f", b"u", b"")
    other.send(SUBMIT_JOB, b"f", b"u", b"")
    worker.send(GRAB_JOB)
    worker.send(WORK_EXCEPTION, handle, b"ValueError: no")
    assert asked.read() == [(WORK_EXCEPTION, handle, b"ValueError: no")]
    assert other.read() == [(WORK_FAIL, handle)]


def test_a_cancelled_job_is_told_to_our_own_pool_and_to_no_other_worker(broker: Broker, client: End) -> None:
    ours, other = End(broker), End(broker)
    assert ours.send(OPTION_REQ, POOL) == [(OPTION_RES, POOL)]
    for worker in (ours, other):
        worker.send(CAN_DO, b"f")
        ((_, handle),) = client.send(SUBMIT_JOB, b"f", b"", b"")
        worker.send(GRAB_JOB)
        assert client.raw(b"cancel job " + handle + b"\n").endswith(b"OK\n")
        assert worker.read() == ([(WORK_FAIL, handle)] if worker is ours else [])
        assert worker.send(WORK_COMPLETE, handle, b"late") == []
        assert client.read() == []


def test_a_pool_of_ours_may_end_a_job_that_its_last_connection_had(broker: Broker, client: End, worker: End) -> None:
    ((_, first),) = client.send(SUBMIT_JOB, b"f", b"1", b"")
    ((_, second),) = client.send(SUBMIT_JOB, b"f", b"2", b"")
    pool = End(broker)
    assert pool.send(WORK_COMPLETE, first, b"done")[0][0] == ERROR  # it has not said that it is one of ours
    pool.send(OPTION_REQ, POOL)
    assert pool.send(WORK_STATUS, first, b"0", b"0") == []
    assert pool.send(WORK_COMPLETE, second, b"done") == []
    assert pool.send(WORK_COMPLETE, first, b"done") == []
    assert client.read() == [(WORK_COMPLETE, second, b"done"), (WORK_COMPLETE, first, b"done")]
    assert pool.send(WORK_COMPLETE, b"H:unknown", b"done") == [(WORK_FAIL, b"H:unknown")]


def test_a_failures_handle_has_no_nul_behind_it(client: End, worker: End) -> None:
    ((_, handle),) = client.send(SUBMIT_JOB, b"f", b"", b"")
    worker.send(GRAB_JOB)
    worker.send(WORK_FAIL, handle + b"\0")
    assert client.raw(b"") == HEADER.pack(RES, WORK_FAIL, len(handle)) + handle


def test_answers_keep_the_order_of_the_requests(client: End) -> None:
    stream = b"".join(
        (
            encode(REQ, ECHO_REQ, b"1"),
            encode(REQ, SUBMIT_JOB, b"f", b"", b""),
            encode(REQ, SUBMIT_JOB, b"", b"", b""),
            b"version\n",
            encode(REQ, GET_STATUS, b"H:x"),
        )
    )
    sent = client.raw(stream)
    assert sent.startswith(encode(RES, ECHO_RES, b"1") + encode(RES, JOB_CREATED, b"H:test:1"))
    assert sent.index(b"INVALID_ARGUMENT") < sent.index(b"OK ") < sent.index(b"H:x")


def test_status_by_unique(client: End) -> None:
    client.send(SUBMIT_JOB, b"f", b"u", b"")
    assert client.send(GET_STATUS_UNIQUE, b"u") == [(STATUS_RES_UNIQUE, b"u", b"1", b"0", b"0", b"0", b"1")]
    assert client.send(GET_STATUS_UNIQUE, b"v") == [(STATUS_RES_UNIQUE, b"v", b"0", b"0", b"0", b"0", b"0")]


def test_client_and_worker_may_share_a_connection(broker: Broker) -> None:
    both = End(broker)
    both.send(CAN_DO, b"f")
    ((_, handle),) = both.send(SUBMIT_JOB, b"f", b"", b"w")
    assert both.send(GRAB_JOB) == [(JOB_ASSIGN, handle, b"f", b"w")]
    assert both.send(WORK_COMPLETE, handle, b"r") == [(WORK_COMPLETE, handle, b"r")]
