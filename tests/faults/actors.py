"""Clients and workers that outlive their server, and write down what they did."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fleet.protocol import packets as p
from fleet.settings import Address
from tests.faults.history import History, Run, Submit, now_ns
from tests.peer import Packet, Peer
from tests.processes import LIMIT_S

AGAIN_S = 0.02  # between two tries to reach a server that is gone
GONE = (OSError, AssertionError)  # of a peer whose server went away


class Actor(threading.Thread):
    """Does its part at whatever server listens there, until it is done or told to stop."""

    def __init__(self, address: Address, history: History) -> None:
        super().__init__(daemon=True)
        self.address = address
        self.history = history
        self.stopping = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        while not self.stopping.is_set() and not self.done:
            try:
                with Peer(self.address) as peer:
                    self.act(peer, self.history.server)
            except GONE:
                self.stopping.wait(AGAIN_S)
            except Exception as error:
                self.failure = error
                return

    @property
    def done(self) -> bool:
        return False

    def act(self, peer: Peer, server: int) -> None:
        raise NotImplementedError


class Client(Actor):
    """Submits so many background jobs of the function f, each again until it is acknowledged."""

    def __init__(self, address: Address, history: History, name: str, jobs: int) -> None:
        super().__init__(address, history)
        self._todo = [f"{name}-{number}" for number in range(jobs)]

    @property
    def done(self) -> bool:
        return not self._todo

    def act(self, peer: Peer, server: int) -> None:
        while self._todo and not self.stopping.is_set():
            self._submit(peer, self._todo[0])
            del self._todo[0]

    def _submit(self, peer: Peer, unique: str) -> None:
        began, handle = now_ns(), ""
        try:
            answer = peer.ask(p.SUBMIT_JOB_BG, b"f", unique.encode(), b"work of " + unique.encode())
            assert answer.kind == p.JOB_CREATED, answer
            handle = bytes(answer.args[0]).decode()
        finally:
            self.history.submits.append(Submit(unique, began, now_ns(), handle))


class Worker(Actor):
    """Does jobs of the function f, one after the other."""

    def act(self, peer: Peer, server: int) -> None:
        peer.send(p.CAN_DO, b"f")
        while not self.stopping.is_set():
            answer = peer.ask(p.GRAB_JOB_UNIQ)
            if answer.kind == p.JOB_ASSIGN_UNIQ:
                self._do(peer, answer, server)
            else:
                peer.send(p.PRE_SLEEP)
                assert peer.read().kind == p.NOOP

    def _do(self, peer: Peer, assigned: Packet, server: int) -> None:
        handle, _, unique, workload = map(bytes, assigned.args)
        began = now_ns()
        try:
            if workload != b"work of " + unique:
                raise ValueError(f"{unique!r} came with {workload!r}")
            peer.send(p.WORK_COMPLETE, handle, b"done: " + unique)
        finally:
            self.history.runs.append(Run(unique.decode(), handle.decode(), server, began, now_ns()))


@contextmanager
def at_work(*actors: Actor) -> Iterator[None]:
    """They act until the block ends, which must leave no server for them to wait for."""
    for actor in actors:
        actor.start()
    try:
        yield
    finally:
        for actor in actors:
            actor.stopping.set()
    for actor in actors:
        actor.join(LIMIT_S)
        assert not actor.is_alive()
        if actor.failure:
            raise actor.failure
