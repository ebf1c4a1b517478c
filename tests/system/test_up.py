"""`fleet up`: comes up, heals, drains, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet import Client
from fleet.client import admin
from fleet.settings import Address
from tests.conftest import SAMPLES, up
from tests.ports import ClosedPort
from tests.processes import FLEET, LIMIT_S, Program, alive, descendants, until

pytestmark = pytest.mark.system


@pytest.fixture
def fleet(spawn: Callable[..., Program], closed_port: ClosedPort) -> Program:
    return spawn(*FLEET, "up", "--workers", "2", "--port", str(closed_port().port))


def part(fleet: Program, word: str) -> int:
    """The process of `fleet server` or `fleet worker`."""

    def words(pid: int) -> list[str]:
        try:
            return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        except (FileNotFoundError, ProcessLookupError):
            return []

    found: list[int] = []

    def look() -> bool:
        found[:] = [pid for pid in descendants(fleet.pid) if words(pid)[4:5] == [word]]
        return bool(found)

    until(look, f"there is a {word}")
    return found[0]


def thumbnail(where: Address) -> str:
    with Client(where, timeout=LIMIT_S) as client:
        return repr(client.resize(SAMPLES / "kitten.png").result())


def test_a_line_for_each_part_and_ready_last(fleet: Program) -> None:
    where = up(fleet)
    assert fleet.out.seen == [
        f"server   listening {where}",
        "pool     ready 2 slots: resize, thumbnail, thumbnails, shrink_image",
        "ready",
    ]
    assert [(f.name, f.workers) for f in admin.status(where)] == [
        (name, 2) for name in ("resize", "shrink_image", "thumbnail", "thumbnails")
    ]
    assert thumbnail(where).startswith("<Picture png 200x150")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_leaves_no_process(fleet: Program, number: signal.Signals) -> None:
    where = up(fleet)
    below = descendants(fleet.pid)
    assert thumbnail(where)
    fleet.send(number)
    assert fleet.ended() == 0
    assert not any(map(alive, below))


def test_a_second_signal_ends_it_at_once(fleet: Program) -> None:
    up(fleet)
    below = descendants(fleet.pid)
    os.kill(part(fleet, "worker"), signal.SIGSTOP)  # so that it cannot drain
    fleet.send(signal.SIGINT)
    fleet.err.until("finishing what runs")
    fleet.send(signal.SIGINT)
    assert fleet.ended() == 130
    assert not any(map(alive, below))


def test_killing_the_supervisor_leaves_no_orphan(fleet: Program) -> None:
    up(fleet)
    below = descendants(fleet.pid)
    assert len(below) >= 3
    fleet.send(signal.SIGKILL)
    until(lambda: not any(map(alive, below)), "server, pool and zygote are gone")


def test_a_killed_server_comes_back_on_its_port_and_the_pool_finds_it(fleet: Program) -> None:
    where = up(fleet)
    os.kill(part(fleet, "server"), signal.SIGKILL)
    fleet.err.until("server killed by SIGKILL")
    fleet.err.until("server is back")
    until(lambda: bool(admin.status(where)), "the pool has registered again")
    assert thumbnail(where)


def test_a_killed_pool_comes_back(fleet: Program) -> None:
    where = up(fleet)
    os.kill(part(fleet, "worker"), signal.SIGKILL)
    fleet.err.until("pool killed by SIGKILL")
    fleet.err.until("pool is back")
    assert thumbnail(where)


def test_a_store_that_cannot_be_opened_ends_it_with_what_to_do(spawn: Callable[..., Program], tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"no store" * 1000)
    fleet = spawn(*FLEET, "up", "--workers", "1", "--port", "0", "--store", f"sqlite:{tmp_path}/picture")
    assert fleet.ended() == 78
    assert "picture is no store, but another kind of file; mend the path" in "\n".join(fleet.err.rest())


def test_a_taken_port_ends_it_with_the_reason(spawn: Callable[..., Program], server: Address) -> None:
    fleet = spawn(*FLEET, "up", "--workers", "1", "--port", str(server.port), "--store", "none")
    assert fleet.ended() == 78
    (line,) = fleet.err.rest()
    assert line.startswith(f"fleet: cannot listen on {server}: address already in use; stop what uses the port, or")
