"""Pictures in the background, while the server and the pool are killed: each is made, and a poison one is found out."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from fleet import Client
from fleet.errors import JobDead, NoServer
from fleet.settings import Address
from tests.conftest import SAMPLES, up
from tests.images.matrix.jpegs import of_scans
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program
from tests.system.test_up import part

pytestmark = [pytest.mark.system, pytest.mark.slow]

PICTURES = 5 * int(os.environ.get("FLEET_FAULT_ROUNDS", "8"))
KILLS = {PICTURES // 5: "server", 2 * PICTURES // 5: "worker", 3 * PICTURES // 5: "server", 4 * PICTURES // 5: "worker"}
KITTEN = (SAMPLES / "kitten.png").read_bytes()


@pytest.fixture
def fleet(spawn: Callable[..., Program], tmp_path: Path, closed_port: ClosedPort) -> Program:
    store = ("--store", f"sqlite:{tmp_path}/jobs", "--attempts", "2", "--deadline", "5")
    return spawn(*FLEET, "up", "--workers", "2", "--port", str(closed_port().port), *store)


@pytest.fixture
def where(fleet: Program) -> Address:
    return up(fleet)


@pytest.fixture
def client(where: Address) -> Iterator[Client]:
    with Client(where, timeout=LIMIT_S) as client:
        yield client


T = TypeVar("T")


def patiently(call: Callable[[], T]) -> T:
    """Call it until there is a server, which is being started again."""
    until = time.monotonic() + LIMIT_S
    while True:
        try:
            return call()
        except NoServer:
            if time.monotonic() > until:
                raise


def submitted(client: Client, picture: bytes, unique: str) -> str:
    """The handle of a picture in the background, submitted until it is acknowledged."""
    handle = patiently(lambda: client.submit("resize", picture, unique=unique, background=True)).handle
    assert handle
    return handle


def fetched(client: Client, handle: str) -> bytes:
    return patiently(lambda: client.job(handle).result(timeout=60))


def test_pictures_are_made_and_kept_whatever_is_killed(
    fleet: Program, where: Address, client: Client, record_property: Callable[[str, object], None]
) -> None:
    record_property("injected", len(KILLS) + 1)
    fleet_run = [*FLEET, "run", "-b", "-f", "resize", "-s", str(where)]
    first = subprocess.run(fleet_run, input=KITTEN, capture_output=True, check=True)
    handles = [first.stdout.decode().strip()]
    for number in range(1, PICTURES):
        if number in KILLS:
            os.kill(part(fleet, KILLS[number]), signal.SIGKILL)
        handles.append(submitted(client, KITTEN, f"picture-{number}"))
    os.kill(part(fleet, "server"), signal.SIGKILL)
    thumbs = {fetched(client, handle) for handle in handles}
    assert len(set(handles)) == PICTURES
    assert len(thumbs) == 1  # of one kitten, each made anew
    assert list(client.dead()) == []
    assert list(client.jobs()) == []
    shown = subprocess.run([*FLEET, "result", handles[0], "-s", str(where)], capture_output=True, check=True)
    assert {shown.stdout} == thumbs


def test_pictures_that_are_poison_are_alone_in_the_dead_letter_with_their_reason(client: Client) -> None:
    good = [submitted(client, KITTEN, f"picture-{number}") for number in range(4)]
    poison = submitted(client, of_scans(8000, 6000, 10_000), "poison")
    good += [submitted(client, KITTEN, f"picture-{number}") for number in range(4, 8)]
    with pytest.raises(JobDead, match="5 s"):
        client.job(poison).result(timeout=60)
    (dead,) = client.dead()
    assert (dead.handle, dead.function, dead.state) == (poison, "resize", "dead")
    assert "5 s" in dead.errors[-1]
    assert all(fetched(client, handle) for handle in good)
