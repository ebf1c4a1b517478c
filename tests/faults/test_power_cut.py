"""The power goes: what was acknowledged had been synced, and is there. A store that does not wait for the disk fails
this test, and has to.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.actors import Client, Worker, at_work
from tests.faults.power import Power
from tests.faults.scene import Scene
from tests.processes import Program

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROUNDS = int(os.environ.get("FLEET_FAULT_ROUNDS", "6")) // 2
CLIENTS = 4
SEED = 20261126
CARELESS = (sys.executable, "-m", "tests.faults.careless", "server")


def cut(scene: Scene, power: Power, seconds: float) -> None:
    """The power goes while clients submit and a worker works; then everything is started again."""
    address = scene.start(env=power.env)
    clients = [Client(address, scene.history, f"c{number}", 2000) for number in range(CLIENTS)]
    with at_work(*clients, Worker(address, scene.history)):
        threading.Event().wait(seconds)  # the moment is what is drawn
        scene.kill()
    power.cut()
    scene.start()
    with at_work(Worker(address, scene.history)):
        scene.settle()
    scene.history.check()


@pytest.mark.parametrize("round", range(ROUNDS))
def test_f05_nothing_that_was_acknowledged_is_lost_in_a_power_cut(scene: Scene, tmp_path: Path, round: int) -> None:
    power = Power(scene.history.store.parent, tmp_path)
    cut(scene, power, random.Random(SEED + round).uniform(0.05, 0.6))
    assert any(submit.handle for submit in scene.history.submits)


def test_f05_a_store_that_does_not_wait_for_the_disk_is_found_out(
    spawn: Callable[..., Program], tmp_path: Path
) -> None:
    scene = Scene(spawn, tmp_path, CARELESS)
    power = Power(scene.history.store.parent, tmp_path)
    with pytest.raises(AssertionError, match="I1: lost"):
        cut(scene, power, 0.5)
