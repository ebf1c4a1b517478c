"""`fleet result`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.settings import Address
from tests.cli.command import complaint, fleet
from tests.client.test_kept import keeping
from tests.peer import explode, reverse, worker
from tests.ports import ClosedPort
from tests.processes import Program

pytestmark = pytest.mark.system

Spawn = Callable[..., Program]


def test_a_result_goes_to_stdout_or_to_a_file(spawn: Spawn, tmp_path: Path) -> None:
    keeper = keeping(spawn)
    with worker(keeper, reverse=reverse):
        handle = fleet("run", "-b", "-f", "reverse", "-u", "u", "abc", server=keeper).stdout.decode().strip()
        assert fleet("result", handle, server=keeper).stdout == b"cba"
    done = fleet("result", "-f", "reverse", "-u", "u", "-o", tmp_path / "out", server=keeper)
    assert (done.returncode, done.stdout, (tmp_path / "out").read_bytes()) == (0, b"", b"cba")
    done = fleet("result", handle, "-o", tmp_path / "no" / "out", server=keeper)
    assert (done.returncode, complaint(done)[:19]) == (2, "fleet: cannot write")


def test_the_exit_code_says_what_became_of_it(spawn: Spawn, closed_port: ClosedPort) -> None:
    keeper, forgetful = keeping(spawn), keeping(spawn, "--keep", "0")
    with worker(keeper, explode=explode), worker(forgetful, explode=explode):
        failed = fleet("run", "-b", "-f", "explode", "no", server=keeper).stdout.decode().strip()
        done = fleet("result", failed, server=keeper)
        assert (done.returncode, complaint(done)) == (1, "fleet: ValueError: no")
    queued = fleet("run", "-b", "-f", "nobody", "x", server=keeper).stdout.decode().strip()
    done = fleet("result", queued, "-t", "0.2", server=keeper)
    assert (done.returncode, "has not ended in time" in complaint(done)) == (4, True)
    done = fleet("result", "H:none", server=keeper)
    assert (done.returncode, complaint(done)) == (7, f"fleet: there never was a job H:none at {keeper}")
    assert fleet("result", server=keeper).returncode == 2
    assert fleet("result", "H:none", server=closed_port()).returncode == 3


def test_a_result_that_is_kept_no_longer_exits_with_8(spawn: Spawn) -> None:
    forgetful = keeping(spawn, "--keep", "0")
    with worker(forgetful, reverse=reverse):
        handle = fleet("run", "-b", "-f", "reverse", "x", server=forgetful).stdout.decode().strip()
        fleet("run", "-f", "reverse", "x", server=forgetful)  # behind it in the queue
        done = fleet("result", handle, server=forgetful)
    assert (done.returncode, complaint(done).endswith("is not kept any more")) == (8, True)


def test_a_job_server_without_a_store_exits_with_78(server: Address) -> None:
    done = fleet("result", "H:none", server=server)
    assert done.returncode == 78
    assert "start it with --store" in complaint(done)
