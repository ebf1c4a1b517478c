"""Raw connections to a job server, for tests that must see each packet."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import starmap
from typing import NamedTuple

from fleet.protocol import REQ, RES, Data, Decoder, encode, packets
from fleet.settings import Address
from tests.processes import LIMIT_S


class Packet(NamedTuple):
    """What a decoder gives, with names."""

    kind: int
    args: tuple[Data, ...]


class Peer:
    """A raw connection."""

    def __init__(self, address: Address) -> None:
        self.sock = socket.create_connection((address.host, address.port), LIMIT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = Decoder(RES, body_bytes=1 << 30)
        self._found: list[Packet] = []

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.sock.close()

    def send(self, kind: int, *args: bytes) -> None:
        self.sock.sendall(encode(REQ, kind, *args))

    def read(self) -> Packet:
        while not self._found:
            data = self.sock.recv(1 << 20)
            assert data, "the server closed the connection"
            self._found += starmap(Packet, self._decoder.feed(data))
        return self._found.pop(0)

    def ask(self, kind: int, *args: bytes) -> Packet:
        self.send(kind, *args)
        return self.read()

    def rest(self) -> bytes:
        chunks = []
        while chunk := self.sock.recv(65536):
            chunks.append(chunk)
        return b"".join(chunks)


Reply = Callable[[Peer, bytes, bytes], None]  # the worker's connection, the job's handle, its workload


@contextmanager
def worker(address: Address, **functions: Reply) -> Iterator[None]:
    """A worker in a thread that answers each job as told, until the block ends."""
    with Peer(address) as peer:
        for name in functions:
            peer.send(packets.CAN_DO, name.encode())
        peer.ask(packets.ECHO_REQ, b"registered")
        thread = threading.Thread(target=_work, args=(peer, functions))
        thread.start()
        try:
            yield
        finally:
            try:
                peer.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the server is gone already
            thread.join(LIMIT_S)
            assert not thread.is_alive()


def _work(peer: Peer, functions: dict[str, Reply]) -> None:
    try:
        while True:
            answer = peer.ask(packets.GRAB_JOB)
            if answer.kind == packets.NO_JOB:
                peer.send(packets.PRE_SLEEP)
                assert peer.read().kind == packets.NOOP
            elif answer.kind == packets.JOB_ASSIGN:
                handle, function, workload = map(bytes, answer.args)
                functions[function.decode()](peer, handle, workload)
    except (OSError, AssertionError):
        pass  # the connection was closed: the block is over


def reverse(peer: Peer, handle: bytes, workload: bytes) -> None:
    peer.send(packets.WORK_COMPLETE, handle, workload[::-1])


def explode(peer: Peer, handle: bytes, workload: bytes) -> None:
    peer.send(packets.WORK_EXCEPTION, handle, b"ValueError: " + workload)


def fail(peer: Peer, handle: bytes, workload: bytes) -> None:
    peer.send(packets.WORK_FAIL, handle)


def chatty(peer: Peer, handle: bytes, workload: bytes) -> None:
    for number in (b"1", b"2", b"3"):
        peer.send(packets.WORK_STATUS, handle, number, b"3")
        peer.send(packets.WORK_DATA, handle, b"part " + number + b"\n")
    peer.send(packets.WORK_WARNING, handle, b"nearly done")
    peer.send(packets.WORK_COMPLETE, handle, b"end")
