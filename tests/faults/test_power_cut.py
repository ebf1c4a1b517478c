"""The power goes, or the file system does: what was acknowledged had been synced, and is there. A store that does not
wait for the disk fails this test, and has to.
"""

from __future__ import annotations

import fcntl
import os
import random
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import need
from tests.faults.actors import Client, Worker, at_work
from tests.faults.power import Power
from tests.faults.scene import Scene
from tests.ports import ClosedPort
from tests.processes import Program, until

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROUNDS = int(os.environ.get("FLEET_FAULT_ROUNDS", "6")) // 2
CLIENTS = 4
SEED = 20261126
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN: from now on every access fails
CARELESS = (sys.executable, "-m", "tests.faults.careless", "server")


def cut(scene: Scene, power: Power, seconds: float, *, workers: int = 1) -> None:
    """The power goes while clients submit and workers work; then everything is started again."""
    address = scene.start(env=power.env)
    clients = [Client(address, scene.history, f"c{number}", 2000) for number in range(CLIENTS)]
    with at_work(*clients, *(Worker(address, scene.history) for _ in range(workers))):
        until(lambda: any(submit.handle for submit in list(scene.history.submits)), "there is something to lose")
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


def test_f05_a_store_that_does_not_wait_for_the_disk_is_found_out(
    spawn: Callable[..., Program], tmp_path: Path, closed_port: ClosedPort
) -> None:
    scene = Scene(spawn, tmp_path, closed_port(), CARELESS)
    power = Power(scene.history.store.parent, tmp_path)
    with pytest.raises(AssertionError, match="I1: lost"):
        cut(scene, power, 0, workers=0)  # nothing is done, and its log not full: there it would be synced


class FileSystem:
    """A small ext4 of its own."""

    def __init__(self, image: Path, place: Path) -> None:
        self._image = image
        self.place = place
        image.write_bytes(b"")
        os.truncate(image, 64 << 20)
        self._run(need("mkfs.ext4"), "-q", str(image))
        place.mkdir()
        self.mount()
        (place / "lost+found").rmdir()

    def mount(self) -> None:
        self._run("mount", "-o", "loop", str(self._image), str(self.place))

    def unmount(self) -> None:
        self._run("umount", "-l", str(self.place))

    def fail(self) -> None:
        folder = os.open(self.place, os.O_RDONLY)
        fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", 0))
        os.close(folder)

    def _run(self, *argv: str) -> None:
        if subprocess.run(argv, capture_output=True).returncode:
            pytest.skip(f"{argv[0]} does not work here: a file system of one's own takes root and loop devices")


@pytest.fixture
def file_system(scene: Scene, tmp_path: Path) -> Iterator[FileSystem]:
    """Where the scene's store is."""
    made = FileSystem(tmp_path / "ext4", scene.history.store.parent)
    yield made
    made.unmount()


def test_f10_a_file_system_that_goes_away_ends_the_server_and_what_was_acknowledged_is_there(
    scene: Scene, file_system: FileSystem
) -> None:
    address = scene.start()
    clients = [Client(address, scene.history, f"c{number}", 2000) for number in range(CLIENTS)]
    with at_work(*clients, Worker(address, scene.history)):
        until(lambda: len(scene.history.submits) > 100, "there is something to lose")
        file_system.fail()
        assert scene.ended() == os.EX_IOERR
    assert "look after its disk, then start the job server again" in scene.server.err.tail()
    file_system.unmount()
    file_system.mount()
    scene.start()
    with at_work(Worker(address, scene.history)):
        scene.settle()
    scene.history.check()
