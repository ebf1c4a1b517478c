"""Peers as they should not be."""

from __future__ import annotations

import pytest

from fleet.jobserver.broker import Broker
from fleet.protocol import packets
from tests.jobserver.gateways.http.end import HEAD, End
from tests.jobserver.queue import Recorder, grabbed


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\x01\x02\r\n\r\n", 400),
        (b"\0REQ\0\0\0\x07\0\0\0\0\r\n\r\n", 400),
        (b"GET /f\r\n\r\n", 400),
        (b"GET /f HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET /f HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 505),  # what HTTP/2 begins with
        (b"GET /f HTTP/1.1\r\n" + HEAD + b"X : y\r\n\r\n", 400),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: -1\r\n\r\n", 400),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: +1\r\n\r\na", 400),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /f HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 400),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", 400),
        (b"POST /f HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n" + b"x" * 20_000, 431),
        (b"GET /f HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 20_000, 431),
        (b"GET /f HTTP/1.1\r\n" + HEAD + b"X: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"G" * 20_000, 431),
    ],
)
def test_what_can_be_read_in_two_ways_or_none_is_refused_and_ends_the_connection(
    broker: Broker, client: End, sent: bytes, status: int
) -> None:
    client.feed(sent)
    found, headers, _ = client.answer()
    assert (found, headers[b"connection"]) == (status, b"close")
    assert not client.wire.behind
    client.feed(b"GET /f HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert not broker.jobs


def test_lines_that_end_in_a_bare_newline_are_one_request_and_folded_headers_one_header(
    broker: Broker, client: End
) -> None:
    client.feed(b"POST /f HTTP/1.1\nHost: localhost\nX-Gearman-Unique: a\n b\nContent-Length: 4\n\nwork")
    (job,) = broker.jobs.values()
    assert (bytes(job.workload), job.unique) == (b"work", b"a b")


def test_a_bodys_bytes_are_never_a_request(broker: Broker, client: End) -> None:
    inner = b"POST /g HTTP/1.1\r\n" + HEAD + b"\r\n"
    client.ask("POST", "/f", inner)
    (job,) = broker.jobs.values()
    assert bytes(job.workload) == inner


@pytest.mark.parametrize("begun", [b"", b"POST /f HT", b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 9\r\n\r\nx"])
def test_who_is_too_slow_is_told_so(client: End, begun: bytes) -> None:
    client.feed(begun)
    assert client.wire.midway == bool(begun)
    client.wire.cut(b"TOO_SLOW", b"too slow")
    assert client.answer()[::2] == (408, b"too slow\n")
    assert client.over()


def test_who_comes_when_there_are_too_many_is_told_so(client: End) -> None:
    client.wire.cut(b"TOO_MANY_CONNECTIONS", b"enough")
    assert client.answer()[0] == 503


def test_who_is_cut_within_a_response_or_after_it_gets_nothing_more(
    broker: Broker, client: End, worker: Recorder
) -> None:
    client.ask("POST", "/f")
    job = grabbed(broker, worker)
    broker.work(worker, packets.WORK_DATA, job.handle, b"one", 0)
    client.raw()
    client.wire.cut(b"TOO_SLOW", b"too slow")
    assert client.raw() == b""
    broker.work(worker, packets.WORK_COMPLETE, job.handle, b"two", 0)
    assert client.raw() == b""
