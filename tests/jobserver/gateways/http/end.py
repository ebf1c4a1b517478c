"""One HTTP connection at the job server, without a socket: bytes in, bytes out."""

from __future__ import annotations

import h11

from fleet.jobserver.broker import Broker
from fleet.jobserver.gateways.http import Http
from fleet.jobserver.job import Job, Peer
from fleet.jobserver.wire import Hub
from fleet.protocol import packets
from tests.jobserver.queue import grabbed

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


def done(broker: Broker, worker: Peer, data: bytes, kind: int = packets.WORK_COMPLETE) -> Job:
    """The worker does its next job."""
    job = grabbed(broker, worker)
    assert broker.work(worker, kind, job.handle, data, 0)
    return job
