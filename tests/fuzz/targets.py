"""What is fuzzed: each target takes any bytes, and raises only if something is wrong with us."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from fleet.errors import ProtocolError
from fleet.jobserver.broker import Broker
from fleet.jobserver.session import Session
from fleet.jobserver.wire import Hub
from fleet.protocol import REQ, SHAPES, TEXT, Decoder, encode, packets
from fleet.settings import ServerLimits

BODY_BYTES = 200_000  # over the size from which bodies are received in place
SMALL = ServerLimits(packet_bytes=BODY_BYTES, functions=50, jobs=50)


def cuts(data: bytes) -> Iterator[bytes]:
    """The bytes behind the first, in pieces of a size that the first one says: the way of cutting is fuzzed, too."""
    step = data[0] or len(data)
    for at in range(1, len(data), step):
        yield data[at : at + step]


def decoded(pieces: Iterable[bytes]) -> tuple[list[tuple[int, tuple[bytes, ...]]], bool]:
    """The packets, and whether the stream broke."""
    decoder = Decoder(REQ, body_bytes=BODY_BYTES, line_bytes=100)
    found: list[tuple[int, tuple[bytes, ...]]] = []
    try:
        for piece in pieces:
            for kind, args in decoder.feed(piece):
                found.append((kind, tuple(map(bytes, args))))
    except ProtocolError:
        return found, True
    return found, False


def decoder(data: bytes) -> None:
    """The packets of a stream do not depend on how it is cut, and are what was sent."""
    if not data:
        return
    found = decoded(cuts(data))
    assert found == decoded([data[1:]])
    for kind, args in found[0]:
        assert kind == TEXT or len(args) == len(SHAPES[kind].args)
    resent = b"".join(args[0] + b"\n" if kind == TEXT else encode(REQ, kind, *args) for kind, args in found[0])
    assert len(resent) <= 2 * len(data)


def session(data: bytes) -> None:
    """Whatever a peer sends, the server goes on, and leaves of it only background jobs when it is gone."""
    if not data:
        return
    numbers = itertools.count(1)
    hub = Hub(Broker(lambda: b"H:fuzz:%d" % next(numbers), SMALL))
    hostile, good = Session(hub), Session(hub)
    good.feed(encode(REQ, packets.CAN_DO, b"f") + encode(REQ, packets.PRE_SLEEP), 0)
    good.feed(encode(REQ, packets.SUBMIT_JOB, b"g", b"u", b"mine"), 0)
    for now, piece in enumerate(cuts(data), 1):
        hostile.feed(piece, now * 500_000_000)
        hub.broker.tick(now * 500_000_000, now / 2)
    hostile.lost(0)
    assert list(hub.broker.peers) == [good]
    assert all(set(function.workers) <= {good} for function in hub.broker.functions.values())
    assert all(job.background or set(job.listeners) == {good} for job in hub.broker.jobs.values())
    assert hub.receiving_bytes == 0


TARGETS: dict[str, Callable[[bytes], None]] = {"decoder": decoder, "session": session}
