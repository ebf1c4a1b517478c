"""Pictures submitted in the background, one of them poison, a server that is killed in between, and every thumbnail
fetched afterwards; and what a person does about the one that cannot be made.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import Client
from fleet.client import admin
from fleet.errors import FleetError, JobDead, JobFailed
from fleet.images import Picture, sniff
from fleet.settings import Address
from tests.cli.command import fleet as run
from tests.conftest import SAMPLES, up
from tests.images.matrix.jpegs import of_scans
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program, alive, until
from tests.system.test_up import part

pytestmark = [pytest.mark.system, pytest.mark.slow]

PICTURES = int(os.environ.get("FLEET_KEPT_PICTURES", "40"))
KILLS = 2
POISON = of_scans(8000, 6000, 10_000)  # no end of work in half a megabyte
DEADLINE_S = 3


def kill_server(fleet: Program) -> None:
    pid = part(fleet, "server")
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), "the server is dead")


def answers(where: Address) -> bool:
    try:
        return bool(admin.version(where))
    except FleetError:
        return False


def test_every_picture_is_made_and_fetched_whatever_is_killed(
    spawn: Callable[..., Program], tmp_path: Path, closed_port: ClosedPort
) -> None:
    words = "--store", f"sqlite:{tmp_path}/jobs", "--deadline", str(DEADLINE_S)
    fleet = spawn(*FLEET, "up", "--workers", "2", "--port", str(closed_port().port), *words)
    where = up(fleet)
    kitten = (SAMPLES / "kitten.png").read_bytes()
    handles: list[str] = []
    with Client(where, timeout=LIMIT_S) as client:
        for number in range(PICTURES):
            task = client.submit("resize", kitten, background=True)
            handles.append(task.handle or "")
            if number == 1:
                poison = client.submit("resize", POISON, background=True).handle
            if number % (PICTURES // KILLS) == PICTURES // KILLS // 2:
                kill_server(fleet)
                until(lambda: answers(where), "the server is back")  # a new submit does not wait for it
        broken = client.submit("resize", kitten[: len(kitten) // 2], background=True).handle
        for handle in handles:
            thumb = Picture(client.job(handle).result(LIMIT_S * 2))
            assert (thumb.format, thumb.width, thumb.height) == ("png", 200, 150)
        with pytest.raises(JobFailed, match="BadImage: corrupt"):
            client.job(broken).result()
        with pytest.raises(JobDead, match=f"deadline of {DEADLINE_S} s"):
            client.job(poison).result(LIMIT_S)
        assert not list(client.jobs())
        assert [job.handle for job in client.dead()] == [poison]
    done = run("result", handles[0], "-o", tmp_path / "thumb.png", server=where)
    assert (done.returncode, done.stdout) == (0, b"")
    assert sniff((tmp_path / "thumb.png").read_bytes()).format == "png"
    assert poison
    look_after(where, poison, tmp_path / "poison.jpg")


def look_after(where: Address, poison: str, path: Path) -> None:
    """What is in the dead letter is looked at, tried again in vain, and thrown away."""
    (listed,) = run("dead", "list", "--json", server=where).stdout.splitlines()
    before = json.loads(listed)
    assert (before["handle"], before["function"], before["state"]) == (poison, "resize", "dead")
    assert f"deadline of {DEADLINE_S} s" in before["errors"][-1]
    assert run("dead", "show", poison, "-w", path, server=where).returncode == 0
    assert path.read_bytes() == POISON
    assert run("dead", "retry", poison, server=where).stdout == b"retried 1 job\n"
    with Client(where, timeout=LIMIT_S) as client:
        assert client.job(poison).status().state != "dead"
        with pytest.raises(JobDead):
            client.job(poison).result()
        again = client.job(poison).status()
        assert (again.state, again.failures) == ("dead", 2)  # with nothing of the first time held against it
        assert len(again.errors) == 4  # but nothing forgotten
        assert run("dead", "purge", poison, server=where).stdout == b"purged 1 job\n"
        assert not list(client.dead())
        assert not list(client.jobs())
