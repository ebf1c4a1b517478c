"""W41: a thousand random sessions, each played to our job server and to gearmand, packet by packet.

Two clients, and a worker for each of two functions. After each step every connection is asked for an echo, so that
all the step caused has arrived. Handles are compared by who created them. Left out is where we differ on purpose (see
docs/protocol.md): a client that leaves, a cancelled job, a worker that gives up its functions while it runs one or
registers in its sleep, late results, and which of several sleepers is woken. Folded is the NUL that gearmand puts
behind the handle of a WORK_FAIL.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.client import admin
from fleet.protocol import packets as p
from fleet.settings import Address
from tests.interop.servers import GEARMAND
from tests.jobserver.running import serving
from tests.peer import Peer
from tests.processes import Program

pytestmark = [pytest.mark.interop, pytest.mark.system, pytest.mark.slow]

SESSIONS = 1000
STEPS = 20
CLIENTS = ("first client", "second client")
WORKERS = ("worker of f", "worker of g")
SUBMITS = [
    *(p.SUBMIT_JOB, p.SUBMIT_JOB_BG, p.SUBMIT_JOB_HIGH, p.SUBMIT_JOB_HIGH_BG, p.SUBMIT_JOB_LOW, p.SUBMIT_JOB_LOW_BG),
    *(p.SUBMIT_REDUCE_JOB, p.SUBMIT_REDUCE_JOB_BACKGROUND, p.SUBMIT_JOB_EPOCH),
]
BEFORE_WORKLOAD = {
    p.SUBMIT_REDUCE_JOB: (b"reducer", b""),
    p.SUBMIT_REDUCE_JOB_BACKGROUND: (b"reducer", b""),
    p.SUBMIT_JOB_EPOCH: (b"0",),
}
REPORTS = [p.WORK_DATA, p.WORK_WARNING, p.WORK_STATUS, p.WORK_COMPLETE, p.WORK_FAIL, p.WORK_EXCEPTION]
FINAL = {p.WORK_COMPLETE, p.WORK_FAIL, p.WORK_EXCEPTION}
JOB = {p.JOB_ASSIGN, p.JOB_ASSIGN_UNIQ, p.JOB_ASSIGN_ALL}

Draw = Callable[[st.SearchStrategy[Any]], Any]
Heard = dict[str, list[tuple[Any, ...]]]


class Step(NamedTuple):
    """What one connection sends. Handles stand as numbers, in the order of their creation."""

    who: str
    kind: int
    args: tuple[bytes | int, ...] = ()


class Side:
    """One of the two job servers, and the connections to it."""

    def __init__(self, address: Address, stack: ExitStack) -> None:
        self._address = address
        self._peers = {name: stack.enter_context(Peer(address)) for name in (*CLIENTS, *WORKERS)}
        self._handles: list[bytes] = []

    def play(self, step: Step) -> Heard:
        """Send it, and return all that it caused, by who heard it."""
        peer = self._peers[step.who]
        args = (self._handles[arg] if isinstance(arg, int) else arg for arg in step.args)
        peer.send(step.kind, *args)
        heard = {step.who: self._until_echo(peer)}
        others = {name: other for name, other in self._peers.items() if name != step.who}
        for other in others.values():
            other.send(p.ECHO_REQ, b"sync")
        return heard | {name: self._until_echo(other, sent=True) for name, other in others.items()}

    def table(self, command: str) -> list[str]:
        return admin.ask(self._address, command).splitlines()

    def _until_echo(self, peer: Peer, *, sent: bool = False) -> list[tuple[Any, ...]]:
        if not sent:
            peer.send(p.ECHO_REQ, b"sync")
        heard = []
        while (packet := peer.read()) != (p.ECHO_RES, (b"sync",)):
            heard.append((packet.kind, *map(self._named, packet.args)))
        return heard

    def _named(self, arg: Any) -> Any:
        """A handle as its number; everything else as it is."""
        text = bytes(arg)
        if not text.startswith(b"H:"):
            return text
        handle = text.rstrip(b"\0")
        if handle not in self._handles:
            self._handles.append(handle)
        return self._handles.index(handle)


class Session:
    """Plays the same to both, and keeps what is needed to go on sensibly."""

    def __init__(self, ours: Side, theirs: Side, names: tuple[bytes, bytes]) -> None:
        self._sides = ours, theirs
        self.names = dict(zip(WORKERS, names, strict=True))
        self.jobs = 0
        self.held: dict[str, list[int]] = {worker: [] for worker in WORKERS}
        self.able: set[str] = set()
        self.asleep: set[str] = set()
        self.played: list[Step] = []

    def play(self, who: str, kind: int, *args: bytes | int) -> None:
        step = Step(who, kind, args)
        self.played.append(step)
        ours, theirs = (side.play(step) for side in self._sides)
        assert ours == theirs, f"after {self.played}"
        for name, packets in ours.items():
            for heard in packets:
                if heard[0] == p.JOB_CREATED:
                    self.jobs = max(self.jobs, heard[1] + 1)
                elif heard[0] in JOB:
                    self.held[name].append(heard[1])

    def look(self, command: str) -> None:
        """Ask both for a table; only the lines of this session's functions count."""
        names = tuple(name.decode() + "\t" for name in self.names.values())
        ours, theirs = (sorted(row for row in side.table(command) if row.startswith(names)) for side in self._sides)
        assert ours == theirs, f"{command} after {self.played}"


def submit(session: Session, draw: Draw) -> None:
    kind = draw(st.sampled_from(SUBMITS))
    function = session.names[draw(st.sampled_from(WORKERS))]
    unique = draw(st.sampled_from([b"", b"", b"u", b"v", b"-"]))
    workload = draw(st.sampled_from([b"", b"w", b"a\0b", b"x" * 5000]))
    session.play(draw(st.sampled_from(CLIENTS)), kind, function, unique, *BEFORE_WORKLOAD.get(kind, ()), workload)


def register(session: Session, draw: Draw) -> None:
    worker = draw(st.sampled_from(WORKERS))
    if worker in session.asleep:
        return
    if worker not in session.able:
        session.able.add(worker)
        session.play(worker, p.CAN_DO, session.names[worker])
    elif not session.held[worker]:
        session.able.discard(worker)
        kind = draw(st.sampled_from([p.CANT_DO, p.RESET_ABILITIES]))
        session.play(worker, kind, *([session.names[worker]] if kind == p.CANT_DO else []))


def grab(session: Session, draw: Draw) -> None:
    kind = draw(st.sampled_from([p.GRAB_JOB, p.GRAB_JOB_UNIQ, p.GRAB_JOB_ALL]))
    worker = draw(st.sampled_from(WORKERS))
    session.asleep.discard(worker)
    session.play(worker, kind)


def sleep(session: Session, draw: Draw) -> None:
    worker = draw(st.sampled_from(WORKERS))
    session.asleep.add(worker)
    session.play(worker, p.PRE_SLEEP)


def report(session: Session, draw: Draw) -> None:
    worker = draw(st.sampled_from(WORKERS))
    if not session.held[worker]:
        return
    kind = draw(st.sampled_from(REPORTS))
    handle = draw(st.sampled_from(session.held[worker]))
    if kind in FINAL:
        session.held[worker].remove(handle)
    data = {p.WORK_STATUS: (b"1", b"3"), p.WORK_FAIL: ()}.get(kind, (draw(st.sampled_from([b"", b"d", b"a\0b"])),))
    session.play(worker, kind, handle, *data)


def ask(session: Session, draw: Draw) -> None:
    who = draw(st.sampled_from([*CLIENTS, *WORKERS]))
    kind = draw(st.sampled_from([p.GET_STATUS, p.GET_STATUS_UNIQUE, p.OPTION_REQ, p.ECHO_REQ, p.WORK_COMPLETE]))
    if kind == p.GET_STATUS:
        session.play(who, kind, draw(st.integers(0, session.jobs - 1)) if session.jobs else b"unknown")
    elif kind == p.GET_STATUS_UNIQUE:
        session.play(who, kind, b"nobody's")
    elif kind == p.OPTION_REQ:
        session.play(who, kind, draw(st.sampled_from([b"exceptions", b"EXCEPTIONS", b"frobnicate"])))
    elif kind == p.WORK_COMPLETE:
        session.play(who, kind, b"unknown", b"")
    else:
        session.play(who, kind, b"hello")


def look(session: Session, draw: Draw) -> None:
    session.look(draw(st.sampled_from(["status", "prioritystatus"])))


STEP = st.sampled_from([submit, submit, submit, grab, grab, sleep, report, report, register, ask, look])


def test_w41_we_say_what_gearmand_says(spawn: Callable[..., Program]) -> None:
    numbers, gearmand = itertools.count(), GEARMAND.start(spawn)
    with serving() as server:

        @settings(
            max_examples=SESSIONS,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(st.lists(STEP, min_size=5, max_size=STEPS), st.data())
        def play(steps: list[Callable[..., None]], data: st.DataObject) -> None:
            number = next(numbers)
            names = b"f%d" % number, b"g%d" % number
            with ExitStack() as stack:
                session = Session(Side(server.address, stack), Side(gearmand, stack), names)
                for step in steps:
                    step(session, data.draw)

        play()
