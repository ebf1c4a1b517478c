"""Whatever comes, and however it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.protocol import packets
from tests.jobserver.gateways.http.end import HEAD, LIMIT, End, answers
from tests.jobserver.queue import make_broker, peer

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


@settings(max_examples=200)
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


@settings(max_examples=300)
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
