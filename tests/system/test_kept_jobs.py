"""Pictures submitted in the background, a server that is killed in between, and every thumbnail fetched afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import Client
from fleet.client import admin
from fleet.errors import FleetError, JobFailed
from fleet.images import Picture, sniff
from fleet.settings import Address
from tests.cli.command import fleet as run
from tests.conftest import SAMPLES, up
from tests.processes import FLEET, LIMIT_S, Program, alive, until
from tests.system.test_up import part

pytestmark = [pytest.mark.system, pytest.mark.slow]

PICTURES = int(os.environ.get("FLEET_KEPT_PICTURES", "40"))
KILLS = 2


def kill_server(fleet: Program) -> None:
    pid = part(fleet, "server")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), "the server is dead")


def answers(where: Address) -> bool:
    try:
        return bool(admin.version(where))
    except FleetError:
        return False


def test_every_picture_is_made_and_fetched_whatever_is_killed(spawn: Callable[..., Program], tmp_path: Path) -> None:
    fleet = spawn(*FLEET, "up", "--workers", "2", "--port", "0", "--store", f"sqlite:{tmp_path}/jobs")
    where = up(fleet)
    kitten = (SAMPLES / "kitten.png").read_bytes()
    handles: list[str] = []
    with Client(where, timeout=LIMIT_S) as client:
        for number in range(PICTURES):
            task = client.submit("resize", kitten, background=True)
            handles.append(task.handle or "")
            if number % (PICTURES // KILLS) == PICTURES // KILLS // 2:
                kill_server(fleet)
                until(lambda: answers(where), "the server is back")  # a new submit does not wait for it
        broken = client.submit("resize", kitten[: len(kitten) // 2], background=True).handle
        for handle in handles:
            thumb = Picture(client.job(handle).result(LIMIT_S * 2))
            assert (thumb.format, thumb.width, thumb.height) == ("png", 200, 150)
        with pytest.raises(JobFailed, match="BadImage: corrupt"):
            client.job(broken).result()
        assert not list(client.jobs())
        assert not list(client.dead())
    done = run("result", handles[0], "-o", tmp_path / "thumb.png", server=where)
    assert (done.returncode, done.stdout) == (0, b"")
    assert sniff((tmp_path / "thumb.png").read_bytes()).format == "png"
