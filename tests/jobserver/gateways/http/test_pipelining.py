"""One request after another on a connection, and how long that lives."""

from __future__ import annotations

from fleet.jobserver.broker import Broker
from fleet.jobserver.gateways.http import AHEAD_BYTES
from fleet.protocol import packets
from tests.jobserver.gateways.http.end import HEAD, End, answers, done
from tests.jobserver.queue import Recorder, grabbed


def test_requests_sent_ahead_are_answered_in_their_order(broker: Broker, client: End, worker: Recorder) -> None:
    client.feed(
        b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\n\r\na"
        b"GET /jobs/none HTTP/1.1\r\n" + HEAD + b"\r\n"
        b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\n\r\nb"
    )
    assert len(broker.jobs) == 1
    sent = client.raw()
    for result in (b"A", b"B"):
        assert client.wire.owed
        done(broker, worker, result)
        sent += client.raw()
    found = answers(sent, "POST", "GET", "POST")
    assert [(status, body) for status, _, body in found if status == 200] == [(200, b"A"), (200, b"B")]
    assert found[1][0] == 404
    assert not client.wire.owed


def test_only_so_much_is_kept_of_what_is_sent_ahead(broker: Broker, client: End, worker: Recorder) -> None:
    client.ask("POST", "/f")
    ahead = b"GET /jobs/none HTTP/1.1\r\n" + HEAD + b"\r\n"
    count = AHEAD_BYTES // len(ahead) + 1
    client.feed(ahead * (count - 1))
    assert not client.full()
    client.feed(ahead)
    assert client.full()
    done(broker, worker, b"r")
    found = answers(client.raw(), "POST", *["GET"] * count)
    assert [status for status, _, _ in found] == [200, *[404] * count]
    assert not client.full()


def test_an_http_1_0_client_is_answered_and_closed(broker: Broker, client: End, worker: Recorder) -> None:
    client.feed(b"POST /f HTTP/1.0\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nagarbage")
    client.feed(b"more garbage")
    done(broker, worker, b"r")
    status, headers, body = client.answer()
    assert (status, headers[b"connection"], body) == (200, b"close", b"r")
    assert client.over()
    assert not client.wire.owed


def test_an_http_1_0_client_gets_a_stream_without_chunks(broker: Broker, client: End, worker: Recorder) -> None:
    client.feed(b"GET /f HTTP/1.0\r\n\r\n")
    job = grabbed(broker, worker)
    broker.work(worker, packets.WORK_DATA, job.handle, b"one ", 0)
    broker.work(worker, packets.WORK_COMPLETE, job.handle, b"two", 0)
    sent = client.raw()
    assert sent.endswith(b"\r\n\r\none two")
    assert b"chunked" not in sent
    assert client.over()


def test_who_asks_to_close_is_closed(broker: Broker, client: End, worker: Recorder) -> None:
    client.ask("GET", "/f", b"", "Connection: close")
    done(broker, worker, b"r")
    assert client.answer()[1][b"connection"] == b"close"
    assert client.over()


def test_an_upgrade_that_is_offered_is_not_taken(broker: Broker, client: End, worker: Recorder) -> None:
    client.ask("POST", "/f", b"w", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMA")
    done(broker, worker, b"r")
    assert client.answer()[0] == 200
    client.ask("GET", "/")
    assert client.answer()[0] == 404
