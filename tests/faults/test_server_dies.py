"""The job server is killed with -9: what it had acknowledged is there afterwards, once."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.client import admin
from fleet.protocol import packets as p
from fleet.settings import Address
from tests.conftest import listening
from tests.faults.actors import GONE
from tests.peer import Peer
from tests.processes import FLEET, Program

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROUNDS = int(os.environ.get("FLEET_FAULT_ROUNDS", "20"))
CLIENTS = 4
SEED = 20260313

Start = Callable[[], tuple[Program, Address]]


@pytest.fixture
def start(spawn: Callable[..., Program], tmp_path: Path) -> Start:
    """Starts the job server, always on the same store."""

    def server() -> tuple[Program, Address]:
        program = spawn(*FLEET, "server", "--port", "0", "--store", f"sqlite:{tmp_path}/jobs", "--attempts", "3")
        return program, listening(program)

    return server


class Submitter(threading.Thread):
    """A client that submits background jobs until its server is gone, and remembers what was acknowledged."""

    def __init__(self, address: Address, number: int) -> None:
        super().__init__()
        self.acknowledged: list[bytes] = []
        self._address = address
        self._number = number

    def run(self) -> None:
        try:
            with Peer(self._address) as peer:
                for n in range(100_000):
                    peer.send(p.SUBMIT_JOB_BG, b"f", b"%d-%d" % (self._number, n), b"work")
                    self.acknowledged.append(bytes(peer.read().args[0]))
        except GONE:
            pass


def drained(address: Address) -> Iterator[tuple[bytes, bytes]]:
    """Do all jobs, and say which: handle and unique."""
    with Peer(address) as worker:
        worker.send(p.CAN_DO, b"f")
        while True:
            answer = worker.ask(p.GRAB_JOB_UNIQ)
            if answer.kind == p.NO_JOB:
                if not jobs(address):
                    return
                worker.send(p.PRE_SLEEP)
                assert worker.read().kind == p.NOOP
                continue
            handle, _, unique, _ = map(bytes, answer.args)
            yield handle, unique
            worker.send(p.WORK_COMPLETE, handle, b"done")
            worker.ask(p.ECHO_REQ, b"taken")


def jobs(address: Address) -> int:
    return next((f.jobs for f in admin.status(address) if f.name == "f"), 0)


@pytest.mark.parametrize("round", range(ROUNDS))
def test_f01_nothing_that_was_acknowledged_is_lost_or_there_twice(start: Start, round: int) -> None:
    chance = random.Random(SEED + round)
    server, address = start()
    submitters = [Submitter(address, number) for number in range(CLIENTS)]
    for submitter in submitters:
        submitter.start()
    threading.Event().wait(chance.uniform(0.05, 0.6))  # the moment is what is drawn
    server.send(signal.SIGKILL)
    server.ended()
    for submitter in submitters:
        submitter.join(30)
    acknowledged = [handle for submitter in submitters for handle in submitter.acknowledged]
    _, address = start()
    there = list(drained(address))
    assert len(there) == len(set(there))
    assert len({unique for _, unique in there}) == len(there)
    assert set(acknowledged) <= {handle for handle, _ in there}
    assert len(there) <= len(acknowledged) + CLIENTS  # one submit of each may be on its way


def test_f03_a_job_that_ran_is_ready_again_and_nobody_is_blamed(start: Start) -> None:
    server, address = start()
    with Peer(address) as client, Peer(address) as worker:
        handle = bytes(client.ask(p.SUBMIT_JOB_BG, b"f", b"u", b"w").args[0])
        worker.send(p.CAN_DO, b"f")
        assert worker.ask(p.GRAB_JOB).kind == p.JOB_ASSIGN
        server.send(signal.SIGKILL)
        server.ended()
    _, address = start()
    assert admin.ask(address, "show jobs").split("\t")[:2] == [handle.decode(), "0"]
    assert list(drained(address)) == [(handle, b"u")]


def test_f01_a_schedule_is_there_after_the_kill(start: Start) -> None:
    server, address = start()
    with Peer(address) as client:
        handle = bytes(client.ask(p.SUBMIT_JOB_SCHED, b"f", b"u", b"30", b"4", b"", b"*", b"0-4", b"w").args[0])
    server.send(signal.SIGKILL)
    server.ended()
    _, address = start()
    with Peer(address) as client:
        client.ask(p.SUBMIT_JOB, b"fleet.jobs", b"", json.dumps({"do": "show", "handle": handle.decode()}).encode())
        found = json.loads(bytes(client.read().args[1]))
        assert client.ask(p.SUBMIT_JOB_SCHED, b"f", b"u", *([b"*"] * 5), b"w").args[0] == handle
    assert (found["schedule"], found["state"]) == ("30 4 * * 0-4", "waiting")
    assert found["run_at"] > found["submitted"]


def test_f16_a_stopped_server_has_said_and_kept_everything(start: Start) -> None:
    server, address = start()
    with Peer(address) as client:
        for n in range(2000):
            client.send(p.SUBMIT_JOB_BG, b"f", b"%d" % n, b"w")
        first = client.read()
        server.send(signal.SIGTERM)
        acknowledged = [bytes(first.args[0])]
        try:
            while True:
                acknowledged.append(bytes(client.read().args[0]))
        except GONE:
            pass
    assert server.ended() == 0
    _, address = start()
    assert set(acknowledged) <= {handle for handle, _ in drained(address)}


def test_a_second_server_on_the_same_store_refuses_to_start(
    start: Start, spawn: Callable[..., Program], tmp_path: Path
) -> None:
    start()
    second = spawn(*FLEET, "server", "--port", "0", "--store", f"sqlite:{tmp_path}/jobs")
    assert second.ended() == 78
    assert second.err.rest() == [
        f"fleet: the store {tmp_path}/jobs is in use by another job server; stop it, or use another store"
    ]


def test_a_job_finished_before_the_kill_is_not_done_again(start: Start) -> None:
    server, address = start()
    with Peer(address) as client, Peer(address) as worker:
        client.ask(p.SUBMIT_JOB_BG, b"f", b"u", b"w")
        worker.send(p.CAN_DO, b"f")
        handle = bytes(worker.ask(p.GRAB_JOB).args[0])
        worker.send(p.WORK_COMPLETE, handle, b"done")
        worker.ask(p.ECHO_REQ, b"heard")
        client.ask(p.SUBMIT_JOB_BG, b"g", b"", b"")  # its answer comes from a later commit
        server.send(signal.SIGKILL)
        server.ended()
    _, address = start()
    assert jobs(address) == 0
