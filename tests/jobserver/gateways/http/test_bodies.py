"""Bodies: announced, in chunks, too large."""

from __future__ import annotations

from fleet.jobserver.broker import Broker
from tests.jobserver.gateways.http.end import HEAD, LIMIT, End, answers
from tests.jobserver.queue import Recorder, grabbed, make_broker


def test_a_body_in_chunks(broker: Broker, client: End, worker: Recorder) -> None:
    client.feed(b"PUT /f HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    client.feed(b"4;x=y\r\n two\r\n0\r\nTrailer: x\r\n\r\n")
    assert bytes(grabbed(broker, worker).workload) == b"one two"
    assert client.hub.receiving_bytes == 0


def test_a_body_that_was_announced_is_filled_in_not_joined(broker: Broker, client: End, worker: Recorder) -> None:
    client.feed(b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 100000\r\n\r\n")
    assert client.hub.receiving_bytes == 100_000
    for _ in range(10):
        client.feed(b"x" * 10_000)
    job = grabbed(broker, worker)
    assert isinstance(job.workload, bytearray)
    assert job.workload == b"x" * 100_000
    assert client.hub.receiving_bytes == 0


def test_who_asks_whether_to_go_on_is_told(broker: Broker, client: End) -> None:
    head = b"POST /f HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nContent-Length: 4\r\n"
    assert client.raw(head + b"\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.raw(b"wo") == b""
    assert client.raw(b"rk") == b""
    assert len(broker.jobs) == 1


def test_who_asks_whether_to_go_on_with_too_much_is_told_not_to(broker: Broker, client: End) -> None:
    head = b"POST /f HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (LIMIT + 1)
    ((status, headers, _),) = answers(client.raw(head))
    assert (status, headers[b"connection"]) == (413, b"close")
    assert client.hub.receiving_bytes == 0


def test_a_body_that_is_too_large_is_refused_at_once_and_read_away(broker: Broker, client: End) -> None:
    """Closing at once would have the kernel reset the connection, and the client never see why."""
    head = b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % (LIMIT + 10)
    ((status, _, _),) = answers(client.raw(head))
    assert status == 413
    assert not client.over()
    assert client.wire.midway
    assert client.raw(b"x" * LIMIT) == b""
    assert not client.over()
    client.raw(b"x" * 10)
    assert client.over()
    assert not broker.jobs


def test_nobody_may_send_for_ever_what_was_refused(client: End) -> None:
    client.feed(b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 99999999999\r\n\r\n")
    for _ in range(LIMIT // 65536 + 1):
        assert not client.over()
        client.feed(b"x" * 65536)
    assert client.over()


def test_chunks_over_the_limit_are_refused_when_they_are(broker: Broker, client: End) -> None:
    client.feed(b"POST /f HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n" % (LIMIT // 2) + b"x" * (LIMIT // 2) + b"\r\n"
    assert client.raw(chunk + chunk) == b""
    assert client.hub.receiving_bytes == LIMIT
    assert answers(client.raw(b"1\r\nx\r\n"))[0][0] == 413
    assert client.hub.receiving_bytes == 0
    client.feed(b"0\r\n\r\n")
    assert client.over()
    assert not broker.jobs


def test_all_that_is_on_its_way_together_has_a_limit() -> None:
    client = End(make_broker(receiving_bytes=100))
    ((status, headers, _),) = answers(client.raw(b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 101\r\n\r\n"))
    assert (status, headers[b"retry-after"]) == (503, b"1")
    assert client.hub.receiving_bytes == 0


def test_what_was_announced_by_one_who_left_is_not_counted_any_more(client: End) -> None:
    client.feed(b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 100\r\n\r\nx")
    client.wire.lost(0)
    assert client.hub.receiving_bytes == 0
