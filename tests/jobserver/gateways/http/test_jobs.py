"""A job by HTTP, from its request to its result, or to why there is none."""

from __future__ import annotations

import pytest

from fleet.jobserver import stores
from fleet.jobserver.broker import Broker
from fleet.jobserver.job import HIGH
from fleet.protocol import packets
from tests.jobserver.gateways.http.end import End, answers, done
from tests.jobserver.house import House
from tests.jobserver.queue import Recorder, grabbed, make_broker


def test_a_job_from_its_request_to_its_result(broker: Broker, client: End, worker: Recorder) -> None:
    client.ask("POST", "/f?x=1", b"work", "X-Gearman-Unique: me", "X-Gearman-Priority: high")
    assert client.raw() == b""
    job = grabbed(broker, worker)
    assert (bytes(job.workload), job.unique, job.priority, job.background) == (b"work", b"me", HIGH, False)
    broker.progress(worker, job.handle, b"1", b"2")
    broker.work(worker, packets.WORK_WARNING, job.handle, b"hm", 0)
    assert client.raw() == b""
    broker.work(worker, packets.WORK_COMPLETE, job.handle, b"result", 0)
    status, headers, body = client.answer()
    assert (status, body) == (200, b"result")
    assert headers[b"x-gearman-job-handle"] == job.handle
    assert headers[b"x-gearman-command"] == b"WORK_COMPLETE"
    assert headers[b"content-length"] == b"6"
    assert not client.over()


def test_a_large_result_is_sent_from_where_it_lies(broker: Broker, client: End, worker: Recorder) -> None:
    result = bytearray(100_000)
    client.ask("POST", "/f")
    done(broker, worker, result)  # type: ignore[arg-type]
    assert any(part is result for part in client.wire.outbox)


@pytest.mark.parametrize(
    ("kind", "text", "status", "command"),
    [
        (packets.WORK_FAIL, b"", 502, b"WORK_FAIL"),
        (packets.WORK_EXCEPTION, b"ValueError: no", 502, b"WORK_EXCEPTION"),
        (packets.WORK_EXCEPTION, b"BadImage: corrupt: no", 422, b"WORK_EXCEPTION"),
        (packets.WORK_EXCEPTION, b"BadSpec: no", 422, b"WORK_EXCEPTION"),
        (packets.WORK_EXCEPTION, b"Badly done", 502, b"WORK_EXCEPTION"),
    ],
)
def test_a_failed_job_is_no_success(
    broker: Broker, client: End, worker: Recorder, kind: int, text: bytes, status: int, command: bytes
) -> None:
    client.ask("POST", "/f")
    job = done(broker, worker, text, kind)
    found, headers, body = client.answer()
    assert (found, body) == (status, text)
    assert headers[b"x-gearman-command"] == command
    assert headers[b"x-gearman-job-handle"] == job.handle


def test_data_streams_in_chunks_as_it_comes(broker: Broker, client: End, worker: Recorder) -> None:
    client.ask("POST", "/f")
    job = grabbed(broker, worker)
    broker.work(worker, packets.WORK_DATA, job.handle, b"one ", 0)
    first = client.raw()
    assert first.endswith(b"\r\n\r\n4\r\none \r\n")
    broker.work(worker, packets.WORK_WARNING, job.handle, b"hm", 0)
    broker.work(worker, packets.WORK_DATA, job.handle, b"", 0)
    broker.progress(worker, job.handle, b"1", b"2")
    assert client.raw() == b""
    broker.work(worker, packets.WORK_COMPLETE, job.handle, b"two", 0)
    ((status, headers, body),) = answers(first + client.raw())
    assert (status, headers[b"x-gearman-command"], body) == (200, b"WORK_DATA", b"one two")
    assert not client.over()


def test_a_stream_of_a_job_that_fails_has_no_end(broker: Broker, client: End, worker: Recorder) -> None:
    client.ask("POST", "/f")
    job = grabbed(broker, worker)
    broker.work(worker, packets.WORK_DATA, job.handle, b"one", 0)
    broker.work(worker, packets.WORK_FAIL, job.handle, b"", 0)
    assert client.raw().endswith(b"3\r\none\r\n")
    assert client.over()


def test_equal_bodies_are_one_job_unless_told_otherwise(broker: Broker, worker: Recorder) -> None:
    one, two, three = End(broker), End(broker), End(broker)
    one.ask("POST", "/f", b"same")
    two.ask("POST", "/f", b"same")
    three.ask("POST", "/f", b"same", "X-Gearman-Unique: other")
    assert len(broker.jobs) == 2
    done(broker, worker, b"r")
    assert one.answer()[1:] == two.answer()[1:]
    assert three.raw() == b""


def test_a_client_that_leaves_takes_its_queued_job_along(broker: Broker, client: End) -> None:
    client.ask("POST", "/f", b"work")
    assert client.wire.owed
    client.wire.lost(0)
    assert not broker.jobs


def test_a_full_queue_is_503_and_may_be_tried_again() -> None:
    client = End(make_broker(jobs=0))
    client.ask("POST", "/f", b"work")
    status, headers, body = client.answer()
    assert (status, headers[b"retry-after"], body) == (503, b"1", b"Job queue is full.\n")
    assert not client.over()


@pytest.mark.parametrize(("target", "unique"), [("/" + "f" * 513, "u"), ("/f", "u" * 65)])
def test_names_that_are_too_long_are_refused(broker: Broker, client: End, target: str, unique: str) -> None:
    client.ask("POST", target, b"work", f"X-Gearman-Unique: {unique}")
    assert client.answer()[0] == 400
    assert not broker.jobs


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [("HEAD", "/f", 405), ("OPTIONS", "/f", 405), ("GET", "/", 404), ("POST", "/%00", 400)],
)
def test_what_is_refused_has_no_effect_and_the_connection_lives(
    broker: Broker, client: End, method: str, target: str, status: int
) -> None:
    client.ask(method, target)
    assert client.answer(method)[0] == status
    assert not broker.jobs
    client.ask("GET", "/jobs/x")
    assert client.answer()[0] == 404


def test_a_foreground_job_that_the_store_turns_down_is_answered() -> None:
    house = House()
    client = End(house.broker)
    house.submit(b"u", name=b"resize")
    client.ask("POST", "/resize", b"x", "X-Gearman-Unique: u")
    ((put, then),) = house.broker.requests
    assert isinstance(put, stores.Put)
    house.broker.requests.clear()
    then(stores.Refused("the disk is full"), 0)
    assert client.answer()[0] == 503
