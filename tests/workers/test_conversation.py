"""A worker's side of a connection, without a socket."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.errors import ProtocolError
from fleet.jobserver.session import Session
from fleet.jobserver.wire import Hub
from fleet.protocol import REQ, RES, encode, packets
from fleet.workers.conversation import Assigned, Cancelled, Conversation, Event, Refused, Told
from tests.jobserver.queue import make_broker, peer


class Wire:
    """A worker's conversation and a session, joined in memory."""

    def __init__(self) -> None:
        self.broker = make_broker()
        self.session = Session(Hub(self.broker))
        self.worker = Conversation(1 << 20)
        self.client = peer(self.broker)

    def move(self) -> list[Event]:
        """Bytes both ways until it is quiet; what the worker was told."""
        told: list[Event] = []
        self.broker.wake(0)
        while self.worker.outbox or self.session.outbox:
            for data in self.worker.outbox:
                self.session.feed(data, 0)
            self.worker.outbox.clear()
            self.broker.wake(0)
            for data in self.session.take():
                told += self.worker.feed(data)
        return told


def test_a_job_from_grab_to_result() -> None:
    wire = Wire()
    wire.worker.introduce("me", [("f", 0), ("g", 1500)])
    wire.worker.grab()
    assert wire.move() == [Told.NO_JOB]
    assert (wire.session.client_id, [f.name for f in wire.session.functions]) == (b"me", [b"f", b"g"])
    assert wire.broker.functions[b"g"].workers[wire.session] == 1_500_000_000
    wire.worker.sleep()
    assert wire.move() == []
    job = wire.broker.submit(wire.client, b"f", b"u", b"work", 0)
    assert wire.move() == [Told.NOOP]
    wire.worker.grab()
    assert wire.move() == [Assigned(job.handle, b"f", b"u", b"work")]
    wire.worker.status(job.handle, 1, 2)
    wire.worker.data(job.handle, b"some")
    wire.worker.warning(job.handle, b"hm")
    wire.worker.complete(job.handle, b"done")
    wire.move()
    assert wire.client.heard == [
        ("status", job.handle, b"1", b"2"),
        (packets.WORK_DATA, job.handle, b"some"),
        (packets.WORK_WARNING, job.handle, b"hm"),
        (packets.WORK_COMPLETE, job.handle, b"done"),
    ]


@pytest.mark.parametrize("how", ["fail", "exception"])
def test_failures(how: str) -> None:
    wire = Wire()
    wire.worker.introduce("", [("f", 0)])
    job = wire.broker.submit(wire.client, b"f", b"", b"", 0)
    wire.worker.grab()
    wire.move()
    if how == "fail":
        wire.worker.fail(job.handle)
    else:
        wire.worker.exception(job.handle, "ValueError: ß")
    wire.move()
    expected = (packets.WORK_FAIL, b"") if how == "fail" else (packets.WORK_EXCEPTION, "ValueError: ß".encode())
    assert wire.client.heard == [(expected[0], job.handle, expected[1])]


def test_a_late_result_is_refused_and_nothing_breaks() -> None:
    wire = Wire()
    wire.worker.complete(b"H:gone", b"late")
    assert wire.move() == [Refused("JOB_NOT_FOUND", "Job given in work result not found")]


def test_a_pool_hears_that_its_job_was_cancelled() -> None:
    wire = Wire()
    wire.worker.introduce("me", [("f", 0)], pool=True)
    job = wire.broker.submit(wire.client, b"f", b"", b"", 0)
    wire.worker.grab()
    wire.move()
    wire.broker.cancel(job.handle, 0)
    assert wire.move() == [Cancelled(job.handle)]


@pytest.mark.parametrize("reducers", [True, False])
def test_reducers_come_with_their_jobs_to_those_who_want_them(reducers: bool) -> None:
    wire = Wire()
    wire.worker.introduce("me", [("f", 0)], pool=True, reducers=reducers)
    wire.move()
    job = wire.broker.submit(wire.client, b"f", b"u", b"w", 0, reducer=b"count")
    wire.worker.grab()
    assert wire.move() == [Assigned(job.handle, b"f", b"u", b"w", b"count" if reducers else b"")]


def test_what_is_not_for_a_worker_is_ignored() -> None:
    worker = Conversation(1 << 20)
    stream = encode(RES, packets.ECHO_RES, b"x") + encode(RES, packets.NOOP)
    assert list(worker.feed(stream)) == [Told.NOOP]
    with pytest.raises(ProtocolError):
        list(worker.feed(b"garbage that is no packet"))


@settings(max_examples=50)
@given(st.binary(max_size=100_000), st.lists(st.integers(0, 100_100), max_size=5))
def test_a_job_arrives_whole_however_the_stream_is_cut(workload: bytes, cuts: list[int]) -> None:
    stream = encode(RES, packets.JOB_ASSIGN, b"H:1", b"f", workload) + encode(RES, packets.NOOP)
    edges = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    worker = Conversation(1 << 20)
    told: list[Event] = []
    for start, end in pairwise(edges):
        told += worker.feed(stream[start:end])
    assert told == [Assigned(b"H:1", b"f", b"", workload), Told.NOOP]


def test_the_perl_server_is_asked_in_its_way() -> None:
    worker = Conversation(1 << 20)
    refusal = encode(RES, packets.ERROR, b"server_error", b"Can't locate object method CMD_")
    worker.grab()
    assert list(worker.feed(refusal)) == [Told.OTHER_GRAB]
    worker.outbox.clear()
    worker.grab()
    assert worker.outbox == [encode(REQ, packets.GRAB_JOB)]
    assert list(worker.feed(encode(RES, packets.JOB_ASSIGN, b"H:1", b"f", b"w"))) == [Assigned(b"H:1", b"f", b"", b"w")]
    worker.outbox.clear()
    worker.exception(b"H:1", "boom")
    assert worker.outbox[-1] == encode(REQ, packets.WORK_FAIL, b"H:1")
    assert [type(event) for event in worker.feed(refusal)] == [Refused]
