"""The job server dies, or its disk fails, at each step between a packet's arrival and its answer."""

from __future__ import annotations

import os
import random
import signal

import pytest

from fleet.jobserver.failpoints import IN_THE_STORE, STEPS
from fleet.protocol import packets as p
from tests.faults.actors import Client, Worker, at_work
from tests.faults.history import Submit, now_ns
from tests.faults.scene import Scene
from tests.peer import Peer

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROUNDS = int(os.environ.get("FLEET_FAULT_ROUNDS", "0")) // 20  # of each; CI has one of the few below
KINDS = ("Put", "Finish", "Claim")
EVERY = [f"{step}.{kind}" for step in STEPS for kind in KINDS]
FEW = ["asked.Finish", "written.Put", "committed.Finish", "told.Claim", "sent.Put"]
SEED = 20261125


def points() -> list[tuple[str, int]]:
    """Where to die, and at which time it is reached."""
    chance = random.Random(SEED)
    few = EVERY * ROUNDS or FEW
    return [(point, 2 if point.endswith("Claim") else chance.randint(1, 40)) for point in few]


@pytest.mark.parametrize(("point", "nth"), points())
def test_f02_f03_f04_a_server_that_dies_at_any_step_loses_and_doubles_nothing(
    scene: Scene, point: str, nth: int
) -> None:
    if point.endswith("Claim"):
        scene.fill(1200)  # the window is filled at the start, and again when it is half empty
    address = scene.start(f"{point}:{nth}:crash")
    clients = [Client(address, scene.history, name, 60) for name in "ab"]
    with at_work(*clients, Worker(address, scene.history), Worker(address, scene.history)):
        assert scene.ended() == -signal.SIGKILL, "the failpoint was not reached"
        scene.start()
        scene.settle(*clients)
    scene.history.check()


def test_f02_a_submit_without_an_answer_is_one_job_with_the_next_try(scene: Scene) -> None:
    address = scene.start("committed.Put:1:crash")
    with Peer(address) as client, pytest.raises((OSError, AssertionError)):
        client.ask(p.SUBMIT_JOB_BG, b"f", b"u", b"work of u")
    assert scene.ended() == -signal.SIGKILL
    scene.start()
    with Peer(address) as client:
        assert scene.jobs() == 1
        began = now_ns()
        handle = bytes(client.ask(p.SUBMIT_JOB_BG, b"f", b"u", b"work of u").args[0]).decode()
        scene.history.submits.append(Submit("u", began, now_ns(), handle))
        assert scene.jobs() == 1
    with at_work(Worker(address, scene.history)):
        scene.settle()
    scene.history.check()


@pytest.mark.parametrize("step", IN_THE_STORE)
def test_f08_a_disk_that_fails_ends_the_server_and_no_answer_is_a_lie(scene: Scene, step: str) -> None:
    address = scene.start(f"{step}.Put:7:error")
    client = Client(address, scene.history, "a", 20)
    with at_work(client, Worker(address, scene.history)):
        assert scene.ended() == os.EX_IOERR
        assert "failpoint's error" in scene.server.err.tail()
        scene.start()
        scene.settle(client)
    scene.history.check()
