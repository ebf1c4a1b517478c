"""One HTTP connection at the job server, without a socket: bytes in, bytes out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.jobserver import stores
from fleet.jobserver.broker import Broker
from fleet.jobserver.gateways.http import AHEAD_BYTES, Http
from fleet.jobserver.job import HIGH, Job, Peer
from fleet.jobserver.wire import Hub
from fleet.protocol import packets
from tests.jobserver.house import House
from tests.jobserver.test_broker import Recorder, grabbed, make_broker, peer

LIMIT = 1 << 20
HEAD = b"Host: localhost\r\n"

Answer = tuple[int, dict[bytes, bytes], bytes]  # status, headers, body


class End:
    """A connection and what a client at its other end reads."""

    def __init__(self, broker: Broker, label: str = "7 127.0.0.1") -> None:
        self.hub = Hub(broker)
        self.wire = Http(self.hub, label)
        self.sent = b""
        self.methods: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Feed it as the shell does."""
        self.wire.feed(memoryview(data), 0)
        while self.wire.behind and not self.wire.closing:
            self.wire.feed(b"", 0)

    def raw(self, data: bytes = b"") -> bytes:
        if data:
            self.feed(data)
        elif self.wire.behind:
            self.feed(b"")
        return b"".join(map(bytes, self.wire.take()))

    def ask(self, method: str, target: str, body: bytes = b"", *headers: str) -> None:
        lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.feed("\r\n".join([*lines, "", ""]).encode() + body)

    def over(self) -> bool:
        """The shell closes it."""
        return self.wire.closing and self.wire in self.hub.dirty

    def full(self) -> bool:
        """The shell reads no more."""
        return self.wire.full

    def answer(self, method: str = "POST") -> Answer:
        (found,) = answers(self.raw(), method)
        return found


def answers(sent: bytes, *methods: str) -> list[Answer]:
    """All responses in what was sent, which must be whole."""
    client = h11.Connection(h11.CLIENT)
    client.receive_data(sent)
    found: list[Answer] = []
    for method in methods or ("POST",):
        client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        client.send(h11.EndOfMessage())
        body = b""
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                status, headers = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                assert isinstance(event, h11.InformationalResponse), (event, sent)
        found.append((status, headers, body))
        if client.our_state is h11.DONE:
            client.start_next_cycle()
    assert not client.trailing_data[0]
    return found


@pytest.fixture
def broker() -> Broker:
    return make_broker(packet_bytes=LIMIT)


@pytest.fixture
def client(broker: Broker) -> End:
    return End(broker)


@pytest.fixture
def worker(broker: Broker) -> Recorder:
    return peer(broker, b"f")


def done(broker: Broker, worker: Peer, data: bytes, kind: int = packets.WORK_COMPLETE) -> Job:
    """The worker does its next job."""
    job = grabbed(broker, worker)
    assert broker.work(worker, kind, job.handle, data, 0)
    return job


# -- jobs -----------------------------------------------------------------------------------------------------


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


def test_a_background_job_is_accepted_and_its_status_told(broker: Broker, client: End, worker: Recorder) -> None:
    client.ask("POST", "/f", b"work", "X-Gearman-Background: true")
    status, headers, body = client.answer()
    handle = headers[b"x-gearman-job-handle"]
    assert (status, headers[b"x-gearman-command"], body) == (202, b"JOB_CREATED", b"")
    assert headers[b"location"] == b"/jobs/" + handle
    assert not client.wire.owed
    told = {"handle": handle.decode(), "known": True, "running": False, "numerator": 0, "denominator": 0}
    client.ask("GET", f"/jobs/{handle.decode()}")
    status, _, body = client.answer()
    assert (status, json.loads(body)) == (200, told)
    grabbed(broker, worker)
    broker.progress(worker, handle, b"1", b"3")
    client.ask("GET", f"/jobs/{handle.decode()}")
    assert json.loads(client.answer()[2]) == {**told, "running": True, "numerator": 1, "denominator": 3}
    broker.work(worker, packets.WORK_COMPLETE, handle, b"", 0)
    client.ask("GET", f"/jobs/{handle.decode()}")
    status, _, body = client.answer()
    assert (status, json.loads(body)["known"]) == (404, False)
    assert client.wire.guesses == 1


BACKGROUND = "X-Gearman-Background: true"


def test_a_background_job_has_terms_and_is_accepted_once_it_is_kept() -> None:
    house = House()
    client = End(house.broker)
    terms = "X-Gearman-Delay: 100", "X-Gearman-Ttl: 1m", "X-Gearman-Attempts: 3", "X-Gearman-Priority: high"
    client.ask("POST", "/f", b"work\n", BACKGROUND, *terms)
    assert client.raw() == b""
    house.commit()
    status, headers, body = client.answer()
    handle = headers[b"x-gearman-job-handle"]
    assert (status, headers[b"x-gearman-command"], body) == (202, b"JOB_CREATED", b"")
    assert headers[b"location"] == b"/jobs/" + handle
    entry = house.look(handle)
    assert (bytes(entry.workload), entry.priority, entry.unique) == (b"work\n", HIGH, b"-")
    assert (entry.run_at, entry.expires, entry.max_attempts) == (100, 160, 3)
    client.ask("POST", "/f", b"work\n", BACKGROUND, "X-Gearman-Attempts: 9")  # an equal body
    house.commit()
    assert client.answer()[1][b"x-gearman-job-handle"] == handle


def test_a_job_on_a_schedule_comes_by_http_too() -> None:
    house = House()
    client = End(house.broker)
    client.ask("POST", "/f", b"work", BACKGROUND, "X-Gearman-Schedule: 0 3 * * *")
    house.commit()
    status, headers, _ = client.answer()
    assert status == 202
    assert house.look(headers[b"x-gearman-job-handle"]).schedule == "0 3 * * *"


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (("X-Gearman-At: 5", "X-Gearman-Delay: 5"), b"at and delay both say when a job may begin; give one of them."),
        (("X-Gearman-Schedule: 0 24 * * *",), b"hour is * or numbers from 0 to 23, such as 0, 0-23 or */2."),
        (("X-Gearman-Schedule: @daily",), b"a schedule has five fields, minute hour mday month wday, not 1."),
        (("X-Gearman-Schedule: * * * * *", "X-Gearman-Ttl: 5"), b"a schedule says when; at, delay and ttl are"),
    ],
)
def test_terms_that_contradict_each_other_are_refused_and_the_next_request_is_answered(
    headers: tuple[str, ...], text: bytes
) -> None:
    house = House()
    client = End(house.broker)
    client.ask("POST", "/f", b"work", BACKGROUND, *headers)
    status, _, body = client.answer()
    assert (status, body.startswith(text)) == (400, True), body
    assert not house.broker.jobs
    client.ask("POST", "/f", b"work", BACKGROUND)
    house.commit()
    assert client.answer()[0] == 202


def test_terms_need_a_store(broker: Broker, client: End) -> None:
    client.ask("POST", "/f", b"work", BACKGROUND, "X-Gearman-Ttl: 5")
    status, _, text = client.answer()
    assert (status, text.endswith(b"start it with --store.\n")) == (501, True)
    assert not broker.jobs


def test_a_client_that_leaves_before_its_job_is_kept_is_told_nothing() -> None:
    house = House()
    client = End(house.broker)
    client.ask("POST", "/f", b"work", BACKGROUND, "X-Gearman-Ttl: 50")
    client.wire.lost(0)
    house.commit()
    assert len(house.broker.jobs) == 1  # it was submitted, and nobody need wait for it


def test_the_result_of_a_background_job_is_fetched_before_and_after_it_has_ended() -> None:
    house = House()
    client, worker = End(house.broker), house.worker(b"resize")
    client.ask("POST", "/resize", b"large", "X-Gearman-Background: true")
    house.commit()
    _, headers, _ = client.answer()
    where = headers[b"location"].decode() + "/result"
    client.ask("GET", where)
    assert client.raw() == b""
    house.finish(worker, grabbed(house.broker, worker), packets.WORK_COMPLETE, b"small")
    for _ in range(2):
        status, headers, body = client.answer("GET")
        assert (status, body) == (200, b"small")
        assert where == f"/jobs/{headers[b'x-gearman-job-handle'].decode()}/result"
        client.ask("GET", where)
        house.commit()


def test_a_result_that_is_not_to_be_had_says_why(broker: Broker, client: End) -> None:
    house = House()
    house.broker._is_ours = lambda handle: handle.startswith(b"H:test:")
    keeper = End(house.broker)
    for target, status in (("/jobs/H:test:9/result", 410), ("/jobs/H:none/result", 404)):
        keeper.ask("GET", target)
        house.commit()
        assert keeper.answer("GET")[0] == status
    client.ask("GET", "/jobs/H:test:9/result")
    status, _, text = client.answer("GET")
    assert (status, text.endswith(b"start it with --store.\n")) == (501, True)


def test_a_failed_jobs_result_is_its_failure() -> None:
    house = House()
    client, worker = End(house.broker), house.worker()
    ack = house.submit()
    house.commit()
    house.finish(worker, grabbed(house.broker, worker), packets.WORK_EXCEPTION, b"BadImage: corrupt: it is cut off")
    client.ask("GET", f"/jobs/{ack.handle.decode()}/result")
    house.commit()
    assert client.answer("GET")[::2] == (422, b"BadImage: corrupt: it is cut off")


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


def test_head_of_a_status_is_its_head(client: End) -> None:
    client.ask("HEAD", "/jobs/none")
    status, headers, body = client.answer("HEAD")
    assert (status, body) == (404, b"")
    assert int(headers[b"content-length"]) > 0


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


# -- bodies ---------------------------------------------------------------------------------------------------


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


# -- one request after another --------------------------------------------------------------------------------


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


# -- peers as they should not be ------------------------------------------------------------------------------


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


# -- properties -----------------------------------------------------------------------------------------------

REQUESTS = (
    b"POST /f HTTP/1.1\r\n" + HEAD + b"Content-Length: 5\r\n\r\nhello",
    b"GET /f HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"PUT /f HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    b"POST /f HTTP/1.1\r\n" + HEAD + b"X-Gearman-Background: true\r\nX-Gearman-Unique:\r\nContent-Length: 2\r\n\r\nbg",
    b"GET /jobs/none HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"OPTIONS /f HTTP/1.1\r\n" + HEAD + b"\r\n",
)


def played(pieces: Sequence[bytes]) -> bytes:
    """What is sent when a worker does each job as soon as there is one."""
    broker = make_broker(packet_bytes=LIMIT)
    client, worker = End(broker), peer(broker, b"f")
    sent = b""
    for piece in pieces:
        sent += client.raw(piece)
        while job := broker.grab(worker, 0):
            broker.work(worker, packets.WORK_DATA, job.handle, b"<", 0)
            broker.work(worker, packets.WORK_COMPLETE, job.handle, bytes(job.workload[::-1]), 0)
            sent += client.raw()
    client.wire.lost(0)
    return sent


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6), st.lists(st.integers(0, 600), max_size=12))
def test_every_way_of_cutting_the_requests_gives_the_same_responses(chosen: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(chosen)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert played(pieces) == played([stream])
    assert len(answers(played([stream]), *(request.split()[0].decode() for request in chosen))) == len(chosen)


def test_a_request_that_comes_byte_by_byte_is_the_same_request() -> None:
    stream = b"".join(REQUESTS)
    assert played([stream[at : at + 1] for at in range(len(stream))]) == played([stream])


PIECES = st.one_of(st.binary(max_size=64), st.sampled_from(REQUESTS), st.sampled_from([r[:30] for r in REQUESTS]))


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=8))
def test_w40_arbitrary_bytes_never_raise_and_leave_the_broker_as_it_was(pieces: list[bytes]) -> None:
    broker = make_broker(packet_bytes=LIMIT)
    client = End(broker)
    for piece in pieces:
        client.feed(piece)
    client.wire.lost(0)
    assert client.hub.receiving_bytes == 0
    assert not broker.peers
    assert all(job.background for job in broker.jobs.values())
